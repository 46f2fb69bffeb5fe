"""Conditions on generated rows: `where={"income": ">50K", "age": (">=", 40)}`."""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from difflm.errors import ConfigError
from difflm.schema import Kind, Schema

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "==": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
NUMBERS = (Kind.integer, Kind.real)


def make_keep(schema: Schema, where: Mapping[str, Any] | None) -> Callable[[pd.DataFrame], pd.Series] | None:
    """A test of canonical rows for conditions by column: a value, a list of values, or (operator, value)."""
    if not where:
        return None
    tests = [_test(schema, name, condition) for name, condition in where.items()]

    def keep(rows: pd.DataFrame) -> pd.Series:
        kept = pd.Series(True, index=rows.index)
        for test in tests:
            kept &= test(rows)
        return kept

    return keep


def _test(schema: Schema, name: str, condition: Any) -> Callable[[pd.DataFrame], pd.Series]:
    if name not in schema.names:
        raise ConfigError(f"a column out of {', '.join(schema.names)}", repr(name))
    column = schema.column(name)
    if column.kind is Kind.identifier:
        raise ConfigError("a column that the model has learned", f"the identifier {name!r}", "leave it out")
    sign, value = condition if _is_pair(condition) else ("=", condition)
    if sign == "in" or (not isinstance(value, str) and isinstance(value, Sequence)):
        wanted = [_canonical(schema, name, v) for v in value]
        return lambda rows: rows[name].isin(wanted)
    if sign not in OPERATORS:
        raise ConfigError(f"an operator out of {', '.join([*OPERATORS, 'in'])}", repr(sign))
    right = _canonical(schema, name, value)
    known = column.categories
    if known is not None and sign in ("=", "==") and right not in known:
        raise ConfigError(f"a value of {name} out of {', '.join(known[:12])}", repr(value))
    compare = OPERATORS[sign]
    return lambda rows: compare(rows[name], right).fillna(False).astype(bool)


def _is_pair(condition: Any) -> bool:
    return isinstance(condition, tuple) and len(condition) == 2 and str(condition[0]) in {*OPERATORS, "in"}


def _canonical(schema: Schema, name: str, value: Any) -> Any:
    """`value` as the canonical cell of its column."""
    column = schema.column(name)
    try:
        if column.kind in NUMBERS:
            return float(value)
        alone = Schema(columns=[column.model_copy(update={"missing": True})], target=None)
        return alone.canonical(pd.DataFrame({name: [value]}))[name].iloc[0]
    except (TypeError, ValueError) as error:
        raise ConfigError(f"a {column.kind} for column {name}", repr(value)) from error
