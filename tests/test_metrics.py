"""Metrics: best on identical rows, worst on disjoint ones, in between in between; odd columns."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.spatial.distance import cdist
from sklearn.neighbors import NearestNeighbors

from difflm.errors import ConfigError, DataError
from difflm.metrics import Bench, Result, metric_names, resolve
from difflm.metrics.dcr import copy_share
from difflm.metrics.mle import Task
from difflm.metrics.neighbours import nearest, spaces
from difflm.schema import Kind, Schema

KINDS = {"x": Kind.real, "k": Kind.integer, "c": Kind.category, "y": Kind.category}


def table(n: int, seed: int = 0, shift: float = 0.0, prefix: str = "") -> pd.DataFrame:
    """x drives k, c and y, so that relations and a target can be learnt."""
    rng = np.random.default_rng(seed)
    x = rng.normal(size=n)
    c = np.where(x > 0.5, "high", np.where(x < -0.5, "low", "mid"))
    y = np.where(x + rng.normal(scale=0.5, size=n) > 0, "yes", "no")
    frame = {"x": x + shift, "k": np.round(3 * x + rng.normal(size=n) + shift).astype(int)}
    return pd.DataFrame(frame | {"c": prefix + c.astype(object), "y": y.astype(object)})


def make_bench(n: int = 600, kinds: dict[str, Kind] | None = None, **options: object) -> Bench:
    train, test, validation = table(n, 1), table(n // 2, 2), table(n // 4, 3)
    schema = Schema.infer(train, target="y", kinds=kinds or KINDS)
    frames = (schema.canonical(frame) for frame in (train, test, validation))
    return Bench.build(schema, *frames, target="y", **options)


def bench_of(
    train: pd.DataFrame, kinds: dict[str, Kind], target: str | None = None, test: pd.DataFrame | None = None
) -> Bench:
    schema = Schema.infer(train, target=target, kinds=kinds)
    return Bench.build(schema, schema.canonical(train), schema.canonical(train if test is None else test))


def scores_of(bench: Bench, frame: pd.DataFrame, *names: str) -> dict[str, float | None]:
    encoded = bench.encode(bench.schema.canonical(frame))
    result: dict[str, float | None] = {}
    for name in names or metric_names():
        result |= resolve(name)().compute(bench, encoded).scores
    return result


def test_identical_is_best_disjoint_is_worst_and_fresh_rows_lie_between() -> None:
    bench = make_bench()
    copy = scores_of(bench, table(600, 1))
    fresh = scores_of(bench, table(600, 9))
    apart = scores_of(bench, table(600, 9, shift=100.0, prefix="other-"))
    assert copy["shape"] == copy["trend"] == copy["trend_own_bins"] == 0
    assert copy["c2st_xgb"] == copy["c2st_logistic"] == 1
    assert copy["exact_copies"] == copy["near_copies"] == 1
    for name in ("alpha_precision", "beta_recall"):  # quantiles of n rows are exact to about 1 / n
        assert copy[name] == pytest.approx(1, abs=0.01)
    assert apart["c2st_xgb"] == pytest.approx(0, abs=0.01)
    assert apart["c2st_logistic"] == pytest.approx(0, abs=0.01)
    assert apart["shape"] > 70 and apart["exact_copies"] == 0 and apart["beta_recall"] < 0.05
    for low in ("shape", "trend"):
        assert copy[low] < fresh[low] < apart[low]
    assert apart["c2st_xgb"] < fresh["c2st_xgb"] <= copy["c2st_xgb"]
    assert apart["raw_validity"] == 0 and copy["raw_validity"] == 1
    assert copy["membership"] > 0.9 and abs(fresh["membership"] - 0.5) < 0.1
    assert abs(fresh["dcr_share"] - 0.5) < 0.1 and copy["dcr_share"] > 0.7


def test_shuffled_columns_pass_shape_and_the_logistic_detector_but_not_the_rest() -> None:
    bench, rng = make_bench(1200), np.random.default_rng(0)
    frame = table(1200, 1)
    shuffled = frame.apply(lambda column: column.to_numpy()[rng.permutation(len(column))])
    scores = scores_of(bench, shuffled, "shape", "trend", "c2st", "mle")
    assert scores["shape"] == 0 and scores["c2st_logistic"] > 0.9
    assert scores["trend"] > 10 and scores["c2st_xgb"] < 0.4
    assert scores["mle"] < 0.7 < scores_of(bench, frame, "mle")["mle"]


def test_figures_stay_in_their_bounds_and_say_what_they_mean() -> None:
    bench = make_bench(300)
    for frame in (table(300, 1), table(250, 5, shift=3.0), table(300, 4, prefix="new-")):
        for name in metric_names():
            metric = resolve(name)()
            result = metric.compute(bench, bench.encode(bench.schema.canonical(frame)))
            figures = metric.figures(bench)
            assert set(result.scores) == {figure.name for figure in figures}
            assert metric.main(bench) == figures[0]
            for figure in figures:
                value, (low, high) = result.scores[figure.name], figure.bounds
                assert figure.meaning.endswith(".") and value is not None
                assert low <= value <= (np.inf if high is None else high), figure.name


def test_the_same_seed_gives_the_same_figures() -> None:
    frame = table(400, 7)
    runs = [scores_of(make_bench(500, seed=s, max_rows=300), frame) for s in (3, 3, 4)]
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_an_unknown_metric_lists_the_valid_names() -> None:
    with pytest.raises(ConfigError, match=r"shape, trend, mle.*'fid'"):
        resolve("fid")


def test_trend_counts_pairs_as_defined() -> None:
    train = pd.DataFrame({"a": list("ppqq") * 10, "b": list("uvuv") * 10, "x": [0.0, 1.0, 2.0, 3.0] * 10})
    kinds = {"a": Kind.category, "b": Kind.category, "x": Kind.real}
    other = train.assign(b=list("uuvv") * 10, x=[0.0, 1.0, 2.0, 3.0] * 10)
    # a-b: four cells of 1/4 against two of 1/2; x-b: half of the mass moves; a-x: unchanged.
    expected = 100 * (0.5 + 0.5 + 0.0) / 3
    scores = scores_of(bench_of(train, kinds), other, "trend")
    assert scores["trend"] == pytest.approx(expected) and scores["trend_own_bins"] == pytest.approx(expected)


def test_high_cardinality_pairs_need_no_dense_table() -> None:
    n = 4000
    train = pd.DataFrame({"a": [f"a{i}" for i in range(n)], "b": [f"b{i}" for i in range(n)]})
    kinds = {"a": Kind.category, "b": Kind.category}
    rolled = train.assign(b=np.roll(train["b"].to_numpy(), 1))
    assert scores_of(bench_of(train, kinds), rolled, "trend")["trend"] == pytest.approx(100)


def test_distances_agree_with_scipy_and_sklearn() -> None:
    bench = make_bench(700)
    train, queries = spaces(bench, [bench.train, bench.test])
    assert len(train) > 512 and queries.codes.dtype == np.uint8
    eye = np.eye(6)
    dense = [np.hstack([s.numbers, *(eye[c] / 2 for c in s.codes.T)]) for s in (queries, train)]
    expected = cdist(*dense, metric="cityblock")
    found = nearest(queries, train)
    two = np.sort(expected, axis=1)[:, :2]
    assert np.allclose(found.first, two[:, 0], atol=1e-5) and np.allclose(found.second, two[:, 1], atol=1e-5)
    assert np.allclose(found.back, expected.min(axis=0), atol=1e-5)
    assert np.allclose(expected[np.arange(len(queries)), found.index], two[:, 0], atol=1e-5)
    one_hot = np.hstack([train.numbers, *(eye[c] for c in train.codes.T)])
    within = nearest(train, train, power=2, skip_self=True).first
    ours = NearestNeighbors(n_neighbors=2).fit(one_hot).kneighbors(one_hot)[0][:, 1]
    assert np.allclose(np.sqrt(within), ours, atol=1e-4)


def test_copies_compare_every_cell_missing_and_text_included() -> None:
    train = pd.DataFrame({"t": ["one", None, "three"], "x": [1.0, np.nan, 3.0]})
    bench = bench_of(train, {"t": Kind.text, "x": Kind.real})
    other = pd.DataFrame({"t": ["one", None, "other"], "x": [1.0, np.nan, 3.0]})
    assert copy_share(bench, bench.encode(bench.schema.canonical(other))) == pytest.approx(2 / 3)


def test_the_grid_has_36_models_chosen_on_validation() -> None:
    bench = make_bench(300)
    result: Result = resolve("mle")().compute(bench, bench.train)
    mle = result.details["mle"]
    assert len({tuple(list(entry.values())[:4]) for entry in mle["grid"]}) == len(mle["grid"]) == 36
    assert mle["chosen"]["validation"] == max(entry["validation"] for entry in mle["grid"])
    assert result.scores["mle"] == mle["chosen"]["test"]
    assert result.scores["mle_paper"] == max(entry["test"] for entry in mle["grid"])


def test_fewer_rounds_of_one_booster_are_the_smaller_model() -> None:
    from sklearn.metrics import roc_auc_score
    from xgboost import XGBClassifier

    bench = make_bench(400)
    task = Task.of(bench)
    assert task is not None
    (x, y), (held, label) = task.arrays(bench, bench.train), task.arrays(bench, bench.test)
    settings = {"n_estimators": 10, "max_depth": 5, "min_child_weight": 10, "gamma": 1}
    model = XGBClassifier(**settings, tree_method="hist", n_jobs=1).fit(x, y)
    grid = resolve("mle")().compute(bench, bench.train).details["mle"]["grid"]
    ours = next(entry for entry in grid if all(entry[key] == value for key, value in settings.items()))
    assert ours["test"] == pytest.approx(roc_auc_score(label, model.predict_proba(held)[:, 1]), abs=1e-6)


@pytest.mark.parametrize("kind", ["regression", "log_clip", "many classes", "two numbers"])
def test_mle_of_other_targets(kind: str) -> None:
    train, test = table(400, 1), table(200, 2)
    target = {
        "regression": lambda f: 10 + f["x"],
        "log_clip": lambda f: np.exp(f["x"]) * 50,
        "many classes": lambda f: np.digitize(f["x"], [-1, -0.3, 0.3, 1]).astype(str).astype(object),
        "two numbers": lambda f: (f["x"] > 0).astype(float) * 7,
    }
    train, test = (frame.assign(y=target[kind](frame)) for frame in (train, test))
    kinds = KINDS | {"y": Kind.category if kind == "many classes" else Kind.real}
    schema = Schema.infer(train, target="y", kinds=kinds)
    clip = kind == "log_clip"
    bench = Bench.build(schema, schema.canonical(train), schema.canonical(test), target="y", log_clip=clip)
    metric = resolve("mle")()
    score = metric.compute(bench, bench.train).scores["mle"]
    assert score is not None
    if kind in ("regression", "log_clip"):
        assert metric.main(bench).goal == "min" and score < 0.2
    else:
        assert metric.main(bench).goal == "max" and score > 0.95


ODD = {
    "constant number": ([5.0] * 40, Kind.real),
    "single category": (["a"] * 40, Kind.category),
    "all missing": ([np.nan] * 40, Kind.real),
    "all missing category": ([None] * 40, Kind.category),
    "half missing": ([1.0, np.nan] * 20, Kind.real),
    "missing category": (["a", None] * 20, Kind.category),
    "huge": ([1e300, -1e300] * 20, Kind.real),
    "text": ([f"text {i}" for i in range(40)], Kind.text),
    "identifier": ([f"id-{i}" for i in range(40)], Kind.identifier),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_columns_are_perfect_against_themselves_and_break_nothing(name: str) -> None:
    values, kind = ODD[name]
    train = table(40, 1).assign(odd=pd.Series(values))
    bench = bench_of(
        train, KINDS | {"odd": kind}, target="y", test=table(40, 2).assign(odd=pd.Series(values))
    )
    scores = scores_of(bench, train)
    assert scores["shape"] == scores["trend"] == 0 and scores["exact_copies"] == 1
    assert all(value is None or np.isfinite(value) for value in scores.values())
    assert ("odd" in bench.codec.names) == (kind != Kind.identifier)


@pytest.mark.parametrize("rows", [1, 2, 5])
def test_tiny_tables_say_what_cannot_be_computed(rows: int) -> None:
    train = table(40, 1)
    bench = bench_of(train.head(rows), KINDS, target="y")
    encoded = bench.encode(bench.schema.canonical(train.head(rows)))
    results = {name: resolve(name)().compute(bench, encoded) for name in metric_names()}
    assert results["shape"].scores["shape"] == 0
    assert results["c2st"].scores["c2st_xgb"] is None and "rows" in results["c2st"].notes[0]


def test_validity_counts_rows_not_violations() -> None:
    train = table(50, 1).assign(m=[1.5, None] * 25)
    bench = bench_of(train, KINDS | {"m": Kind.real})
    bad = train.assign(x=train["x"].where(train.index >= 2, None))
    bad.loc[1:3, "k"] = 10_000
    bad.loc[3:4, "c"] = "new"
    encoded = bench.encode(bench.schema.canonical(bad))
    result = resolve("validity")().compute(bench, encoded)
    assert result.scores["raw_validity"] == pytest.approx(45 / 50) and result.details["violations"]


def test_only_identifiers_are_refused() -> None:
    with pytest.raises(DataError, match="not an identifier"):
        bench_of(pd.DataFrame({"id": list("abcd")}), {"id": Kind.identifier})
