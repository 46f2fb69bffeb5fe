"""Row formats: exact round trip, clear rejects, and exact ranges."""

from __future__ import annotations

import json
import re
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.columns import Column, Kind
from difflm.errors import ConfigError, SchemaError
from difflm.formats import cell_text
from difflm.formats.ranges import between, number_range_regex
from difflm.formats.table import CompactFormat, JsonFormat, TableFormat
from difflm.schema import Schema

FORMATS = [JsonFormat, CompactFormat]


def wide_schema() -> Schema:
    return Schema(
        columns=[
            Column(name="age", kind=Kind.integer, minimum=-5, maximum=120, missing=True),
            Column(name='a "price"', kind=Kind.real, decimals=2, minimum=-1.5, maximum=1200.25, missing=True),
            Column(name="job", kind=Kind.category, categories=["a", "b, c", 'say "x"', ""], missing=True),
            Column(name="id", kind=Kind.identifier),
            Column(name="yes", kind=Kind.boolean, categories=["True", "False"]),
            Column(name="day", kind=Kind.datetime, unit="D", minimum=0, maximum=20000, missing=True),
            Column(name="second", kind=Kind.datetime, unit="s", minimum=0, maximum=10**9),
            Column(name="note", kind=Kind.text, missing=True),
        ],
        target=None,
    )


def cells(column: Column) -> st.SearchStrategy[Any]:
    made: st.SearchStrategy[Any]
    if column.kind is Kind.integer:
        made = st.integers(-(2**63), 2**63 - 1)
    elif column.kind is Kind.real:
        made = st.integers(-(10**9), 10**9).map(lambda n: n / 100)
    elif column.kind is Kind.datetime:
        made = st.integers(0, 20000 if column.unit == "D" else 10**9)
    else:
        made = st.text() | st.sampled_from(
            ["", ",", '"', "\\", "\n", "null", "😀👩‍👩‍👧", "שלום, عالم", "\u2028", "\x00\x7f"]
        )
    return st.none() | made


def frame_of(schema: Schema, rows: list[dict[str, Any]]) -> pd.DataFrame:
    columns = [c for c in schema.columns if c.kind is not Kind.identifier]
    return pd.DataFrame({c.name: cell_text.series_of(c, [r[c.name] for r in rows]) for c in columns})


@pytest.mark.parametrize("kind", FORMATS)
@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_round_trip_is_exact(kind: type[TableFormat], data: st.DataObject) -> None:
    schema = wide_schema()
    one = st.fixed_dictionaries({c.name: cells(c) for c in schema.columns})
    frame = frame_of(schema, data.draw(st.lists(one, min_size=1, max_size=4)))
    form = kind(schema)
    texts = form.write_rows(frame)
    back, rejected = form.read_rows(texts)
    assert rejected == {}
    pd.testing.assert_frame_equal(back, frame)
    assert texts == [
        form.write({str(k): v for k, v in record.items()}) for record in frame.to_dict("records")
    ]


@settings(max_examples=100, deadline=None)
@given(value=st.floats(allow_nan=False, allow_infinity=False), decimals=st.integers(0, 15))
def test_reals_come_back_exactly(value: float, decimals: int) -> None:
    column = Column(name="x", kind=Kind.real, decimals=15, minimum=-1.0, maximum=1.0)
    text = cell_text.text_of(column.model_copy(update={"decimals": decimals}), value)
    assert cell_text.cell_of(column, text) == value
    assert re.fullmatch(r"-?[0-9]+(\.[0-9]+)?", str(text))


def test_texts_are_what_a_reader_expects() -> None:
    schema = wide_schema()
    record = {"age": 39, 'a "price"': 2.5, "job": "b, c", "yes": "True", "day": 1, "second": 61, "note": None}
    text = JsonFormat(schema).write(record)
    assert text == (
        '{"age": 39, "a \\"price\\"": 2.50, "job": "b, c", "yes": "True", "day": "1970-01-02", '
        '"second": "1970-01-01T00:01:01", "note": null}'
    )
    assert json.loads(text)["note"] is None
    assert CompactFormat(schema).write(record) == '39,2.50,"b, c",True,1970-01-02,1970-01-01T00:01:01,'


def test_missing_is_not_the_empty_string() -> None:
    schema = Schema(columns=[Column(name="t", kind=Kind.text, missing=True)], target=None)
    for kind in FORMATS:
        assert kind(schema).write({"t": None}) != kind(schema).write({"t": ""})
        assert kind(schema).read(kind(schema).write({"t": ""})) == {"t": ""}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "no JSON object"),
        ("[1, 2]", "no JSON object"),
        ('{"n": NaN, "c": "a", "d": "1970-01-01"}', "no JSON object"),
        ('{"n": 1, "c": "a"}', "other columns"),
        ('{"n": 1, "n": 2, "c": "a", "d": "1970-01-01"}', "other columns"),
        ('{"n": "1", "c": "a", "d": "1970-01-01"}', "n is no number"),
        ('{"n": 1.5, "c": "a", "d": "1970-01-01"}', "n is no integer"),
        ('{"n": 99999999999999999999, "c": "a", "d": "1970-01-01"}', "n is no integer"),
        ('{"n": 1, "c": 3, "d": "1970-01-01"}', "c is no string"),
        ('{"n": 1, "c": "a", "d": "1970-02-30"}', "d is no date"),
    ],
)
def test_json_rejects_say_why(text: str, reason: str) -> None:
    _, rejected = JsonFormat(small_schema()).read_rows([text])
    assert reason in rejected[0]


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("1,a", "other than 3 values"),
        ("1,a,1970-01-01,", "other than 3 values"),
        ('"1",a,1970-01-01', "n is a string"),
        ('1,a"b,1970-01-01', "needs quotes"),
        ('1,"a,1970-01-01', "needs quotes"),
        ("1x,a,1970-01-01", "n is no integer"),
        ("1,a,1970-1-1", "d is no date"),
        ("1,a,NaT", "d is no date"),
    ],
)
def test_compact_rejects_say_why(text: str, reason: str) -> None:
    _, rejected = CompactFormat(small_schema()).read_rows([text])
    assert reason in rejected[0]


