"""What evaluations and the encoding at the end cost, and what a plan makes of it."""

import pytest

from difflm.config import Config
from difflm.training.costs import (
    EVALUATION_DOCUMENTS,
    EVALUATION_ROWS,
    LATENT_TOKENS,
    LEAST_LATENT_TOKENS,
    LEAST_LATENTS,
    LEAST_USE_TOKENS,
    REFERENCE_RATE,
    SHOWN_DOCUMENTS,
    SHOWN_ROWS,
    USE_TOKENS,
    Size,
    evaluation_seconds,
    latent_rows,
    other_seconds,
    row_operations,
    shown_rows,
    use_tokens,
)
from difflm.training.plan import LEAST_EVALUATIONS, LOOKING_SHARE, make_plans

ADULT, WIDE, LONG = Size(29_304, 15.0), Size(16_000, 200.0), Size(800_000, 20.0)
STANDARD, SHORT = Config(), Config.from_preset("quick", {"time_limit": 4.0})


def test_an_evaluation_of_a_wide_table_costs_no_more_than_of_one_of_common_width() -> None:
    assert ADULT.looked == EVALUATION_ROWS and Size(9_000, 150.0, 5_000_000).looked == EVALUATION_DOCUMENTS
    widths = [evaluation_seconds(STANDARD, Size(16_000, tokens), "vae") for tokens in (48.0, 200.0)]
    assert widths[1] < 1.5 * widths[0], "but for attention"


def test_all_of_a_table_of_common_size_is_encoded_and_what_the_limit_allows_of_a_long_one() -> None:
    assert latent_rows(STANDARD, ADULT) == ADULT.rows
    assert latent_rows(STANDARD, ADULT, speed=0.2) == ADULT.rows
    long = [latent_rows(SHORT, LONG, speed) for speed in (0.001, 0.2, 0.4, 100.0)]
    assert long[0] == LEAST_LATENTS < long[1] < long[2] < long[3] == LATENT_TOKENS / LONG.tokens
    assert latent_rows(SHORT, WIDE, 0.001) == LEAST_LATENT_TOKENS / WIDE.tokens
    assert latent_rows(SHORT, Size(9_000, 150.0, 5_000_000), 0.001) == 9_000, "documents cost more elsewhere"


@pytest.mark.parametrize("size", [ADULT, WIDE, LONG, Size(300, 8.0), Size(50_000, 500.0)], ids=str)
@pytest.mark.parametrize("speed", [0.5, 1.0, 5.0])
@pytest.mark.parametrize("minutes", [4.0, 10.0, 30.0])
def test_what_is_planned_fits_into_the_limit(size: Size, speed: float, minutes: float) -> None:
    config = Config.from_preset("standard", {"time_limit": minutes})
    plans = make_plans(config, size, speed)
    trained = sum(plan.seconds or 0.0 for plan in plans.values())
    other = other_seconds(config, size, speed) / min(speed, 1.0)
    assert trained + other < 60 * minutes or trained == pytest.approx(60 * minutes / 3)
    vae = plans["vae"]
    looking = vae.evaluations * evaluation_seconds(config, size, "vae") / speed
    assert vae.seconds and (looking <= LOOKING_SHARE * vae.seconds or vae.evaluations == LEAST_EVALUATIONS)
    step = vae.batch_size * row_operations(config, size, "vae") / REFERENCE_RATE / speed
    assert vae.steps * step + looking < 1.6 * vae.seconds, "the smallest plan there is, on a slow machine"


def test_evaluations_of_a_wide_table_do_not_take_the_time_of_its_training() -> None:
    common, wide = make_plans(STANDARD, ADULT)["vae"], make_plans(SHORT, WIDE, 0.4)["vae"]
    assert common.evaluations == STANDARD.vae.evaluations > wide.evaluations >= LEAST_EVALUATIONS


def test_a_stage_too_short_to_be_looked_at_is_left_out_and_the_next_looks_once() -> None:
    plans = make_plans(Config.from_preset("quick"), WIDE, 0.4)
    assert plans["lm"].steps == 0 and plans["vae"].evaluations == 1
    whole = sum(plan.seconds or 0 for plan in make_plans(STANDARD, WIDE, 0.4).values())
    assert whole == pytest.approx(600 * 0.94 - other_seconds(STANDARD, WIDE, 0.4) / 0.4)
    for kept in (
        Config.from_preset("quick", {"decoder.training": "frozen"}),
        Config.from_preset("quick", {"lm.epochs": 1}),
    ):
        assert make_plans(kept, WIDE, 0.4)["lm"].steps
    assert make_plans(Config.from_preset("quick"), ADULT)["lm"].steps


def test_the_latent_use_of_a_finished_run_takes_what_the_limit_allows() -> None:
    found = [use_tokens(SHORT, 20.0, speed) for speed in (0.001, 0.2, 0.4, 10.0)]
    assert found[0] == LEAST_USE_TOKENS < found[1] < found[2] < found[3] == USE_TOKENS
    assert use_tokens(STANDARD, 20.0) == USE_TOKENS > use_tokens(SHORT, 600.0)


def test_longer_rows_cost_more_than_in_proportion() -> None:
    short, common, long = (
        row_operations(STANDARD, Size(1_000, tokens), "vae") for tokens in (8.0, 24.0, 240.0)
    )
    assert common < 3 * short, "the soft prompt is there whatever the row"
    assert 10 * common < long < 20 * common


def test_of_long_rows_fewer_are_shown() -> None:
    assert shown_rows(0.0) == shown_rows(30.0) == SHOWN_ROWS > shown_rows(300.0) > shown_rows(5_000.0)
    assert shown_rows(5_000.0) == SHOWN_DOCUMENTS
