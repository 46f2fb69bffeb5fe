"""The table of columns that can be edited: what to learn, as what type, and what is personal."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd
import streamlit as st

from difflm.schema import Column, Kind, Schema

WORDS = {
    "integer": "whole number",
    "real": "number",
    "category": "category",
    "boolean": "yes / no",
    "datetime": "date or time",
    "text": "free text",
    "identifier": "identifier (not learned)",
}


@dataclass(frozen=True)
class Choice:
    """What the person decided: columns to keep, kinds that differ from the inferred ones."""

    keep: list[str]
    kinds: dict[str, Kind]
    personal: list[str]


def edit_columns(frame: pd.DataFrame, schema: Schema, key: str) -> Choice:
    """Draw the editor for the inferred `schema` of `frame` and return what was chosen."""
    table = _overview(key, frame, schema)
    edited = st.data_editor(
        table,
        key=key,
        hide_index=True,
        disabled=["column", "missing", "distinct", "values", "note"],
        alt="Columns of the table with their types",
        column_config={
            "learn": st.column_config.CheckboxColumn(
                "Learn", help="Leave a column out and it will not be in the synthetic rows."
            ),
            "column": st.column_config.TextColumn("Column", pinned=True),
            "type": st.column_config.SelectboxColumn(
                "Type",
                options=list(WORDS.values()),
                required=True,
                width="medium",
                help="How values are written and checked. Identifiers get fresh values of the same pattern.",
            ),
            "personal": st.column_config.CheckboxColumn(
                "Personal?", help="Looks like data that points to one person (name, e-mail, phone, number)."
            ),
            "missing": st.column_config.NumberColumn("Missing", format="percent"),
            "distinct": st.column_config.NumberColumn(
                "Distinct", format="localized", help="Different values"
            ),
            "values": st.column_config.TextColumn("Values", width="large"),
            "note": st.column_config.TextColumn("Note", width="medium"),
        },
    )
    words = {word: Kind(kind) for kind, word in WORDS.items()}
    kept = edited[edited["learn"]]
    kinds = {
        row["column"]: words[row["type"]]
        for _, row in kept.iterrows()
        if words[row["type"]] != schema.column(row["column"]).kind
    }
    return Choice(list(kept["column"]), kinds, list(kept.loc[kept["personal"], "column"]))


@st.cache_data(max_entries=4, show_spinner=False, scope="session")
def _overview(key: str, _frame: pd.DataFrame, _schema: Schema) -> pd.DataFrame:
    """One line a column: its type as inferred, and what is in it."""
    table = pd.DataFrame(
        {
            "learn": True,
            "column": [column.name for column in _schema.columns],
            "type": [WORDS[str(column.kind)] for column in _schema.columns],
            "personal": [column.personal for column in _schema.columns],
            "missing": [float(_frame[column.name].isna().mean()) for column in _schema.columns],
            "distinct": [column.distinct for column in _schema.columns],
            "values": [examples(column, _frame[column.name]) for column in _schema.columns],
            "note": [column.note for column in _schema.columns],
        }
    )
    if not table["note"].str.len().any():
        table = table.drop(columns="note")
    return table


def examples(column: Column, values: pd.Series) -> str:
    """Range of numbers, the most frequent categories, or a few values."""
    if str(column.kind) in ("integer", "real") and column.minimum is not None and column.maximum is not None:
        return f"{_number(column.minimum)} to {_number(column.maximum)}"
    known = values.dropna().astype("string")
    shown = list(column.categories or known.drop_duplicates())[:5]
    return ", ".join(str(value)[:24] for value in shown) + (" …" if known.nunique() > len(shown) else "")


def _number(value: float) -> str:
    """Short, with thousands separated from 10,000 on, so that years stay years."""
    if abs(value) >= 1e12:
        return f"{value:.4g}"
    if float(value).is_integer():
        return f"{int(value):,}" if abs(value) >= 10_000 else str(int(value))
    return f"{value:,.2f}" if abs(value) >= 10_000 else f"{value:.6g}"
