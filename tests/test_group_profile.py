"""What sets a group apart: the same, disjoint, in between; every kind of column."""

import pandas as pd
import pytest

from difflm.errors import DataError
from difflm.group_profile import profile


def row(table: pd.DataFrame, column: str) -> pd.Series:
    return table.set_index("column").loc[column]


def test_the_column_that_differs_comes_first() -> None:
    group = pd.DataFrame({"same": range(100), "age": range(100), "job": ["cook"] * 100})
    rest = pd.DataFrame({"same": range(100), "age": range(50, 150), "job": ["cook"] * 75 + ["clerk"] * 25})
    table = profile(group, rest)
    assert list(table["column"]) == ["age", "job", "same"]
    assert list(table["difference"]) == pytest.approx([0.5, 0.25, 0.0])
    assert row(table, "job")["in the group"] in ("cook: 100%", "clerk: 0%")
    assert row(table, "age")["in the group"].startswith("49.5 (")
    disjoint = profile(pd.DataFrame({"a": ["x"] * 5}), pd.DataFrame({"a": ["y"] * 5}))
    assert disjoint["difference"][0] == pytest.approx(1.0)


def test_dates_missing_cells_and_texts() -> None:
    days = pd.date_range("2020-01-01", periods=60)
    group = pd.DataFrame(
        {"day": days[:30], "n": [None] * 15 + list(range(15)), "t": ["cats sleep all day"] * 30}
    )
    rest = pd.DataFrame({"day": days[30:], "n": range(30), "t": ["dogs bark all day"] * 30})
    table = profile(group, rest)
    assert row(table, "day")["difference"] == pytest.approx(1.0)
    assert "2020-01-15" in row(table, "day")["in the group"]
    assert row(table, "n")["difference"] >= 0.5
    assert "cats 100%" in row(table, "t")["in the group"] and "cats 0%" in row(table, "t")["in the rest"]


def test_all_missing_boolean_and_one_record() -> None:
    group = pd.DataFrame({"none": [None], "flag": [True], "mixed": [3]}, dtype=object)
    rest = pd.DataFrame(
        {"none": [None] * 3, "flag": [False, True, None], "mixed": ["a", 2, None]}, dtype=object
    )
    table = profile(group, rest)
    assert row(table, "none")["difference"] == 0.0 and 0 < row(table, "flag")["difference"] <= 1
    with pytest.raises(DataError, match="outside"):
        profile(group, rest.iloc[:0])
