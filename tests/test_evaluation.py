"""The whole comparison: rows, references, notes, and the three forms of a report."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest

from difflm.errors import ConfigError, DataError, SchemaError
from difflm.evaluation import evaluate
from difflm.report import Report
from difflm.report_html import worst_pairs
from difflm.schema import Schema

LATENT = {"kl": 11.8, "active": 14, "reconstruction": 0.84, "per_column": {"x": 0.7, "c": 0.98}}


def table(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n).round(3)
    c = np.where(x > 0.4, "<high>", np.where(x < -0.4, "low", "mid")).astype(object)
    c[:3] = None
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    label = np.where(x + rng.normal(scale=0.6, size=n) > 0, "yes", "no").astype(object)
    return pd.DataFrame({"x": x, "k": rng.integers(0, 500, n), "c": c, "day": day, "label": label})


@pytest.fixture(scope="module")
def report() -> Report:
    real, test = table(400, 1), table(200, 2)
    return evaluate(
        real,
        table(300, 3),
        test,
        target="label",
        validation=table(100, 4),
        posterior=table(250, 5),
        decoder_alone=table(250, 6),
        latent=LATENT,
        raw_validity=0.97,
        data_name="toy & <tests>",
    )


def test_every_row_is_there_and_scored_where_it_makes_sense(report: Report) -> None:
    names = [row.name for row in report.rows]
    assert names == ["generated", "posterior", "decoder_alone", "holdout", "independent", "copy"]
    missing = {(row.name, key) for row in report.rows for key, value in row.scores.items() if value is None}
    assert missing == {("holdout", "mle"), ("holdout", "mle_paper")}
    assert report.score("raw_validity") == 0.97
    assert report.score("shape", "independent") == 0 < report.score("shape")
    assert report.score("trend", "independent") > report.score("trend", "holdout")
    assert report.score("exact_copies", "copy") == 1 and report.score("exact_copies", "holdout") == 0
    assert abs(report.score("dcr_share", "holdout") - 0.5) < 0.12


def test_details_explain_the_figures(report: Report) -> None:
    details = report.details
    errors = [column["error"] for column in details["columns"]]
    assert errors == sorted(errors, reverse=True) and np.mean(errors) == pytest.approx(report.score("shape"))
    pairs = details["pairs"]
    matrix = np.array(pairs["error"])
    assert matrix[np.triu_indices(5, 1)].mean() == pytest.approx(report.score("trend"), abs=1e-3)
    assert worst_pairs(pairs, 1)[0][2] == matrix.max()
    shares = [item["share"] for item in details["c2st"]["importance"]]
    assert sum(shares) == pytest.approx(1) and shares == sorted(shares, reverse=True)
    closest = details["dcr"]["closest"]
    assert closest[0]["distance"] <= closest[-1]["distance"] and set(closest[0]["real"]) == set(
        table(4, 1).columns
    )
    assert set(details["columns_by_row"]) == {row.name for row in report.rows}


def test_prior_gap_is_the_distance_from_posterior_to_generated(report: Report) -> None:
    decoder, prior = report.prior_gap()["c2st_xgb"]
    assert decoder is not None
    assert decoder == pytest.approx(1 - report.score("c2st_xgb", "posterior"))
    assert decoder + prior == pytest.approx(1 - report.score("c2st_xgb"))


def test_settings_name_all_that_a_table_of_results_must(report: Report) -> None:
    settings = report.settings
    assert settings["rows"] == {"train": 400, "validation": 100, "test": 200, "synthetic": [300]}
    assert settings["seed"] == 0 and settings["machine"]["processor"] and settings["machine"]["cores"]
    assert {"python", "xgboost", "scikit-learn", "pandas"} <= set(settings["versions"])
    assert set(settings["seconds"]) >= {"shape", "trend", "mle", "c2st", "dcr"}


def test_a_report_survives_json(report: Report) -> None:
    text = report.to_json()
    again = Report.from_dict(json.loads(text))
    assert again.to_dict() == report.to_dict() and again.summary() == report.summary()
    assert again.to_html() == report.to_html()


def test_summary_has_latent_use_first_and_aligned_columns(report: Report) -> None:
    lines = report.summary().splitlines()
    assert lines[0].startswith("Latent use: KL 11.80 nats a row, 14 active dimensions, 84.0%")
    shape, trend = (
        next(line for line in lines if line.startswith(name)) for name in ("Shape error %", "Trend error % ")
    )
    assert len(shape) == len(trend)
    assert any(line.startswith("Prior gap") for line in lines)


def test_html_stands_alone_and_escapes(report: Report) -> None:
    page = report.to_html()
    assert "http" not in page.replace("http://www.w3.org", "") and "<script" not in page
    assert "toy &amp; &lt;tests&gt;" in page and "<high>" not in page and "&lt;high&gt;" in page
    assert "prefers-color-scheme: dark" in page
    assert page.index("Does the latent carry") < page.index("Scores, with what")


def test_without_latent_figures_the_report_says_so() -> None:
    bare = evaluate(table(60, 1), table(60, 2), table(60, 3), metrics=["shape", "trend"], references=False)
    assert [row.name for row in bare.rows] == ["generated"]
    assert bare.summary().startswith("Latent use: unknown.") and "do not show that map" in bare.to_html()
    assert bare.prior_gap() == {}


def test_without_validation_the_models_are_chosen_on_training_rows_and_the_report_says_so() -> None:
    made = evaluate(table(120, 1), table(120, 2), table(80, 3), target="label", metrics=["mle"])
    assert any("tenth of the training rows" in note for note in made.notes)
    assert made.score("mle", "copy") is not None


def test_several_generated_sets_give_mean_and_deviation() -> None:
    sets = [table(80, seed) for seed in (5, 6, 7)]
    made = evaluate(table(80, 1), sets, table(80, 2), metrics=["shape"], references=False)
    single = [evaluate(table(80, 1), one, table(80, 2), metrics=["shape"], references=False) for one in sets]
    values = [one.score("shape") for one in single]
    assert made.score("shape") == pytest.approx(np.mean(values)) and made.row().sets == 3
    assert made.row().spread["shape"] == pytest.approx(np.std(values, ddof=1))
    assert "±" in made.summary()


def test_the_same_seed_gives_the_same_report_and_progress_is_told() -> None:
    told: list[tuple[float, str]] = []
    args = (table(120, 1), table(90, 2), table(80, 3))
    first = evaluate(
        *args, target="label", seed=5, on_progress=lambda share, text: told.append((share, text))
    )
    second = evaluate(*args, target="label", seed=5)
    assert [row.scores for row in first.rows] == [row.scores for row in second.rows]
    assert told[-1] == (1.0, "done") and [share for share, _ in told] == sorted(share for share, _ in told)


def test_bad_input_is_refused_with_what_to_do() -> None:
    real = table(30, 1)
    with pytest.raises(DataError, match="synthetic row"):
        evaluate(real, real.head(0), real)
    with pytest.raises(DataError, match="test row"):
        evaluate(real, real, real.head(0), metrics=["shape"])
    for schema in (None, Schema.infer(real)):
        with pytest.raises(SchemaError, match="'nothing'"):
            evaluate(real, real, real, schema=schema, target="nothing", metrics=["shape"])
    with pytest.raises(ConfigError, match="metric among"):
        evaluate(real, real, real, metrics=["beauty"])


def test_fifty_columns_and_thirty_thousand_rows_take_seconds() -> None:
    rng = np.random.default_rng(0)
    frames = []
    for n in (30_000, 30_000):
        numbers = {f"n{i}": rng.normal(size=n) for i in range(25)}
        labels = {f"c{i}": rng.choice(list("abcdefgh"), n) for i in range(25)}
        frames.append(pd.DataFrame(numbers | labels))
    started = time.process_time()
    evaluate(frames[0], frames[1], frames[1], metrics=["shape", "trend"], references=False)
    assert time.process_time() - started < 20
