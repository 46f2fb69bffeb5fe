"""Conditions on columns for generation, drawn by the type of each column."""

from __future__ import annotations

from typing import Any

import streamlit as st

from difflm.schema import Column, Kind, Schema

SIGNS = {">=": "at least", "<=": "at most", "=": "exactly"}


def choose_conditions(schema: Schema, run: str) -> dict[str, Any]:
    """Draw the chooser; conditions by column as `DiffLM.sample(where=...)` takes them."""
    usable = [c.name for c in schema.columns if c.kind not in (Kind.identifier, Kind.text, Kind.datetime)]
    names = st.multiselect(
        "Only rows where (optional)",
        usable,
        placeholder="choose columns",
        key=f"where-{run}",
        help="Rows that do not fit are thrown away and made again, a limited number of times.",
    )
    where: dict[str, Any] = {}
    for name in names:
        value = _condition(schema.column(name), f"where-{run}-{name}")
        if value is not None:
            where[name] = value
    return where


def _condition(column: Column, key: str) -> Any:
    if column.kind in (Kind.category, Kind.boolean):
        return (
            st.multiselect(f"{column.name} is", column.categories or [], key=key, placeholder="any") or None
        )
    left, right = st.columns(2)
    sign = left.selectbox(
        f"{column.name} is", list(SIGNS), format_func=lambda sign: SIGNS[sign], key=f"{key}-sign"
    )
    whole = column.kind is Kind.integer
    low, high = (
        None if v is None else (int(v) if whole else float(v)) for v in (column.minimum, column.maximum)
    )
    value = right.number_input(
        "value",
        low,
        high,
        low,
        key=key,
        step=1 if whole else None,
        help=f"Between {low} and {high} in the real rows",
    )
    return (sign, value)
