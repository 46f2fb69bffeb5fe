"""Canonical -> restore gives back what came in; what does not fit is named."""

from __future__ import annotations

import datetime
import string
import time
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.cells import decimals_of
from difflm.errors import SchemaError
from difflm.schema import Kind, Schema, unique_names


def round_trip(frame: pd.DataFrame, **options: Any) -> pd.DataFrame:
    """restore(canonical(frame)) by its own schema, which has gone through JSON."""
    schema = Schema.infer(frame, **options)
    schema = Schema.model_validate_json(schema.model_dump_json())
    rows = schema.canonical(frame)
    assert not any(schema.violations(rows).values())
    assert not schema.broken(rows).any()
    return schema.restore(rows)


def test_kinds_are_overruled_by_the_caller() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3] * 4, "b": ["1", "2", "x"] * 4, "c": ["2020-01-01", "soon"] * 6})
    schema = Schema.infer(frame, kinds={"a": Kind.category, "b": Kind.integer, "c": Kind.datetime})
    rows = schema.canonical(frame)
    assert rows["a"].tolist()[:3] == ["1", "2", "3"]
    assert schema.restore(rows)["a"].equals(frame["a"])
    assert rows["b"].isna().sum() == 4 and schema.column("b").missing and "missing" in schema.column("b").note
    assert rows["c"].isna().sum() == 6
    with pytest.raises(SchemaError, match="expected a column out of a, b, c"):
        Schema.infer(frame, kinds={"d": Kind.real})
    with pytest.raises(SchemaError, match="a kind out of"):
        Schema.infer(frame, kinds={"a": "number"})  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("cells", "form", "unit"),
    [
        (["2020-01-31", "1999-12-01"], "%Y-%m-%d", "D"),
        (["31.01.2020", "01.12.1999"], "%d.%m.%Y", "D"),
        (["01/31/2020", "12/01/1999"], "%m/%d/%Y", "D"),
        (["31/01/2020", "01/12/1999"], "%d/%m/%Y", "D"),
        (["1/31/2020", "12/1/1999"], "%-m/%-d/%Y", "D"),
        (["5 Mar 2020", "31 Dec 1999"], "%-d %b %Y", "D"),
        (["March 05, 2020", "December 31, 1999"], "%B %d, %Y", "D"),
        (["2020-01-31 10:30:00", "1999-12-01 00:00:30"], "%Y-%m-%d %H:%M:%S", "s"),
        (["2020-01-31T10:30:00Z", "1999-12-01T00:15:00Z"], "%Y-%m-%dT%H:%M:%SZ", "m"),
        (["2020-01-31 10:30:00.125", "1999-12-01 00:00:00.500"], "%Y-%m-%d %H:%M:%S.%f", "ms"),
        (["1/31/2020 1:05 PM", "12/1/1999 12:00 AM"], "%-m/%-d/%Y %-I:%M %p", "m"),
        (["2020-01", "1999-12"], "%Y-%m", "D"),
    ],
)
def test_date_formats_come_back_exactly(cells: list[str], form: str, unit: str) -> None:
    frame = pd.DataFrame({"when": pd.Series([*cells * 6, None], dtype="str")})
    column = Schema.infer(frame).columns[0]
    assert (column.kind, column.datetime_format, column.unit) == ("datetime", form, unit)
    pd.testing.assert_frame_equal(round_trip(frame), frame)


def test_dates_in_three_formats_become_one_with_a_note() -> None:
    frame = pd.DataFrame({"when": ["2020-01-31", "31.01.2020", "Jan 31, 2020", "2021-02-28"] * 4})
    schema = Schema.infer(frame)
    assert "3 formats" in schema.notes[0]
    restored = schema.restore(schema.canonical(frame))["when"]
    assert restored.tolist()[:4] == ["2020-01-31"] * 3 + ["2021-02-28"]