def small_schema() -> Schema:
    return Schema(
        columns=[
            Column(name="n", kind=Kind.integer, minimum=0, maximum=10),
            Column(name="c", kind=Kind.category, categories=["a"]),
            Column(name="d", kind=Kind.datetime, unit="D", minimum=0, maximum=10),
        ],
        target=None,
    )


def test_strict_reading_holds_the_schemas_limits() -> None:
    form = CompactFormat(small_schema())
    rows = ["1,a,1970-01-01", "11,a,1970-01-01", "1,b,1970-01-01", ",a,1970-01-01"]
    assert form.read_rows(rows)[1] == {}
    frame, rejected = form.read_rows(rows, strict=True)
    assert len(frame) == 1
    assert rejected == {1: "n is out of range", 2: "c is no known category", 3: "n is missing"}


def test_nothing_to_learn_and_impossible_conditions_are_refused() -> None:
    with pytest.raises(SchemaError):
        JsonFormat(Schema(columns=[Column(name="id", kind=Kind.identifier)], target=None))
    with pytest.raises(ConfigError, match="column c can have"):
        JsonFormat(small_schema()).grammar({"c": ["b"]})
    with pytest.raises(ConfigError, match="learned"):
        JsonFormat(small_schema()).grammar({"other": ["b"]})


@settings(max_examples=150, deadline=None)
@given(
    bounds=st.tuples(st.integers(-3000, 3000), st.integers(-3000, 3000)),
    decimals=st.integers(0, 4),
    near=st.integers(-3, 3),
)
def test_number_range_is_exact(bounds: tuple[int, int], decimals: int, near: int) -> None:
    low, high = min(bounds), max(bounds)
    pattern = re.compile(number_range_regex(low, high, decimals))
    for n in {low + near, high + near, near, (low + high) // 2, low * 10 + near, high // 10}:
        digits = str(abs(n)).zfill(decimals + 1)
        text = ("-" if n < 0 else "") + digits[: len(digits) - decimals]
        text += "." + digits[-decimals:] if decimals else ""
        assert bool(pattern.fullmatch(text)) == (low <= n <= high), (text, pattern.pattern)
        assert not pattern.fullmatch("0" + text)
    assert not pattern.fullmatch("-0")


@settings(max_examples=150, deadline=None)
@given(
    bounds=st.tuples(st.integers(-3000, 3000), st.integers(-3000, 3000)),
    decimals=st.integers(1, 4),
    near=st.integers(-3, 3),
    drop=st.integers(0, 5),
)
def test_number_range_with_fewer_decimals_is_exact(
    bounds: tuple[int, int], decimals: int, near: int, drop: int
) -> None:
    low, high = min(bounds), max(bounds)
    pattern = re.compile(number_range_regex(low, high, decimals, shorter=True))
    for n in {low + near, high + near, near, (low + high) // 2, low * 10 + near, high // 10 * 10}:
        digits = str(abs(n)).zfill(decimals + 1)
        whole, fraction = digits[:-decimals], digits[-decimals:]
        kept = max(len(fraction.rstrip("0")), decimals - drop)
        text = ("-" if n < 0 else "") + whole + ("." + fraction[:kept] if kept else "")
        assert bool(pattern.fullmatch(text)) == (low <= n <= high), (text, pattern.pattern)
        assert "." not in text or not pattern.fullmatch(text + "0" * (decimals + 1))
    assert not pattern.fullmatch("-0") and not pattern.fullmatch("1.")


def test_number_range_by_exhaustion_and_at_the_ends_of_64_bits() -> None:
    for low, high in [(0, 0), (7, 123), (-45, -8), (-12, 1005), (99, 101)]:
        pattern = re.compile(number_range_regex(low, high))
        matching = [n for n in range(-2000, 2000) if pattern.fullmatch(str(n))]
        assert matching == list(range(low, high + 1))
    wide = re.compile(number_range_regex(-(2**63), 2**63 - 1))
    assert wide.fullmatch(str(2**63 - 1)) and wide.fullmatch(str(-(2**63)))
    assert not wide.fullmatch(str(2**63)) and not wide.fullmatch(str(-(2**63) - 1))


def test_date_ranges_are_exact_and_know_the_calendar() -> None:
    low, high = (int(np.datetime64(day, "D").astype(int)) for day in ("1899-11-28", "2004-03-01"))
    column = Column(name="d", kind=Kind.datetime, unit="D", minimum=low, maximum=high)
    inside = re.compile(str(cell_text.range_regex(column)))
    real = re.compile(str(cell_text.calendar_regex(column)))
    for count in range(low - 500, high + 500):
        text = str(np.datetime64(count, "D"))
        assert real.fullmatch(text)
        assert bool(inside.fullmatch(text)) == (low <= count <= high)
    assert not real.fullmatch("1900-02-29") and not real.fullmatch("2023-04-31")
    with pytest.raises(SchemaError):
        between("10", "1.0")
