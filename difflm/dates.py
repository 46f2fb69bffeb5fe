"""Dates as strings: which format a column has, reading it strictly, and writing it back the same.

Formats are those of strftime; %-d, %-m, %-H and %-I stand for numbers without a leading zero, and
%f has as many digits as the column's unit (3 for ms, 6 for us, 9 for ns).
"""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difflm.columns import Unit

_DATES = ["%Y-%m-%d", "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y", "%Y/%m/%d", "%d-%m-%Y", "%m-%d-%Y"]
_TIMES = ["", " %H:%M:%S", " %H:%M", " %H:%M:%S.%f", " %I:%M %p", " %I:%M:%S %p"]
_ISO = ["T%H:%M:%S", "T%H:%M", "T%H:%M:%S.%f", "T%H:%M:%SZ", "T%H:%M:%S.%fZ", "T%H:%M:%S+00:00"]
_WORDS = ["%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%B %d, %Y", "%d %B %Y", "%d-%b-%y", "%b %Y", "%B %Y"]
FORMATS = [
    *(date + time for time in _TIMES[:3] for date in _DATES),
    *("%Y-%m-%d" + time for time in _ISO),
    *("%Y-%m-%d %H:%M:%S+00:00", "%d.%m.%y", "%m/%d/%y", "%d/%m/%y", "%Y-%m", *_WORDS),
    *(date + time for time in _TIMES[3:] for date in _DATES),
]
"""Known formats; where two fit all values, the earlier one is taken and a note says so."""

_DATE_LIKE = re.compile(r"\d{1,4}[-/. ]|[A-Za-z]{3,9} \d")
_UNITS: list[tuple[Unit, int]] = [
    ("D", 86_400_000_000_000),
    ("h", 3_600_000_000_000),
    ("m", 60_000_000_000),
    ("s", 1_000_000_000),
    ("ms", 1_000_000),
    ("us", 1_000),
    ("ns", 1),
]
_NANOSECONDS = dict(_UNITS)
_MONTHS = ["January", "February", "March", "April", "May", "June", "July", "August"]
_MONTHS += ["September", "October", "November", "December"]
_FRACTION = {"ms": 3, "us": 6, "ns": 9}


class Found(NamedTuple):
    """The format of a column, and what is to be said of it."""

    format: str
    note: str


def parse(cells: NDArray[np.object_], fmt: str) -> pd.DatetimeIndex:
    """Strings (n,) read by one format; NaT where they do not fit it."""
    made = pd.to_datetime(pd.Series(cells, dtype=object), format=fmt.replace("%-", "%"), errors="coerce")
    return pd.DatetimeIndex(made)


def parse_any(cells: NDArray[np.object_], fmt: str | None) -> pd.DatetimeIndex:
    """Strings (n,) read by `fmt` where they fit it, else by the first known format they fit."""
    stamps = np.full(len(cells), np.datetime64("NaT"), dtype="datetime64[us]")
    open_ = np.array([cell is not None for cell in cells], dtype=bool)
    for candidate in ([fmt] if fmt else []) + FORMATS:
        if not open_.any():
            break
        where = np.flatnonzero(open_)
        if candidate != fmt and not _worth_trying(cells[where], candidate):
            continue
        read = parse(cells[where], candidate).to_numpy()
        if read.dtype == np.dtype("datetime64[ns]") and stamps.dtype != read.dtype:
            stamps = stamps.astype(read.dtype)
        stamps[where] = read
        open_[where] = np.isnat(read)
    return pd.DatetimeIndex(stamps)


def _worth_trying(cells: NDArray[np.object_], fmt: str) -> bool:
    return bool(parse(cells[:20], fmt).notna().any())


def find_format(uniques: NDArray[np.object_]) -> Found | None:
    """The format that reads all distinct strings (u,), or None. Several formats in one column are
    allowed when together they read everything; the first one is then used for writing."""
    sample = uniques[np.linspace(0, len(uniques) - 1, min(len(uniques), 300)).astype(int)]
    if not len(sample) or max(map(len, sample)) > 40 or not all(_DATE_LIKE.search(cell) for cell in sample):
        return None
    fits = [
        fmt for fmt in FORMATS if parse(sample[:1], fmt).notna().all() and parse(sample, fmt).notna().all()
    ]
    if len(uniques) > len(sample):
        fits = [fmt for fmt in fits if parse(uniques, fmt).notna().all()]
    if fits:
        return _written_back(sample, fits)
    used, remaining = [], sample
    for fmt in FORMATS:
        read = np.asarray(parse(remaining, fmt).notna())
        if read.any():
            used.append((int(read.sum()), fmt))
            remaining = remaining[~read]
        if not len(remaining):
            break
    if len(remaining) or len(used) > 5:
        return None
    main = max(used, key=lambda item: item[0])[1]
    if parse_any(uniques, main).isna().any():
        return None
    names = ", ".join(fmt for _, fmt in used)
    return Found(main, f"dates in {len(used)} formats ({names}): all are written as {main}")