@pytest.mark.parametrize(
    ("values", "places", "cut"),
    [
        ([1.5, 2.25], 2, False),
        ([0.1 + 0.2], 15, True),
        ([1e300, 0.5], 1, False),
        ([1e-9], 9, False),
        ([], 0, False),
    ],
)
def test_decimals(values: list[float], places: int, cut: bool) -> None:
    assert decimals_of(np.array(values)) == (places, cut)


def test_infinite_is_missing_and_extreme_values_stay() -> None:
    schema = Schema.infer(pd.DataFrame({"x": [1.5, np.inf, -np.inf, np.nan, 1e300] * 3}))
    column = schema.columns[0]
    assert column.maximum == 1e300 and column.missing and "6 infinite" in column.note


def test_single_precision_is_read_as_it_is_written() -> None:
    frame = pd.DataFrame({"x": np.array([0.1, 2.7, 3.14], dtype=np.float32).repeat(4)})
    schema = Schema.infer(frame)
    assert schema.columns[0].decimals == 2
    assert schema.canonical(frame)["x"].tolist()[::4] == [0.1, 2.7, 3.14]
    pd.testing.assert_frame_equal(round_trip(frame), frame)


def test_constant_empty_and_duplicate_columns_are_kept_with_notes() -> None:
    frame = pd.DataFrame([[1, None, 5, 6]] * 12, columns=["a", "b", "c", "c"])
    schema = Schema.infer(frame)
    assert schema.names == ["a", "b", "c", "c_2"]
    assert any("renamed" in note for note in schema.notes)
    assert "same value" in schema.column("a").note and "all cells are missing" in schema.column("b").note
    assert schema.canonical(frame)["c_2"].tolist() == [6] * 12


def test_unique_names_never_collide() -> None:
    assert unique_names(["a", "a", "a_2", "", None])[0] == ["a", "a_3", "a_2", "column_4", "None"]


def test_empty_strings_are_missing_and_come_back_empty() -> None:
    frame = pd.DataFrame({"x": pd.Series(["a", "", "b", ""] * 4, dtype="str")})
    schema = Schema.infer(frame)
    assert schema.columns[0].missing and schema.columns[0].categories == ["a", "b"]
    pd.testing.assert_frame_equal(round_trip(frame), frame)


def test_violations_name_each_rule() -> None:
    frame = pd.DataFrame({"n": range(0, 40, 2), "r": [0.5, 1.0] * 10, "c": ["a", "b"] * 10})
    schema = Schema.infer(frame)
    rows = schema.canonical(frame)
    rows.loc[0, "n"] = 99
    rows.loc[1, "n"] = pd.NA
    rows.loc[1, "r"] = 0.567
    rows.loc[2, "c"] = "new"
    assert schema.violations(rows) == {"missing": 1, "range": 1, "category": 1, "decimals": 1}
    assert schema.broken(rows).tolist()[:4] == [True, True, True, False]


def test_refit_keeps_types_and_narrows_ranges() -> None:
    frame = pd.DataFrame({"n": [1, 2, 3, 100] * 5, "c": ["a", "b", "c", "z"] * 5})
    schema = Schema.infer(frame)
    small = schema.refit(schema.canonical(frame[frame["n"] < 100]))
    assert small.column("n").maximum == 3 and small.column("c").categories == ["a", "b", "c"]
    assert schema.column("n").maximum == 100
    assert small.canonical(frame)["c"].tolist()[3] == "z"


def test_canonical_names_what_does_not_fit() -> None:
    schema = Schema.infer(pd.DataFrame({"n": [1, 5, 3] * 4, "c": ["a", "b", "c"] * 4}))
    with pytest.raises(SchemaError, match="without c"):
        schema.canonical(pd.DataFrame({"n": [1]}))
    with pytest.raises(SchemaError, match="a number in every cell of column 'n', but got 'many' in row 2"):
        schema.canonical(pd.DataFrame({"n": ["1", "many"], "c": "a"}))
    with pytest.raises(SchemaError, match="whole number"):
        schema.canonical(pd.DataFrame({"n": [1.5], "c": "a"}))
    with pytest.raises(SchemaError, match="expected a column out of n, c, but got 'q'"):
        schema.column("q")


