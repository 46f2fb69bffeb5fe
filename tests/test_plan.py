"""Steps out of a time limit, before training starts."""

from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from difflm.config import Config
from difflm.errors import ConfigError
from difflm.training import fit
from difflm.training.costs import Size, other_seconds
from difflm.training.host import Host
from difflm.training.plan import (
    ENOUGH_STEPS,
    LAUNCHED_SECONDS,
    MOST_EPOCHS,
    MOST_ROUND,
    calibration_rows,
    expected_rows,
    make_plans,
    with_leftover,
)
from difflm.training.speed import REFERENCE_SECONDS, machine_speed, speed_seen
from difflm.training.speed import probe as real_probe

ADULT = Size(29_304, 15.0)


def steps(config: Config, size: Size) -> dict[str, int]:
    return {name: plan.steps for name, plan in make_plans(config, size).items()}


def test_a_gpu_is_not_planned_to_be_faster_than_python() -> None:
    config = Config.from_preset("quick")
    slow, fast = (make_plans(config, ADULT, speed, "cuda") for speed in (20.0, 2000.0))
    assert all(replace(slow[stage], looking=0) == replace(fast[stage], looking=0) for stage in slow)
    for stage, least in LAUNCHED_SECONDS.items():
        plan = fast[stage]
        assert plan.seconds is not None and plan.steps * least <= plan.seconds * 1.001
        assert plan.steps < make_plans(config, ADULT, 20.0)[stage].steps
    assert make_plans(config, ADULT, 0.1, "cuda") == make_plans(config, ADULT, 0.1), "a slow one as a CPU"


def test_the_same_table_and_preset_give_the_same_steps() -> None:
    assert steps(Config(), ADULT) == steps(Config(), ADULT)


def test_more_time_gives_more_steps_in_every_stage() -> None:
    quick, standard, thorough = (
        steps(Config.from_preset(name), ADULT) for name in ("quick", "standard", "thorough")
    )
    assert all(quick[stage] < standard[stage] < thorough[stage] for stage in quick)


def test_stages_share_the_limit_and_leave_room_for_the_rest() -> None:
    plans = make_plans(Config(), ADULT)
    seconds = sum(plan.seconds or 0 for plan in plans.values())
    assert seconds == pytest.approx(600 * 0.94 - other_seconds(Config(), ADULT))


def test_calibration_takes_what_the_limit_allows_and_no_more_than_the_table_needs() -> None:
    rows = [
        calibration_rows(Config.from_preset(name), Size(10**6, 40.0))
        for name in ("quick", "standard", "thorough")
    ]
    assert rows[0] < rows[1] < rows[2] <= MOST_ROUND
    assert calibration_rows(Config(), Size(400, 10.0)) == 800
    for changes in ({"time_limit": 0.1}, {"prior.calibration": 0}, {"sample.temperature": 0}):
        assert calibration_rows(Config.from_preset("standard", changes), Size(10**6, 40.0)) == 0
    wide = Size(2400, 400.0)
    assert not calibration_rows(Config.from_preset("quick"), wide)
    assert 64 <= expected_rows(Config.from_preset("quick"), wide) < 2400
    assert expected_rows(Config(), ADULT) == 0  # it is generated for
    assert expected_rows(Config.from_preset("quick", {"prior.calibration": 0}), wide) == 0
    uncalibrated, usual = (
        sum(plan.seconds or 0 for plan in make_plans(config, ADULT).values())
        for config in (Config.from_preset("standard", {"prior.calibration": 0}), Config())
    )
    assert uncalibrated - usual == pytest.approx(600 * 0.04)


def test_what_stage_1_leaves_goes_to_the_prior() -> None:
    plans = make_plans(Config(), ADULT)
    prior = plans["prior"]
    assert with_leftover(plans, 0.0) == prior
    half = with_leftover(plans, 0.2)
    assert prior.steps < half.steps <= 2 * prior.steps
    assert with_leftover({**plans, "prior": replace(prior, most_steps=prior.steps)}, 0.5).steps == prior.steps
    assert half.steps / prior.steps == pytest.approx((half.seconds or 0) / (prior.seconds or 1), abs=0.01)


@pytest.mark.parametrize("stage", ["lm", "vae", "prior"])
def test_short_tables_are_not_read_a_thousand_times(stage: str) -> None:
    size = Size(200, 8.0)
    plan = make_plans(Config.from_preset("thorough"), size)[stage]
    assert plan.steps <= max(MOST_EPOCHS[stage] * size.rows / plan.batch_size, ENOUGH_STEPS[stage])


