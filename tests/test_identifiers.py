"""Fresh identifiers follow the pattern, are unique, and are never real ones."""

from __future__ import annotations

import re
import uuid
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.errors import SchemaError
from difflm.identifiers import fresh_identifiers
from difflm.schema import Column, Kind, Schema


def identifier(cells: Any) -> Column:
    """The column of `cells`, taken as an identifier."""
    return Schema.infer(pd.DataFrame({"id": list(cells)}), kinds={"id": Kind.identifier}).columns[0]


@pytest.mark.parametrize(
    ("cells", "fresh"),
    [
        (range(1, 100), [100, 101, 102]),
        ([5, -3, 17], [18, 19, 20]),
        ([f"C-{i:05d}" for i in range(1, 50)], ["C-00050", "C-00051", "C-00052"]),
        ([f"C-{i}x" for i in range(1, 50)], ["C-50x", "C-51x", "C-52x"]),
        ([f"{{{i}}}" for i in range(5)], ["{5}", "{6}", "{7}"]),
        ([f"{i:04d}" for i in range(9990, 10000)], ["10000", "10001", "10002"]),
    ],
)
def test_running_numbers_go_on(cells: Any, fresh: list[Any]) -> None:
    assert fresh_identifiers(identifier(cells), cells, 3, seed=0) == fresh


@pytest.mark.parametrize(
    ("cells", "pattern"),
    [
        (
            [str(uuid.UUID(int=i * 7**43 % 2**128)) for i in range(50)],
            r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}",
        ),
        ([f"{'ABCD'[i % 4]}{i * 7 % 10}-{i:02d}X" for i in range(50)], r"[A-Z0-9]\d-\d\dX\d*"),
        ([f"+49 {170 + i % 5} {i * 99991 % 10**6:06d}" for i in range(50)], r"\+49 17\d \d{6}"),
        ([f"user{i}@mail{i % 3}.com" for i in range(50)], r"person\d+@example\.org"),
    ],
)
def test_patterns_are_kept(cells: list[str], pattern: str) -> None:
    made = fresh_identifiers(identifier(cells), cells, 200, seed=1)
    assert len(set(made)) == 200 and not set(made) & set(cells)
    assert all(re.fullmatch(pattern, text) for text in made)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.text(alphabet="abC019-", min_size=1, max_size=4), min_size=1, max_size=30, unique=True),
    st.integers(0, 3),
)
def test_fresh_for_any_strings(cells: list[str], seed: int) -> None:
    made = fresh_identifiers(identifier(cells), cells, 40, seed)
    assert len(set(map(str, made))) == 40 and not set(map(str, made)) & set(cells)


def test_streams_continue_where_they_stopped() -> None:
    for cells in (range(20), [f"{c}{i % 7}{c}" for i, c in enumerate("qwertzuiop")]):
        column = identifier(cells)
        whole = fresh_identifiers(column, None, 50, seed=3)
        assert whole[20:] == fresh_identifiers(column, None, 30, seed=3, start=20)
        assert whole[:20] == fresh_identifiers(column, None, 20, seed=3)


def test_restored_ids_have_their_type() -> None:
    frame = pd.DataFrame({"id": range(100, 140), "x": [1, 2] * 20})
    schema = Schema.infer(frame)
    rows = schema.canonical(frame)
    rows["id"] = pd.Series(fresh_identifiers(schema.column("id"), None, 40, 0), dtype=object)
    restored = schema.restore(rows)["id"]
    assert restored.dtype == "int64" and restored.iloc[0] == 140


def test_a_column_without_pattern_is_refused() -> None:
    with pytest.raises(SchemaError, match="identifier column with a pattern"):
        fresh_identifiers(Column(name="x", kind=Kind.identifier), None, 1, 0)