def test_canonical_rows_are_canonical_already() -> None:
    frame = pd.DataFrame(
        {"n": [1, 5, None] * 4, "d": ["2020-01-01", "2021-01-01", None] * 4, "b": [True, False, True] * 4}
    )
    schema = Schema.infer(frame)
    rows = schema.canonical(frame)
    pd.testing.assert_frame_equal(schema.canonical(rows), rows)


def test_restore_survives_missing_cells_where_there_were_none() -> None:
    frame = pd.DataFrame({"n": [1, 5, 3] * 4, "b": [True, False, True] * 4, "t": pd.Timestamp("2020-01-01")})
    schema = Schema.infer(frame)
    rows = schema.canonical(frame)
    rows.loc[0] = [pd.NA, None, pd.NA]
    restored = schema.restore(rows)
    assert restored.loc[0].isna().all() and restored.loc[1, "n"] == 5 and not restored.loc[1, "b"]


_words = st.text(alphabet=string.printable + "äé漢🎉\u05d0", min_size=1, max_size=12)
_cells = {
    "int64": st.integers(-(2**62), 2**62),
    "float64": st.floats(allow_nan=True, allow_infinity=False).map(lambda v: v + 0.0),
    "float32": st.floats(width=32, allow_nan=True, allow_infinity=False),
    "bool": st.booleans(),
    "str": st.one_of(_words, st.none()),
    "object": st.one_of(_words, st.none()),
    "Int64": st.one_of(st.integers(-(2**62), 2**62), st.none()),
    "boolean": st.one_of(st.booleans(), st.none()),
    "datetime64[us]": st.one_of(
        st.datetimes(datetime.datetime(1700, 1, 1), datetime.datetime(2200, 1, 1)), st.none()
    ),
}


@st.composite
def _frames(draw: st.DrawFn) -> pd.DataFrame:
    count = draw(st.integers(1, 12))
    kinds = draw(st.lists(st.sampled_from(sorted(_cells)), min_size=1, max_size=4))
    made = {
        f"{kind} {i}": pd.Series(draw(st.lists(_cells[kind], min_size=count, max_size=count)), dtype=kind)
        for i, kind in enumerate(kinds)
    }
    return pd.DataFrame(made)


@settings(max_examples=150, deadline=None)
@given(_frames())
def test_any_frame_comes_back(frame: pd.DataFrame) -> None:
    back = round_trip(frame)
    for name in frame:
        dated = Schema.infer(frame).column(str(name))
        if dated.kind in (Kind.datetime, Kind.integer, Kind.real) and dated.value_type == "str":
            continue  # strings that happen to read as numbers or dates are written in one form
        if dated.kind is Kind.category and dated.distinct == 0:
            assert back[name].isna().all()
            continue
        pd.testing.assert_series_equal(back[name], frame[name], check_exact=True)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.decimals(-9999, 9999, places=3), min_size=1, max_size=20))
def test_decimals_write_every_value(values: list[Any]) -> None:
    floats = np.array([float(v) for v in values])
    places, cut = decimals_of(floats)
    assert places <= 3 and not cut
    assert [float(f"{v:.{places}f}") for v in floats] == floats.tolist()


def test_large_tables_are_quick() -> None:
    rng, count = np.random.default_rng(0), 100_000
    frame = pd.DataFrame(
        {
            "i": rng.integers(0, 1000, count),
            "f": rng.normal(size=count),
            "c": rng.choice([f"c{i}" for i in range(20_000)], count),
            "d": pd.Series(np.datetime64("2000-01-01") + rng.integers(0, 9000, count)).astype(str),
            "id": [f"C{i:06d}" for i in range(count)],
        }
    )
    start = time.process_time()
    schema = Schema.infer(frame)
    schema.canonical(frame)
    assert time.process_time() - start < 5
    assert [c.kind.value for c in schema.columns] == ["integer", "real", "category", "datetime", "identifier"]
    assert "20,000 categories" in " ".join(schema.notes) or schema.column("c").distinct > 19_000
