"""JSON read strictly and written in one canonical form that keeps all of a document's content.

Canonical is `", "` and `": "` between, keys in their order, numbers digit for digit as they came, and
all characters as they are but for those that JSON or UTF-8 wants escaped.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, NoReturn

from difflm.errors import DataError
from difflm.formats.table import quoted

DEPTH = 100
"""Most objects and arrays inside each other."""

TOO_DEEP = f"more than {DEPTH} objects and arrays inside each other"

LONGEST_INTEGER = 4000
"""Digits of an integer that Python still reads; longer ones are cut where only their type counts."""

_COMMENTS = ("//", "/*", "#")


class Number(str):
    """The digits of a JSON number."""


class _Refused(ValueError):
    """What JSON does not allow and Python's reader would."""


def canonical_text(text: str) -> str:
    """The canonical text of a JSON text, content unchanged; DataError, without its content, where it is none."""
    return _written(_parsed(text, Number, Number), 0)


def parse_document(text: str) -> Any:
    """The value of a JSON text as Python has it; DataError as in `canonical_text`.

    Numbers beyond Python's floats become infinite: only their type is right."""
    document = _parsed(text, _integer, float)
    _check_depth(document, 0)
    return document


def document_text(document: Any) -> str:
    """The canonical text of a Python value; DataError where JSON cannot hold it."""
    return _written(document, 0)


def _parsed(text: str, integer: Callable[[str], Any], real: Callable[[str], Any]) -> Any:
    if text.startswith("\ufeff"):
        raise DataError("no JSON: a byte order mark before the document")
    try:
        return json.loads(
            text, object_pairs_hook=_unique, parse_int=integer, parse_float=real, parse_constant=_constant
        )
    except json.JSONDecodeError as error:
        raise DataError(f"no JSON: {_reason(error)}") from error
    except _Refused as error:
        raise DataError(f"no JSON: {error}") from error
    except RecursionError as error:
        raise DataError(TOO_DEEP) from error


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) < len(pairs):
        raise _Refused("a key comes twice in one object")
    return made


def _constant(name: str) -> NoReturn:
    raise _Refused("NaN or Infinity, which JSON does not have")


def _integer(digits: str) -> int:
    return int(digits[:LONGEST_INTEGER])


def _reason(error: json.JSONDecodeError) -> str:
    rest = error.doc[error.pos :].lstrip()
    if not error.doc.strip():
        return "an empty text"
    if rest.startswith(_COMMENTS):
        return f"a comment at character {error.pos}"
    if error.msg == "Extra data":
        return f"more text after the document at character {error.pos}"
    # Some messages name the character at fault after a colon.
    what = error.msg.partition(":")[0].removesuffix(" at").removesuffix(" starting")
    return f"{what[:1].lower()}{what[1:]} at character {error.pos}"


def _check_depth(value: Any, depth: int) -> None:
    if isinstance(value, dict | list | tuple):
        if depth == DEPTH:
            raise DataError(TOO_DEEP)
        for item in value.values() if isinstance(value, dict) else value:
            _check_depth(item, depth + 1)


def _written(value: Any, depth: int) -> str:
    if isinstance(value, dict | list | tuple):
        if depth == DEPTH:
            raise DataError(TOO_DEEP)
        if isinstance(value, dict):
            members = (f"{_key(key)}: {_written(item, depth + 1)}" for key, item in value.items())
            return "{" + ", ".join(members) + "}"
        return "[" + ", ".join(_written(item, depth + 1) for item in value) + "]"
    if isinstance(value, Number):
        return str(value)
    if isinstance(value, str):
        return quoted(value)
    try:
        return json.dumps(value, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise DataError(f"a value that JSON cannot hold ({type(value).__name__})") from error


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise DataError(f"a key that is no string ({type(key).__name__})")
    return quoted(key)
