"""Documents on a page: code with highlighting, JSON as a tree, and what two of them do not share."""

from __future__ import annotations

import ast
import json

import pandas as pd
import streamlit as st

from difflm.differences import document_difference

SHOWN = 200
"""Documents that can be looked at one by one."""
LANGUAGES = {"code": "python", "tool": "json", "text": None}


def is_documents(frame: pd.DataFrame) -> bool:
    """Whether the rows of a run are documents: one column with the name of their kind."""
    return frame.shape[1] == 1 and str(frame.columns[0]) in LANGUAGES


def show_document(record: str, text: object) -> None:
    """One document: a tree where it is JSON, else its text."""
    if not isinstance(text, str):
        st.caption("Nothing could be written here.")
        return
    if record == "tool":
        try:
            st.json(json.loads(text), expanded=2)
            return
        except ValueError:
            st.caption("This is no valid JSON; its text:")
    elif record == "code" and (problem := _syntax(text)):
        st.caption(f"This does not parse as Python: {problem}")
    st.code(text, language=LANGUAGES[record], wrap_lines=True)


def show_documents(frame: pd.DataFrame, key: str, label: str = "Document") -> None:
    """One of the documents of `frame`, by its number."""
    record = str(frame.columns[0])
    last = min(len(frame), SHOWN) - 1
    number = int(st.number_input(label, 0, last, 0, width=160, key=key)) if last > 0 else 0
    show_document(record, frame[record].iloc[number])
    if len(frame) > SHOWN:
        st.caption(f"The first {SHOWN} of {len(frame):,} can be looked at here.")


def show_difference(record: str, before: object, after: object) -> None:
    """Lines that differ between two documents, with a little of what is around them."""
    lines = document_difference(record, before, after)
    if lines:
        st.code("\n".join(lines), language="diff", wrap_lines=True)
    else:
        st.caption("No difference.")


def _syntax(text: str) -> str:
    try:
        ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return str(error)[:120]
    return ""
