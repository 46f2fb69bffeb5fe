"""What kind of column this is: inference from dtype, content and name, on distinct values."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difflm import dates
from difflm.cells import MISSING_WORDS, Numbers, decimals_of, numbers, storage, strings
from difflm.columns import Column, Kind
from difflm.conversion import naive
from difflm.errors import SchemaError
from difflm.identifiers import with_pattern
from difflm.personal import likely_personal

MANY_CATEGORIES = 1_000
LONG_TEXT = 1_000
"""A string longer than this makes its column text."""

BOOLEANS = [frozenset(pair.split()) for pair in ("true false", "yes no", "y n", "t f", "on off", "ja nein")]
_SAMPLE = 200
_ID_NAME = re.compile(
    r"(^|[ _.-])(id|ids|uuid|guid|key|index|idx|nr|no|number|rownum|row|record)$|^unnamed: ?0$"
)
_TIME_NAME = re.compile(r"year|date|time|month|day|week|hour|jahr|period|quarter|epoch|age")
_CODE = re.compile(r"[\w.:@+#/-]{1,64}|[\d ()+/.-]{5,30}|[A-Z]{2}\d{2}[A-Z0-9 ]{10,40}")
_ZERO_LED = re.compile(r"\s*[+-]?0\d")


class _Strings:
    """Distinct strings of a column and how many of its cells hold one."""

    def __init__(self, series: pd.Series) -> None:
        self.cells = strings(series)
        codes, uniques = pd.factorize(self.cells)
        self.uniques: NDArray[np.object_] = np.asarray(uniques, dtype=object)
        self.known = int((codes >= 0).sum())
        spread = np.linspace(0, len(uniques) - 1, min(len(uniques), _SAMPLE)).astype(int)
        self.sample = self.uniques[spread]
        self.lengths = np.fromiter(map(len, self.uniques), dtype=np.int64, count=len(self.uniques))

    @property
    def share(self) -> float:
        """Distinct values per known cell."""
        return len(self.uniques) / max(self.known, 1)


def infer_column(name: str, series: pd.Series, kind: Kind | None = None) -> Column:
    """Kind and storage of one column; `kind` overrules the guess. Ranges are left to the schema."""
    value_type, dtype, content = storage(series)
    column = Column(name=name, kind=kind or Kind.category, value_type=value_type, dtype=dtype)
    if pd.api.types.is_complex_dtype(series.dtype):
        raise SchemaError("numbers, strings, booleans or dates", f"complex numbers in {name!r}", "drop it")
    if series.isna().all():
        column.note, column.missing = "all cells are missing", True
        if value_type == "datetime":
            column.value_type = "str"
        return column
    if value_type == "bool":
        column.kind = kind or Kind.boolean
    elif value_type in ("int", "float"):
        column = _numeric(column, numbers(series), kind)
    elif value_type == "datetime":
        column.kind = kind or Kind.datetime
        column.unit = dates.unit_of(naive(series))
    else:
        column = _of_strings(column, series, kind)
        if content.startswith("mixed"):
            column = _noted(column, "values of several types: all are taken as strings")
    if kind is Kind.datetime and column.unit is None:
        column = _forced_datetime(column, series)
    if column.kind is Kind.identifier:
        column = with_pattern(column, _Strings(series).uniques)
    return column


def _noted(column: Column, note: str) -> Column:
    column.note = "; ".join(part for part in (column.note, note) if part)
    return column


def _numeric(column: Column, parsed: Numbers, kind: Kind | None) -> Column:
    """Integer, real or identifier, for numbers that are stored as such or as strings."""
    values = parsed.values[parsed.known]
    whole = values.dtype.kind == "i"
    if kind is not None:
        column.kind = kind
    elif whole and column.value_type != "float" and _runs(column.name, values, len(parsed.known)):
        column.kind = Kind.identifier
    else:
        column.kind = Kind.integer if whole else Kind.real
    if parsed.infinite:
        column = _noted(column, f"{parsed.infinite} infinite values count as missing")
    if parsed.bad.any() and kind in (Kind.integer, Kind.real):
        column.lenient = True
        column = _noted(column, f"{int(parsed.bad.sum())} cells that are no number count as missing")
    if column.kind is Kind.integer and not whole:
        column.lenient = True
        column = _noted(column, "cells that are no whole number count as missing")
    if column.kind is Kind.real:
        column.decimals, cut = decimals_of(values.astype(np.float64))
        if cut:
            column = _noted(column, f"full-precision numbers: written with {column.decimals} decimals")
    return column


def _runs(name: str, values: NDArray[np.int64], rows: int) -> bool:
    """Unique integers that are named like an id, or fill their range as a running number does."""
    if len(values) < rows or rows < 2:
        return False
    plain = _plain(name)
    dense = rows >= 20 and int(values.max()) - int(values.min()) + 1 <= 1.5 * rows
    if not _ID_NAME.search(plain) and (not dense or _TIME_NAME.search(plain)):
        return False
    return len(np.unique(values)) == rows


def _plain(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def _of_strings(column: Column, series: pd.Series, kind: Kind | None) -> Column:
    found = _Strings(series)
    if not found.known:
        column.note, column.missing, column.blank = "all cells are missing", True, True
        return column
    empty = (series == "").fillna(False).to_numpy(dtype=bool)
    column.blank = bool(empty.any()) and not bool(series.isna().any())
    meaning = likely_personal(column.name, found.uniques)
    if meaning and kind not in (Kind.integer, Kind.real, Kind.datetime):
        column.personal = True
        column = _noted(column, f"likely personal data ({meaning})")
    if kind in (Kind.integer, Kind.real):
        return _numeric(column, numbers(series), kind)
    if kind in (None, Kind.datetime):
        dated = dates.find_format(_without_missing_words(found.uniques))
        if dated is not None:
            column.kind, column.datetime_format = Kind.datetime, dated.format
            column.unit = dates.unit_of(dates.parse_any(_without_missing_words(found.uniques), dated.format))
            return _noted(column, dated.note)
    if kind is not None:
        column.kind = kind
        return column
    if _numeric_strings(found):
        return _numeric(column, numbers(series), None)
    column.kind = _kind_of(column.name, found, len(series))
    if column.kind is Kind.category and len(found.uniques) > MANY_CATEGORIES:
        column = _noted(column, f"{len(found.uniques):,} categories: rare ones are learned poorly")
    if int(found.lengths.max()) > LONG_TEXT:
        column = _noted(
            column, f"cells of up to {found.lengths.max():,} characters: only the start is learned"
        )
    return _odd_ones(column, found)


def _without_missing_words(uniques: NDArray[np.object_]) -> NDArray[np.object_]:
    kept = [cell for cell in uniques if cell.strip().lower() not in MISSING_WORDS]
    return np.array(kept, dtype=object)


def _numeric_strings(found: _Strings) -> bool:
    """Whether all distinct strings are numbers or missing words, none with a leading zero (a code)."""

    def fits(cells: NDArray[np.object_]) -> bool:
        parsed = numbers(pd.Series(cells, dtype=object))
        return bool(parsed.known.any() and not parsed.bad.any())

    if not fits(found.sample) or not fits(found.uniques):
        return False
    return not any(_ZERO_LED.match(cell) for cell in found.uniques)


def _kind_of(name: str, found: _Strings, rows: int) -> Kind:
    """Boolean, identifier, text or category."""
    if len(found.uniques) == 2 and frozenset(cell.lower() for cell in found.uniques) in BOOLEANS:
        return Kind.boolean
    if len(found.uniques) == found.known > max(2, rows // 2) and _codes(name, found):
        return Kind.identifier
    average = float(found.lengths.mean())
    if found.lengths.max() > LONG_TEXT or (len(found.uniques) > 2 and found.share > 0.9 and average > 20):
        return Kind.text
    if len(found.uniques) > 20 and (
        found.share > 0.5 or (average > 20 and found.share > 0.2) or average > 100
    ):
        return Kind.text
    return Kind.category


def _codes(name: str, found: _Strings) -> bool:
    """Strings that are codes: short, without spaces, with digits, of one length, or named like an id."""
    if found.lengths.max() > 64 or any("://" in cell for cell in found.sample):
        return False
    if not all(_CODE.fullmatch(cell) for cells in (found.sample, found.uniques) for cell in cells):
        return False
    digits = np.mean([bool(re.search(r"\d", cell)) for cell in found.sample])
    mails = np.mean(["@" in cell for cell in found.sample])
    same = found.lengths.min() == found.lengths.max() >= 6
    return bool(digits >= 0.9 or mails == 1.0 or same or _ID_NAME.search(_plain(name)))


def _odd_ones(column: Column, found: _Strings) -> Column:
    """A hint where nearly all strings are numbers or dates and a few are not."""
    if column.kind is Kind.identifier or len(found.uniques) < 10:
        return column
    parsed = numbers(pd.Series(found.sample, dtype=object))
    if parsed.known.mean() >= 0.8 and parsed.bad.any():
        odd = found.sample[parsed.bad][0]
        return _noted(column, f"mostly numbers but also {odd[:40]!r}: set the kind to make those missing")
    return column


def _forced_datetime(column: Column, series: pd.Series) -> Column:
    """A column that was called datetime by hand: what does not parse counts as missing."""
    cells = _without_missing_words(np.unique([cell for cell in strings(series) if cell is not None]))
    stamps = dates.parse_any(cells, None)
    if stamps.isna().all():
        raise SchemaError(f"dates in column {column.name!r}", repr(cells[:1].tolist()), "choose another kind")
    read = dates.find_format(cells[stamps.notna()])
    column.value_type, column.lenient = "str", True
    column.unit, column.datetime_format = dates.unit_of(stamps), read.format if read else "%Y-%m-%d %H:%M:%S"
    return _noted(column, "cells that are no date count as missing")
