"""JSON read strictly: what would not come back the same has a reason, and nothing is repaired in silence."""

from __future__ import annotations

import json
import math
import re
from decimal import Decimal
from typing import Any, NamedTuple

from difflm.errors import DataError

DEEPEST = 100
"""Most levels of a document."""
_RECORD_KEYS = (
    "tools",
    "functions",
    "apis",
    "documents",
    "data",
    "rows",
    "records",
    "items",
    "results",
    "values",
)
THE_DOCUMENT = "the document"
"""The name of a value that is the whole file."""
_SURROGATE = re.compile("[\ud800-\udfff]")


class Flaw(NamedTuple):
    """Stands in parsed JSON where JSON in the strict sense has no value, or two."""

    reason: str


class Rounded(float):
    """A number that was written with more digits than a double holds."""


class Checked(NamedTuple):
    """Canonical text of a document, why it is refused ("" if not), and whether a number was rounded."""

    text: str
    reason: str
    rounded: bool


def parse_json(text: str) -> Any:
    """The value of `text`, with a `Flaw` for NaN, for infinite numbers and for objects with a key twice.
    DataError that says where and why it is no JSON."""
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise DataError("JSON", f"{_why(text, error)} in {where}", "write it as strict JSON") from error
    except ValueError as error:  # an integer of thousands of digits
        raise DataError("JSON", str(error).partition(";")[0], "write such a number as a string") from error
    except RecursionError as error:
        raise DataError("JSON", f"values nested more than {DEEPEST} deep", "flatten it") from error


def parse_lines(text: str) -> list[tuple[str, Any]]:
    """A value for each line that is not blank, or the DataError of that line, with its name."""
    made: list[tuple[str, Any]] = []
    # A string of JSON may hold U+2028 and its like, which splitlines takes for ends of lines.
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                made.append((f"line {number}", parse_json(line.strip())))
            except DataError as error:
                got = error.got.replace("line 1, column", f"line {number}, column")
                made.append((f"line {number}", DataError("JSON", got, error.do)))
    return made


def parse_documents(text: str, name: str) -> list[tuple[str, Any]]:
    """Named values of the file `name`: the list it holds, itself or as its only list of objects under a key
    such as "tools"; or one of each line, what is tried first for .jsonl. DataError where it is neither."""
    lines = name.lower().endswith((".jsonl", ".ndjson"))
    made = parse_lines(text) if lines else []
    good = sum(not isinstance(value, DataError) for _, value in made)
    if len(made) > 1 and good * 2 >= len(made):
        return made
    try:
        return named_values(parse_json(text))
    except DataError as error:
        made = made or parse_lines(text)
        good = sum(not isinstance(value, DataError) for _, value in made)
        if len(made) > 1 and ((good and lines) or good * 2 >= len(made)):
            return made
        raise DataError(f"whole JSON in {name}", error.got, error.do) from error


def first_documents(text: str, most: int) -> list[Any]:
    """The first values of a JSON list, of which only the start may be at hand."""
    made: list[Any] = []
    place = re.match(r"\s*\[\s*", text)
    while place and len(made) < most:
        try:
            value, end = _DECODER.raw_decode(text, place.end())
        except (ValueError, RecursionError):
            break
        made.append(value)
        place = re.compile(r"\s*,\s*").match(text, end)
    return made


def named_values(value: Any) -> list[tuple[str, Any]]:
    """The documents in one parsed value."""
    if isinstance(value, dict):
        lists = [key for key in _RECORD_KEYS if isinstance(value.get(key), list)]
        inner = value[lists[0]] if len(lists) == 1 else []
        if inner and all(isinstance(item, dict) for item in inner):
            value = inner
    if isinstance(value, list):
        return [(f"record {number}", item) for number, item in enumerate(value, 1)]
    return [(THE_DOCUMENT, value)]


def checked(value: Any) -> Checked:
    """The canonical text of a parsed value, key order kept, or the reason why it cannot be one record."""
    reason, rounded = _look(value)
    if reason:
        return Checked("", reason, rounded)
    text = json.dumps(value, ensure_ascii=False)
    half = _SURROGATE.search(text)
    return Checked(text, f"half a character (\\u{ord(half[0]):04x})" if half else "", rounded)


def _look(value: Any) -> tuple[str, bool]:
    """The first flaw in a value, else too many levels; and whether a number in it was rounded."""
    waiting, rounded = [(value, 1)], False
    while waiting:
        part, depth = waiting.pop()
        if isinstance(part, Flaw):
            return part.reason, rounded
        rounded |= isinstance(part, Rounded)
        if isinstance(part, dict | list):
            if depth > DEEPEST:
                return f"nested more than {DEEPEST} deep", rounded
            waiting.extend((item, depth + 1) for item in (part.values() if isinstance(part, dict) else part))
    return "", rounded


def _object(pairs: list[tuple[str, Any]]) -> Any:
    made = dict(pairs)
    if len(made) == len(pairs):
        return made
    seen: set[str] = set()
    twice = next(key for key, _ in pairs if key in seen or seen.add(key))  # type: ignore[func-returns-value]
    return Flaw(f"the key {twice[:40]!r} twice in one object")


def _constant(word: str) -> Flaw:
    return Flaw(f"{word}, which JSON does not have")


def _number(digits: str) -> Any:
    value = float(digits)
    if not math.isfinite(value):
        return Flaw(f"the number {digits[:20]}, which is too large")
    # Up to 15 digits always come back.
    lossy = len(digits) > 16 and Decimal(digits) != Decimal(repr(value))
    return Rounded(value) if lossy else value


def _why(text: str, error: json.JSONDecodeError) -> str:
    """What stands at the place of an error, in words."""
    rest = text[error.pos :].lstrip()
    before = text[: error.pos].rstrip()
    if rest.startswith(("//", "/*", "#")):
        return "a comment, which JSON does not have,"
    if rest.startswith(("}", "]")) and before.endswith(","):
        return "a comma before a closing bracket"
    if rest.startswith("'"):
        return "single quotes instead of double ones"
    if not rest:
        return "the end of the text too early"
    return error.msg


_DECODER = json.JSONDecoder(object_pairs_hook=_object, parse_constant=_constant, parse_float=_number)
