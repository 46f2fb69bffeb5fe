"""Exact regular expressions for ranges of numbers and dates in a fixed written form.

The expressions use classes, groups, repetition and `|` only, so that Python's re and llguidance read
them alike. Their size grows with the number of digits, not with the size of the range.
"""

from __future__ import annotations

import re
from enum import Enum

from difflm.errors import SchemaError

CALENDAR = (
    "(?:[0-9]{4}-(?:(?:0[13578]|1[02])-(?:0[1-9]|[12][0-9]|3[01])"
    "|(?:0[469]|11)-(?:0[1-9]|[12][0-9]|30)|02-(?:0[1-9]|1[0-9]|2[0-8]))"
    "|(?:[0-9]{2}(?:0[48]|[2468][048]|[13579][26])|(?:[02468][048]|[13579][26])00)-02-29)"
)
"""Dates YYYY-MM-DD that exist in the (proleptic) Gregorian calendar."""

CLOCK = {
    "h": "T(?:[01][0-9]|2[0-3])",
    "m": "T(?:[01][0-9]|2[0-3]):[0-5][0-9]",
    "s": "T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}",
    "ms": r"T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}\.[0-9]{3}",
    "us": r"T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}\.[0-9]{6}",
    "ns": r"T(?:[01][0-9]|2[0-3])(?::[0-5][0-9]){2}\.[0-9]{9}",
}
"""What follows the date in ISO 8601, by unit; a unit of days has nothing there."""


def number_range_regex(low: int, high: int, decimals: int = 0, shorter: bool = False) -> str:
    """Fixed-point numbers n / 10**decimals for the integers low <= n <= high.

    Written without leading zeros and zero without a sign, with exactly `decimals` decimals, or when
    `shorter` with any number of them up to that. Raises SchemaError for an empty range."""
    if low > high:
        raise SchemaError("a range with at least one number in it", f"{low} to {high}")
    end = _End.before_point if shorter else _End.none
    parts = []
    if low < 0:
        parts += ["-" + part for part in _widths(max(1, -high), -low, decimals, end)]
    if high >= 0:
        parts += _widths(max(0, low), high, decimals, end)
    return _either(parts)


def between(low: str, high: str) -> str:
    """Strings from low to high, which have the same length and the same characters but for digits."""
    if len(low) != len(high) or re.sub("[0-9]", "0", low) != re.sub("[0-9]", "0", high):
        raise SchemaError("two bounds of the same form", f"{low!r} and {high!r}")
    return _between(low, high, _End.none)


class _End(Enum):
    """Where a text may stop early, what is left being zeros: never, at the point, or after any decimal."""

    none = 0
    before_point = 1
    after_point = 2


def _widths(low: int, high: int, decimals: int, end: _End) -> list[str]:
    """Alternatives for low <= n <= high, n >= 0, one for each number of digits before the point."""
    parts = []
    start = max(len(str(low)) - decimals, 1)
    for width in range(start, max(len(str(high)) - decimals, 1) + 1):
        least = 0 if width == 1 else 10 ** (decimals + width - 1)
        most = 10 ** (decimals + width) - 1
        parts.append(_between(_point(max(low, least), decimals), _point(min(high, most), decimals), end))
    return parts


def _point(n: int, decimals: int) -> str:
    digits = str(n).zfill(decimals + 1)
    return f"{digits[:-decimals]}.{digits[-decimals:]}" if decimals else digits


def _between(low: str, high: str, end: _End) -> str:
    if not low:
        return ""
    if not low[0].isdigit():
        after = _End.none if end is _End.none else _End.after_point
        literal = re.escape(low[0]).replace(r"\-", "-")
        return _stop(low, literal + _between(low[1:], high[1:], after), end)
    rest_low, rest_high = low[1:], high[1:]
    least, most = re.sub("[0-9]", "0", rest_low), re.sub("[0-9]", "9", rest_low)
    if low[0] == high[0]:
        return low[0] + _rest(rest_low, rest_high, end)
    first, last = int(low[0]), int(high[0])
    parts = []
    if rest_low != least:
        parts.append(low[0] + _rest(rest_low, most, end))
        first += 1
    if rest_high != most:
        last -= 1
    if first <= last:
        parts.append((f"[{first}-{last}]" if first < last else str(first)) + _any(rest_low, end))
    if rest_high != most:
        parts.append(high[0] + _rest(least, rest_high, end))
    return _either(parts)


def _rest(low: str, high: str, end: _End) -> str:
    """What follows a digit; after the point the text may stop here where the rest of `low` is zero."""
    made = _between(low, high, end)
    return _stop(low, made, end) if end is _End.after_point else made


def _stop(low: str, expression: str, end: _End) -> str:
    if end is _End.none or not expression or low.strip("0."):
        return expression
    return f"(?:{expression})?"


def _any(form: str, end: _End) -> str:
    """Any digits in the places where `form` has digits."""
    if end is _End.after_point:
        return f"[0-9]{{0,{len(form)}}}" if form else ""
    whole, point, decimals = form.partition(".") if end is _End.before_point else (form, "", "")
    pieces = re.findall("[0-9]+|[^0-9]", whole)
    made = "".join(
        f"[0-9]{{{len(p)}}}" if p[0].isdigit() else re.escape(p).replace(r"\-", "-") for p in pieces
    )
    return made + (rf"(?:\.[0-9]{{1,{len(decimals)}}})?" if point else "")


def _either(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"
