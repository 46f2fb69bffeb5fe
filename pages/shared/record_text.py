"""The exact text that a decoder sees of a row."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from difflm.formats.table import CompactFormat, JsonFormat
from difflm.schema import Schema


def show_text(schema: Schema, frame: pd.DataFrame) -> None:
    """JSON and compact text of a row that can be chosen."""
    rows = schema.canonical(frame.head(100))
    number = int(st.number_input("Row", 0, max(len(rows) - 1, 0), 0, width=160, key="text-row"))
    row = {str(name): value for name, value in rows.iloc[number].items()}
    json_tab, compact_tab = st.tabs(["As JSON", "Compact"])
    json_tab.code(JsonFormat(schema).write(row), language="json", wrap_lines=True)
    compact_tab.code(CompactFormat(schema).write(row), language=None, wrap_lines=True)
    compact_tab.caption(
        "Values only, in the order of the columns: a third of the length, for the small decoder."
    )
