"""Canonical cells as plain text and back: one form for each kind of column.

Integers in decimal, reals with the column's decimals, datetimes in ISO 8601 to their unit, all else
as it is. A missing cell is None on both sides.
"""

from __future__ import annotations

import re
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

import numpy as np
import pandas as pd

from difflm.columns import Column, Kind
from difflm.errors import DataError
from difflm.formats.ranges import CALENDAR, CLOCK, between, number_range_regex

NUMERIC = (Kind.integer, Kind.real)
STRINGS = (Kind.category, Kind.boolean, Kind.text)
FIXED_DECIMALS = 4
"""Up to these decimals all numbers of a column are filled up with zeros; beyond, zeros would drown them."""
MOST_DECIMALS = 15
"""Decimals at which schema inference stops: a column that has them may hold finer values."""
MORE_DECIMALS = 8
"""Decimals beyond those that the numbers of such a column may still have."""

_INTEGER = re.compile("-?(?:0|[1-9][0-9]{0,18})")
_REAL = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.([0-9]+))?")
_EXACT = Context(prec=800)


def texts(column: Column, cells: pd.Series) -> list[str | None]:
    """Plain texts (n,) of canonical cells (n,); equal cells are written once."""
    codes, uniques = pd.factorize(cells)
    written = np.array([*(text_of(column, cell) for cell in uniques), None], dtype=object)
    made: list[str | None] = written[codes].tolist()
    return made


def text_of(column: Column, cell: Any) -> str | None:
    """Plain text of one canonical cell; reals always come back exactly, whatever decimals they have."""
    if cell is None or pd.isna(cell):
        return None
    if column.kind in STRINGS:
        return str(cell)
    if column.kind is Kind.real:
        return _fixed(float(cell), column.decimals)
    return _iso(int(cell), column) if column.kind is Kind.datetime else str(int(cell))


def cell_of(column: Column, text: str | None) -> Any:
    """Canonical cell of a plain text; raises DataError where it has not the column's form."""
    if text is None or column.kind in STRINGS:
        return text
    if column.kind is Kind.real:
        return _read_real(column, text)
    if column.kind is Kind.datetime and has_iso(column):
        return _read_iso(column, text)
    if not _INTEGER.fullmatch(text) or not -(2**63) <= int(text) < 2**63:
        raise DataError(f"{column.name} is no integer")
    return int(text)


def check(column: Column, cell: Any) -> None:
    """Raise DataError where a canonical cell is outside what the schema allows."""
    if cell is None:
        if not column.missing:
            raise DataError(f"{column.name} is missing")
    elif column.categories is not None and column.kind in STRINGS:
        if cell not in column.categories:
            raise DataError(f"{column.name} is no known category")
    elif column.kind not in STRINGS and not _least(column) <= cell <= _most(column):
        raise DataError(f"{column.name} is out of range")


def _least(column: Column) -> float:
    return -np.inf if column.minimum is None else column.minimum


def _most(column: Column) -> float:
    return np.inf if column.maximum is None else column.maximum


def series_of(column: Column, cells: list[Any]) -> pd.Series:
    """Canonical cells as a column of the canonical frame."""
    if column.kind in STRINGS:
        return pd.Series(cells, dtype=object)
    if column.kind is Kind.real:
        return pd.Series([np.nan if cell is None else cell for cell in cells], dtype=np.float64)
    return pd.Series(pd.array(cells, dtype="Int64"))


def range_regex(column: Column) -> str | None:
    """Texts of a number or datetime inside the column's range; None where it has only missing cells."""
    low, high = column.minimum, column.maximum
    if low is None or high is None:
        return None
    if column.kind is Kind.real:
        shorter = column.decimals > FIXED_DECIMALS
        decimals = max(_places(low), _places(high), _most_places(column)) if shorter else column.decimals
        first, last = _scaled(low, decimals, ROUND_CEILING), _scaled(high, decimals, ROUND_FLOOR)
        return number_range_regex(first, last, decimals, shorter)
    if column.kind is Kind.datetime and has_iso(column):
        return between(_iso(int(low), column), _iso(int(high), column))
    return number_range_regex(int(low), int(high))


def calendar_regex(column: Column) -> str | None:
    """Dates that exist, for an ISO datetime column; its range regex alone would allow February 31."""
    if column.kind is not Kind.datetime or not has_iso(column):
        return None
    return CALENDAR + CLOCK.get(column.unit or "D", "")


def has_iso(column: Column) -> bool:
    """Whether the column's datetimes lie in the years that ISO 8601 writes with four digits."""
    if column.minimum is None or column.maximum is None:
        return True
    unit = column.unit or "D"
    days = ("1678-01-01", "2262-01-01") if unit == "ns" else ("0001-01-01", "9999-12-31")
    first, last = (int(np.datetime64(day, unit).astype(np.int64)) for day in days)
    return first <= column.minimum and column.maximum <= last


def _fixed(value: float, decimals: int) -> str:
    """The shortest exact form of `value`, filled up with zeros where the column has a few decimals."""
    text = format(Decimal(repr(value + 0.0)), "f").removesuffix(".0")
    whole, _, fraction = text.partition(".")
    if decimals <= FIXED_DECIMALS:
        fraction = fraction.ljust(decimals, "0")
    return f"{whole}.{fraction}" if fraction else whole


def _places(value: float) -> int:
    return len(_fixed(value, 0).partition(".")[2])


def _most_places(column: Column) -> int:
    """Decimals that a generated real may have: more where inference gave up counting."""
    return column.decimals if column.decimals < MOST_DECIMALS else column.decimals + MORE_DECIMALS


def _scaled(value: float, decimals: int, rounding: str) -> int:
    exact = Decimal(repr(value)).scaleb(decimals, _EXACT)
    return int(exact.to_integral_value(rounding))


def _read_real(column: Column, text: str) -> float:
    found = _REAL.fullmatch(text)
    value = float(text) if found else np.inf
    if not np.isfinite(value) or found is None:
        raise DataError(f"{column.name} is no number")
    if column.decimals < MOST_DECIMALS and len(found[1] or "") > column.decimals:
        raise DataError(f"{column.name} has more than {column.decimals} decimals")
    return value + 0.0


def _iso(count: int, column: Column) -> str:
    return str(np.datetime64(count, column.unit or "D")) if has_iso(column) else str(count)


def _read_iso(column: Column, text: str) -> int:
    unit = column.unit or "D"
    if not re.fullmatch(calendar_regex(column) or "", text) or text.startswith("0000"):
        raise DataError(f"{column.name} is no date of the form {np.datetime64(0, unit)}")
    return int(np.datetime64(text, unit).astype(np.int64))
