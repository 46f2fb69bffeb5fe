"""Conditions on the command line: "income = >50K", "age >= 40", "state in TX, CA"."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from difflm.errors import ConfigError

OPERATOR = re.compile(r"\s*(!=|<=|>=|==|=|<|>|(?<=\s)in(?=[\s\[(]))\s*")


def parse_where(texts: Sequence[str], names: Sequence[str]) -> Mapping[str, Any] | None:
    """The `where` of `DiffLM.sample`; None without conditions. `names` are the model's columns."""
    where: dict[str, Any] = {}
    for text in texts:
        name, condition = _split(text, names)
        if name in where:
            raise ConfigError(f"one condition for {name}", repr(text), "join values with `in`")
        where[name] = condition
    return where or None


def _split(text: str, names: Sequence[str]) -> tuple[str, Any]:
    """Column and condition; a column name may itself hold an operator, so every split is tried."""
    found = list(OPERATOR.finditer(text))
    for match in found:
        name = _bare(text[: match.start()].strip())
        if name in names:
            return name, _condition(match[1], text[match.end() :].strip())
    if not found:
        raise ConfigError('a condition like "col = value"', repr(text), "use =, !=, <, <=, >, >= or in")
    name = _bare(text[: found[0].start()].strip())
    raise ConfigError(f"a column out of {', '.join(names)}", repr(name), "check the name in --where")


def _condition(sign: str, value: str) -> Any:
    if sign == "in":
        return _list(value)
    return _bare(value) if sign in ("=", "==") else (sign, _bare(value))


def _list(text: str) -> list[Any]:
    if text.startswith("["):
        try:
            values = json.loads(text)
        except ValueError:
            raise ConfigError("a list like a, b or a JSON list", repr(text), "check the quotes") from None
        return [str(value) if isinstance(value, str) else value for value in values]
    inner = text[1:-1] if text.startswith("(") and text.endswith(")") else text
    return [_bare(part.strip()) for part in inner.split(",") if part.strip()]


def _bare(text: str) -> str:
    quoted = len(text) >= 2 and text[0] == text[-1] and text[0] in "\"'"
    return text[1:-1] if quoted else text
