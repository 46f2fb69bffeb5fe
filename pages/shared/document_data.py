"""The Data page for documents: what they were taken for, what they look like, what could not be read."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from difflm.data import Wanted
from difflm.formats.json_schema import describe
from pages.shared.column_editor import Choice
from pages.shared.datasets import Table, prepare
from pages.shared.documents import show_documents
from pages.shared.split import show_split
from pages.shared.states import shown

KINDS: dict[Wanted, str] = {
    "auto": "as found",
    "table": "table",
    "tool": "JSON documents",
    "code": "Python",
    "text": "text",
}
"""Kinds of record, as they are called on the page."""
MANY = {"tool": "JSON documents", "code": "pieces of Python", "text": "texts"}


def documents_page(table: Table) -> None:
    """Everything below the choice of the file, up to the button that puts the documents into use."""
    record = table.record
    st.subheader(f"{table.name}: {len(table.frame):,} {MANY[record]}", anchor=False)
    if table.about or table.reason:
        st.caption(table.about or f"Taken for {KINDS[record]}: {table.reason}.")
    for note in table.notes:
        st.info(note, icon=":material/info:")
    if table.left_out:
        with st.expander(f"What is left out ({len(table.left_out):,})", icon=":material/block:"):
            st.dataframe(pd.DataFrame(table.left_out), hide_index=True, alt="Records left out, with reasons")
    show_documents(table.frame, f"document-{table.digest}")
    choice = Choice([record], {}, [])
    with shown():
        dataset = prepare(table, choice, None)
        if dataset.schema.json_schema:
            st.subheader("Fields", anchor=False, help="Found in the documents to learn from.")
            parts = describe(dataset.schema.json_schema)
            fields = pd.DataFrame(parts, columns=["field", "what it holds", "may be absent"])
            st.dataframe(fields, hide_index=True, height=260, alt="Fields of the documents")
        show_split(dataset, "documents")
        if st.button("Use these documents", type="primary", icon=":material/check:"):
            st.session_state["data"] = table.keep(choice, None, dataset.fingerprint)
            st.switch_page("pages/train.py")
