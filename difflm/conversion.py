"""Cells between their original dtype and the canonical form that everything inside works on.

Canonical: integer Int64; real float64 with NaN; category, boolean, text, identifier object str or
None; datetime Int64 counts of the column's unit since 1970-01-01.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difflm import dates
from difflm.cells import MISSING_WORDS, numbers, storage, strings
from difflm.columns import Column, Kind
from difflm.errors import DataError, SchemaError

RowLike = pd.Series | pd.DataFrame | Mapping[str, Any]


def canonical_cells(column: Column, series: pd.Series) -> pd.Series:
    """Canonical cells (n,) of an original or canonical series; SchemaError where cells do not parse."""
    if column.kind in (Kind.integer, Kind.real):
        return _numeric(column, series)
    if column.kind is Kind.datetime:
        return _moments(column, series)
    return pd.Series(strings(series), dtype=object)


def restored_cells(column: Column, cells: pd.Series) -> pd.Series:
    """Cells (n,) in the original dtype. Where that dtype cannot hold a missing or new value, the
    nearest one that can is used."""
    if column.kind is Kind.integer:
        return _cast(_from_integers(column, cells), column)
    if column.kind is Kind.real:
        values = cells.astype("float64")
        if column.value_type == "str":
            return _cast(pd.Series(strings(values), dtype=object), column)
        return _cast(values, column)
    if column.kind is Kind.datetime:
        return _from_counts(column, cells)
    return _cast(_from_strings(column, cells), column)


def as_written(column: Column, value: float) -> str:
    """A number of the canonical form for people: a date as the table writes it, others short."""
    if column.kind is not Kind.datetime:
        return f"{value:.4g}"
    made = restored_cells(column, pd.Series([round(value)], dtype="Int64"))
    return str(made.iloc[0]).removesuffix(" 00:00:00")


def _numeric(column: Column, series: pd.Series) -> pd.Series:
    values, known, bad, _ = numbers(series)
    if bad.any() and not column.lenient:
        _refuse(column, series, bad, "a number")
    if column.kind is Kind.real:
        return pd.Series(np.where(known, values.astype(np.float64), np.nan))
    if values.dtype.kind == "f":
        # Counts out of a table program may carry rounding dust, but 1.5 is no integer.
        near = np.rint(values)
        off = known & ((np.abs(values - near) > 1e-9) | (np.abs(near) >= 2.0**63))
        if off.any() and not column.lenient:
            _refuse(column, series, off, "a whole number")
        known = known & ~off
        values = np.where(known, near, 0).astype(np.int64)
    return pd.Series(pd.arrays.IntegerArray(values.astype(np.int64), ~known))


def _moments(column: Column, series: pd.Series) -> pd.Series:
    """Counts of the column's unit; an integer series is taken as counts already."""
    value_type, _, _ = storage(series)
    unit = column.unit or "s"
    if value_type in ("int", "float") or (value_type == "str" and series.isna().all()):
        values, known, _, _ = numbers(series)
        return pd.Series(pd.arrays.IntegerArray(values.astype(np.int64), ~known))
    if value_type == "datetime":
        stamps = naive(series)
        known = np.asarray(stamps.notna())
    else:
        codes, uniques = pd.factorize(strings(series))
        words = np.array([cell.strip().lower() in MISSING_WORDS for cell in uniques], dtype=bool)
        read = dates.parse_any(_blanked(np.asarray(uniques, dtype=object), ~words), column.datetime_format)
        stamps = pd.DatetimeIndex(read.append(pd.DatetimeIndex([pd.NaT])))[codes]
        known = (codes >= 0) & ~np.append(words, True)[codes]
        bad = known & np.asarray(stamps.isna())
        if bad.any() and not column.lenient:
            like = f" like {column.datetime_format}" if column.datetime_format else ""
            _refuse(column, series, bad, f"a date{like}")
        known = known & ~bad
    return pd.Series(pd.arrays.IntegerArray(dates.counts(stamps, unit), ~known))


