"""Cells as canonical strings and numbers, whatever dtype they come in.

n cells; every function takes a Series and returns arrays of n entries in the same order.
"""

from __future__ import annotations

import datetime
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difflm.columns import ValueType

MISSING_WORDS = frozenset(
    ["na", "n/a", "#n/a", "<na>", "nan", "null", "none", "nil", "missing", "-", "--", "?", "."]
)
"""Lower-case words that mean missing in a column of numbers or dates; elsewhere they stay categories."""

EXACT = 2.0**53
"""Integers below this are exact as float64."""

INFERRED: dict[str, ValueType] = {
    "boolean": "bool",
    "integer": "int",
    "floating": "float",
    "mixed-integer-float": "float",
    "decimal": "float",
    "date": "datetime",
    "datetime": "datetime",
    "datetime64": "datetime",
}


class Numbers(NamedTuple):
    """Parsed cells (n,): values are int64 where all are whole, else float64; bad ones do not parse."""

    values: NDArray[Any]
    known: NDArray[np.bool_]
    bad: NDArray[np.bool_]
    infinite: int


def unwrapped(series: pd.Series) -> pd.Series:
    """The series without a categorical wrapper."""
    if isinstance(series.dtype, pd.CategoricalDtype):
        return series.astype(series.dtype.categories.dtype)
    return series


def storage(series: pd.Series) -> tuple[ValueType, str, str]:
    """Value type, dtype name and inferred content of a column; objects are judged by their cells."""
    dtype = str(series.dtype)
    series = unwrapped(series)
    if pd.api.types.is_bool_dtype(series.dtype):
        return "bool", dtype, "boolean"
    if pd.api.types.is_integer_dtype(series.dtype):
        return "int", dtype, "integer"
    if pd.api.types.is_float_dtype(series.dtype):
        return "float", dtype, "floating"
    if pd.api.types.is_datetime64_any_dtype(series.dtype):
        return "datetime", dtype, "datetime64"
    if series.dtype != object:
        return "str", dtype, "string"
    content = pd.api.types.infer_dtype(series, skipna=True)
    return INFERRED.get(content, "str"), "date" if content == "date" else dtype, content


def text_of(cell: Any) -> str | None:
    """The canonical string of one cell; None where it is missing or empty."""
    if isinstance(cell, str):
        return cell or None
    if cell is None or cell is pd.NA or cell is pd.NaT:
        return None
    if isinstance(cell, (bool, np.bool_)):
        return "True" if cell else "False"
    if isinstance(cell, (int, np.integer)):
        return str(int(cell))
    if isinstance(cell, (float, np.floating)):
        return _text_of_float(cell)
    if isinstance(cell, (datetime.date, np.datetime64)):
        return pd.Timestamp(cell).isoformat()
    if isinstance(cell, (Mapping, list, tuple, np.ndarray)):
        return json.dumps(plain(cell), ensure_ascii=False, default=plain)
    if isinstance(cell, bytes):
        return cell.decode("utf-8", errors="replace") or None
    return str(cell) or None


def plain(value: Any) -> Any:
    """What numpy and Arrow put into nested cells, as JSON knows it; strings of what it does not know."""
    if hasattr(value, "tolist"):
        return value.tolist()
    return value if isinstance(value, (Mapping, list, tuple)) else str(value)


def _text_of_float(cell: Any) -> str | None:
    value = float(cell)
    if not np.isfinite(value):
        return None
    if value.is_integer() and abs(value) < EXACT:
        return str(int(value))
    return str(cell) if isinstance(cell, np.floating) else repr(value)


def strings(series: pd.Series) -> NDArray[np.object_]:
    """Canonical strings (n,), None where missing or empty."""
    series = unwrapped(series)
    if series.dtype == object:
        return _objects([text_of(cell) for cell in series.array])
    # Equal cells share one string: a column of categories costs a pointer a row.
    codes, uniques = pd.factorize(series)
    return _objects([*(text_of(cell) for cell in uniques), None])[codes]


def _objects(cells: list[Any]) -> NDArray[np.object_]:
    made = np.empty(len(cells), dtype=object)
    made[:] = cells
    return made


def numbers(series: pd.Series) -> Numbers:
    """Cells as numbers; infinities and missing words count as missing."""
    series = unwrapped(series)
    known = series.notna().to_numpy(dtype=bool, copy=True)
    if pd.api.types.is_numeric_dtype(series.dtype):
        values = series.to_numpy()[known] if known.all() else series[known].to_numpy()
        if pd.api.types.is_bool_dtype(series.dtype):
            values = values.astype(np.int64)
        bad = np.zeros(len(series), dtype=bool)
    else:
        cells = strings(series)
        known = np.array([cell is not None for cell in cells], dtype=bool)
        words = np.array([c is not None and c.strip().lower() in MISSING_WORDS for c in cells], dtype=bool)
        known &= ~words
        parsed = pd.to_numeric(pd.Series(cells[known], dtype=object), errors="coerce")
        failed = parsed.isna().to_numpy(dtype=bool)
        bad = np.zeros(len(series), dtype=bool)
        bad[np.flatnonzero(known)[failed]] = True
        known &= ~bad
        values = parsed.to_numpy()[~failed]
    values, finite = _finite(np.asarray(values))
    positions = np.flatnonzero(known)
    known[positions[~finite]] = False
    whole = np.zeros(len(series), dtype=values.dtype)
    whole[positions[finite]] = values
    return Numbers(whole, known, bad, int((~finite).sum()))


def _finite(values: NDArray[Any]) -> tuple[NDArray[Any], NDArray[np.bool_]]:
    """The finite values, int64 where all are whole and exact, and which of the given ones those are."""
    if values.dtype.kind in "iu" and (not len(values) or values.max() <= np.iinfo(np.int64).max):
        return values.astype(np.int64), np.ones(len(values), dtype=bool)
    single = values.dtype == np.float32
    values = values.astype(np.float64)
    finite = np.isfinite(values)
    values = values[finite]
    if len(values) and bool(np.all((np.abs(values) < EXACT) & (values == np.rint(values)))):
        return values.astype(np.int64), finite
    return (_shortest(values) if single else values), finite


def _shortest(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """float32 values as the float64 of their shortest decimal form, so that 0.1f is 0.1."""
    made = values.copy()
    open_ = np.ones(len(values), dtype=bool)
    for places in range(10):
        rounded = np.round(values, places)
        hit = open_ & (rounded.astype(np.float32) == values.astype(np.float32))
        made[hit], open_[hit] = rounded[hit], False
    return made


def decimals_of(values: NDArray[np.float64], most: int = 15) -> tuple[int, bool]:
    """Decimals that write every value exactly, and whether `most` cut them short.

    round(v, d) is correctly rounded while v * 10**d is below 2**53; beyond that d decimals say
    more than the float holds.
    """
    remaining = np.unique(values)
    largest = float(np.abs(remaining).max(initial=0.0))
    if 0 < largest < 1e-6:
        most = min(300, 15 - int(np.floor(np.log10(largest))))
    for places in range(most + 1):
        remaining = remaining[np.abs(remaining) < EXACT / 10.0**places]
        remaining = remaining[np.round(remaining, places) != remaining]
        if not len(remaining):
            return places, False
    return most, True
