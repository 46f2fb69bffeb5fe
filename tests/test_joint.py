"""Joint tables of pairs of columns, and their drawing."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from difflm.joint_svg import joint_svg
from difflm.metrics import Bench, resolve
from difflm.metrics.joint import PAIRS, VALUES
from difflm.schema import Schema


def rows(n: int = 400, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    town = rng.choice([f"town <{i}>" for i in range(20)], n)
    day = pd.Timestamp("2021-03-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    size = np.where(rng.random(n) < 0.1, np.nan, rng.normal(size=n).round(2))
    return pd.DataFrame({"town": town, "day": day, "size": size, "big": np.nan_to_num(size) > 0.5})


def details(synthetic: pd.DataFrame, names: str = "trend") -> dict[str, Any]:
    schema = Schema.infer(rows())
    bench = Bench.build(schema, schema.canonical(rows()), schema.canonical(rows(100, 1)))
    return resolve(names)().compute(bench, bench.encode(schema.canonical(synthetic))).details


def test_tables_of_equal_rows_are_equal_and_sum_to_one() -> None:
    joint = details(rows())["joint"]
    assert len(joint) == 6 <= PAIRS and all(pair["error"] == 0 for pair in joint)
    for pair in joint:
        assert pair["real"] == pair["synthetic"]
        assert np.sum(pair["real"]) == pytest.approx(1, abs=1e-3)
        assert np.shape(pair["real"]) == (len(pair["x"]), len(pair["y"]))


def test_the_worst_pair_comes_first_and_shows_where_it_is_off() -> None:
    made = rows()
    made["big"] = np.random.default_rng(5).permutation(made["big"])
    worst = details(made)["joint"][0]
    assert {worst["a"], worst["b"]} == {"size", "big"} and worst["error"] > 10
    assert np.abs(np.subtract(worst["real"], worst["synthetic"])).max() > 0.02


def test_dates_are_dates_many_categories_are_few_and_missing_is_told() -> None:
    made = details(rows(), "shape")
    edges = next(column for column in made["columns"] if column["name"] == "day")["edge_labels"]
    assert edges[0] == "2021-03-01" and len(edges) == 25
    pair = next(p for p in details(rows())["joint"] if {p["a"], p["b"]} == {"town", "size"})
    assert len(pair["y"]) == VALUES + 1 and pair["y"][-1] == "(others)"
    assert pair["x"][-1] == "(missing)"


def test_the_drawing_has_a_square_for_each_share_and_escapes_names() -> None:
    pair = next(p for p in details(rows())["joint"] if {p["a"], p["b"]} == {"town", "size"})
    svg = joint_svg(pair, "#123456", "var(--syn)")
    assert svg.count("<rect") == 2 * len(pair["x"]) * len(pair["y"])
    assert "town &lt;" in svg and "town <" not in svg