def _written_back(sample: NDArray[np.object_], fits: list[str]) -> Found:
    """Of the formats that read the sample, the first that also writes it as it was."""
    note = ""
    if {"%m", "%d"} <= set(re.findall("%[md]", fits[0])):
        swapped = fits[0].replace("%m", "%x").replace("%d", "%m").replace("%x", "%d")
        if swapped in fits:
            note = f"dates read as {fits[0]}, though {swapped} would fit as well"
    for fmt in fits:
        stamps = parse(sample, fmt)
        unit = unit_of(stamps)
        for variant in _variants(fmt):
            if (write(counts(stamps, unit), unit, variant) == sample).all():
                return Found(variant, note)
    return Found(fits[0], note or f"dates are written as {fits[0]}")


def _variants(fmt: str) -> list[str]:
    date = fmt.replace("%d", "%-d").replace("%m", "%-m")
    hours = fmt.replace("%H", "%-H").replace("%I", "%-I")
    both = date.replace("%H", "%-H").replace("%I", "%-I")
    return list(dict.fromkeys([fmt, date, hours, both]))


def unit_of(stamps: pd.DatetimeIndex) -> Unit:
    """The coarsest unit in which every stamp is a whole count."""
    known = stamps[stamps.notna()]
    step = _NANOSECONDS[known.unit]
    ticks = known.asi8
    for unit, size in _UNITS:
        if size >= step and not (ticks % (size // step)).any():
            return unit
    return known.unit


def counts(stamps: pd.DatetimeIndex, unit: Unit) -> NDArray[np.int64]:
    """Counts (n,) of `unit` since 1970-01-01 (UTC), rounded down; missing stamps give 0."""
    ticks = np.where(stamps.notna(), stamps.asi8, 0)
    step, size = _NANOSECONDS[stamps.unit], _NANOSECONDS[unit]
    return ticks // (size // step) if size >= step else ticks * (step // size)


def stamps_of(k: NDArray[np.int64], unit: Unit) -> pd.DatetimeIndex:
    """The datetimes of counts (n,)."""
    stored = unit if unit in ("s", "ms", "us", "ns") else "s"
    return pd.DatetimeIndex(np.asarray(k, dtype=f"datetime64[{unit}]").astype(f"datetime64[{stored}]"))


def write(k: NDArray[np.int64], unit: Unit, fmt: str) -> NDArray[np.object_]:
    """Strings (n,) of counts (n,) in English, whatever the locale."""
    stamps = stamps_of(k, unit)
    made = np.full(len(k), "", dtype=object)
    for piece in re.findall(r"%-?[A-Za-z]|[^%]+", fmt):
        made = made + (_piece(stamps, piece, unit) if piece.startswith("%") else piece)
    return made


def _piece(stamps: pd.DatetimeIndex, piece: str, unit: Unit) -> NDArray[np.object_]:
    pad = 0 if "-" in piece else 2
    letter = piece[-1]
    if letter == "Y":
        return _digits(stamps.year, 4)
    if letter == "f":
        digits = _FRACTION.get(unit, 6)
        parts = stamps.microsecond.to_numpy().astype(np.int64) * 1000 + stamps.nanosecond.to_numpy()
        return _digits(parts // 10 ** (9 - digits), digits)
    if letter in "bB":
        names = [month[:3] for month in _MONTHS] if letter == "b" else _MONTHS
        return np.array(names, dtype=object)[stamps.month.to_numpy() - 1]
    if letter == "p":
        return np.array(["AM", "PM"], dtype=object)[(stamps.hour.to_numpy() >= 12).astype(int)]
    parts = {
        "y": stamps.year % 100,
        "m": stamps.month,
        "d": stamps.day,
        "H": stamps.hour,
        "I": (stamps.hour + 11) % 12 + 1,
        "M": stamps.minute,
        "S": stamps.second,
    }[letter]
    return _digits(parts, pad)


def _digits(parts: Any, width: int) -> NDArray[np.object_]:
    values, inverse = np.unique(np.asarray(parts, dtype=np.int64), return_inverse=True)
    return np.array([f"{value:0{width}d}" if width else str(value) for value in values], dtype=object)[
        inverse
    ]