def naive(series: pd.Series) -> pd.DatetimeIndex:
    """Datetimes or dates as a DatetimeIndex without a time zone (zones become UTC)."""
    if series.dtype == object:
        series = pd.to_datetime(series, errors="coerce", utc=True)
    index = pd.DatetimeIndex(series)
    return index.tz_convert("UTC").tz_localize(None) if index.tz is not None else index


def _blanked(cells: NDArray[np.object_], known: NDArray[np.bool_]) -> NDArray[np.object_]:
    made = cells.copy()
    made[~known] = None
    return made


def _refuse(column: Column, series: pd.Series, bad: NDArray[np.bool_], wanted: str) -> None:
    first = int(np.flatnonzero(bad)[0])
    shown = repr(series.iloc[first])
    raise SchemaError(
        f"{wanted} in every cell of column {column.name!r}",
        f"{shown[:60]} in row {first + 1} ({int(bad.sum())} such cells)",
        "repair these cells or set the kind of the column to category",
    )


def _from_integers(column: Column, cells: pd.Series) -> pd.Series:
    if column.value_type == "str":
        return pd.Series(strings(cells.astype("Int64")), dtype=object)
    if column.value_type == "bool":
        return cells.astype("Int64").map({0: False, 1: True})
    if column.value_type == "float":
        return cells.astype("Float64").astype("float64")
    return cells.astype("Int64")


def _from_strings(column: Column, cells: pd.Series) -> pd.Series:
    if column.value_type == "str":
        return cells.astype(object)
    codes, uniques = pd.factorize(cells.astype(object))
    try:
        made: list[Any] = [_value(column, text) for text in uniques]
    except ValueError:
        return cells.astype(object)
    values = np.empty(len(made) + 1, dtype=object)
    values[:-1], values[-1] = made, None
    if column.value_type == "datetime":
        return pd.to_datetime(pd.Series(values[codes], dtype=object))
    return pd.Series(values[codes], dtype=object)


def _value(column: Column, text: Any) -> Any:
    if column.value_type == "bool":
        if text not in ("True", "False"):
            raise ValueError(text)
        return text == "True"
    if column.value_type == "int":
        return int(text)
    return float(text) if column.value_type == "float" else pd.Timestamp(text)


def _from_counts(column: Column, cells: pd.Series) -> pd.Series:
    unit = column.unit or "s"
    known = cells.notna().to_numpy(dtype=bool)
    k = np.asarray(cells.astype("Int64").fillna(0), dtype=np.int64)
    if column.value_type == "str":
        written = dates.write(k, unit, column.datetime_format or "%Y-%m-%d %H:%M:%S")
        return _cast(pd.Series(_blanked(written, known), dtype=object), column)
    stamps = pd.Series(dates.stamps_of(k, unit)).where(known)
    if column.dtype == "date":
        return stamps.dt.date.where(known, None).astype(object)
    if "," in column.dtype:
        stamps = stamps.dt.tz_localize("UTC")
    return _cast(stamps, column)


def _cast(cells: pd.Series, column: Column) -> pd.Series:
    """`cells` in the column's dtype; unchanged where it cannot hold them."""
    if column.blank:
        cells = cells.astype(object).where(cells.notna(), "")
    dtype: Any = "object" if column.dtype == "date" else column.dtype
    if dtype == "object" and cells.dtype != object:
        return cells.astype(object).where(cells.notna(), None)
    if dtype in ("str", "string"):
        return cells.astype(dtype)
    try:
        cast = cells.astype(dtype)
    except (TypeError, ValueError, OverflowError):
        return cells
    if dtype == "bool" and cells.isna().any():
        return cells
    return cast


def one_row(row: RowLike) -> pd.DataFrame:
    """A frame of one row."""
    if isinstance(row, pd.DataFrame):
        if len(row) != 1:
            raise DataError("a frame of one row", f"{len(row)} rows")
        return row.reset_index(drop=True)
    return pd.DataFrame([dict(row)])