def test_a_decoder_that_will_be_frozen_learns_as_long_as_it_may() -> None:
    size = Size(200, 8.0)
    joint, frozen = (
        make_plans(Config.from_preset("thorough", {"decoder.training": how}), size)["lm"]
        for how in ("joint", "frozen")
    )
    assert joint.steps == ENOUGH_STEPS["lm"] < frozen.steps


def test_passes_set_by_hand_are_kept_and_not_cut_by_the_clock() -> None:
    plan = make_plans(Config.from_preset("quick", {"vae.epochs": 3}), ADULT)["vae"]
    assert plan.steps == pytest.approx(3 * ADULT.rows / plan.batch_size, abs=1) and plan.seconds is None


def test_a_faster_machine_gets_more_steps_in_the_same_time() -> None:
    # Frozen: otherwise stage 0 ends after its passes, however fast the machine.
    frozen = Config.from_preset("standard", {"decoder.training": "frozen"})
    slow, fast = (make_plans(frozen, ADULT, speed) for speed in (0.8, 1.6))
    for stage in slow:
        # More than twice: the evaluations are no more than before.
        assert 2 * slow[stage].steps - 1 <= fast[stage].steps < 2.7 * slow[stage].steps
        # And a little of what starting and encoding take less.
        assert (slow[stage].seconds or 0) < (fast[stage].seconds or 0) < 1.03 * (slow[stage].seconds or 0)
    assert fast["prior"].steps == pytest.approx(2 * slow["prior"].steps, rel=0.03)


def test_the_speed_of_a_machine_is_kept_unless_it_was_busy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIFFLM_SPEED", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    slowness = iter([2.0, 2.1, 5.0, 1.0, 1.04])
    monkeypatch.setattr("difflm.training.speed.probe", lambda device: next(slowness) * REFERENCE_SECONDS)
    speeds = [machine_speed(torch.device("cpu")) for _ in range(5)]
    assert speeds == pytest.approx([0.5, 0.5, 0.5, 1.0, 1.0], rel=0.03)
    assert len(set(speeds)) == 2, "only a clearly faster moment changes the plan"
    monkeypatch.setenv("DIFFLM_SPEED", "3")
    assert machine_speed(torch.device("cpu")) == 3.0
    monkeypatch.setenv("DIFFLM_SPEED", "fast")
    with pytest.raises(ConfigError, match="DIFFLM_SPEED"):
        machine_speed(torch.device("cpu"))
    assert 0 < real_probe(torch.device("cpu"), 0.0) < 60


def test_what_stage_0_took_is_kept_for_its_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIFFLM_SPEED", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))

    def seen(faster: float, work: str = "a table", state: Path | None = None) -> float:
        return speed_seen(torch.device("cpu"), work, 0.5, faster, state)

    assert seen(0.0) == 0.5, "nothing is known"
    assert seen(0.6) == 0.5, "a slower stage 0 is the loop's affair"
    assert seen(1.04) == 0.5, "what is planned with a little room is planned well"
    run = tmp_path / "run" / "state"
    faster = seen(1.6, state=run)
    assert 0.5 * 1.6 * 0.95 / 1.05 <= faster <= 0.5 * 1.6 * 0.95
    assert seen(1.55) == seen(1.0) == seen(0.0) == faster, "the same table gets the same plan"
    assert seen(1.0, "another table") == 0.5
    assert faster < seen(2.5) < seen(50.0) <= 1.5, (
        "a clearly faster moment replaces it, and nothing beyond belief"
    )
    assert seen(2.5, state=run) == faster, "a run keeps its plan"
    monkeypatch.setenv("DIFFLM_SPEED", "0.5")
    assert seen(1.6, "a third") == 0.5


def test_several_processes_are_another_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    monkeypatch.setattr(fit, "speed_seen", lambda device, work, *rest: asked.append(work) or 1.0)
    alone = SimpleNamespace(num_processes=1, process_index=0, device=torch.device("cpu"))
    for count in ("1", "2", "8"):
        monkeypatch.setenv("LOCAL_RANK", "0")
        monkeypatch.setenv("WORLD_SIZE", count)
        assert fit._seen(Config.from_preset("quick"), ADULT, 1.0, 1.0, Host(), alone) == 1.0
    assert len(set(asked)) == 3, "what two processes reach together is not promised to one"


def test_a_limit_of_seconds_keeps_a_third_of_itself_for_training() -> None:
    plans = make_plans(Config.from_preset("quick", {"time_limit": 0.5}), ADULT, speed=0.2)
    assert sum(plan.seconds or 0 for plan in plans.values()) == pytest.approx(10)
