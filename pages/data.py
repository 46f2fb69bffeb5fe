"""Data: choose a table, check what was understood, see the text the model will read."""

from __future__ import annotations

import streamlit as st
from difflm.data import BUILTIN

from difflm.schema import Schema
from pages.shared.column_editor import edit_columns
from pages.shared.datasets import from_builtin, from_upload, prepare
from pages.shared.record_text import show_text
from pages.shared.session import guard
from pages.shared.states import empty, heading, next_steps, shown
from pages.shared.words import FINGERPRINT, SPLIT, TARGET

guard("data")
heading(
    "Data", "Choose a table, and check that its columns were understood before anything is learned from it."
)

UPLOAD, BUILT_IN = "Upload a file", "Built-in table"
source = st.segmented_control("Source", [UPLOAD, BUILT_IN], default=UPLOAD, required=True, key="source")
table = None
with shown():
    if source == UPLOAD:
        file = st.file_uploader(
            "A table with a header line",
            type=["csv", "tsv", "txt", "parquet", "json", "jsonl", "xlsx", "xls"],
            help="CSV, TSV, Parquet, JSON, JSONL or Excel, up to 200 MB. It stays on this machine.",
        )
        if file is not None:
            with st.spinner("Reading the table …"):
                table = from_upload(file.name, file.getvalue())
        elif "data" in st.session_state and not st.session_state["data"].builtin:
            st.success(
                f"In use: {st.session_state['data'].name}. Upload another file to change it.",
                icon=":material/check:",
            )
    else:
        name = st.selectbox("Table", list(BUILTIN), key="builtin-name", width=340)
        with st.spinner("Loading the table …"):
            table = from_builtin(name)

if table is None:
    empty("Upload a table, or switch to a built-in one to try things out. Nothing leaves this machine.")
    if "data" in st.session_state:
        next_steps(("train", "Train", ":material/model_training:"))
    st.stop()

frame = table.frame
if table.licence:
    st.caption(f"Source: {table.source}. Licence: {table.licence}")
with shown():
    inferred = Schema.infer(frame)
st.subheader(f"{table.name}: {len(frame):,} rows, {frame.shape[1]} columns", anchor=False)
st.dataframe(frame.head(200), height=220, alt="The first rows of the table")
if len(frame) > 200:
    st.caption("The first 200 rows are shown.")

st.subheader("Columns", anchor=False)
st.markdown("Types were guessed from the values. Change what is wrong; untick what should not be learned.")
choice = edit_columns(frame, inferred, key=f"columns-{table.digest}")
if choice.personal:
    st.warning(
        f"Likely personal data: {', '.join(choice.personal)}. Leave these columns out, or set their type to "
        "identifier, unless the synthetic rows may contain such values.",
        icon=":material/shield_person:",
    )
for note in [*table.notes, *inferred.notes]:
    st.info(note, icon=":material/info:")
target = st.selectbox(
    "Column to predict (optional)",
    choice.keep,
    index=None,
    placeholder="none",
    help=TARGET,
    width=340,
    key=f"target-{table.digest}",
)

with shown():
    chosen, schema, dataset = prepare(table, choice, target)
st.subheader(
    "What the model reads", anchor=False, help="Each row becomes a line of text; this is that text, exactly."
)
show_text(schema, chosen)

st.subheader("Split", anchor=False, help=SPLIT)
counts = st.columns(4)
counts[0].metric("To learn from", f"{len(dataset.train):,}")
counts[1].metric("To decide when to stop", f"{len(dataset.validation):,}", help="Validation rows")
counts[2].metric("For the final scores", f"{len(dataset.test):,}", help="Test rows, never shown to the model")
counts[3].metric("Fingerprint", dataset.fingerprint[:8], help=FINGERPRINT)

if st.button("Use this table", type="primary", icon=":material/check:"):
    with shown():
        st.session_state["data"] = table.keep(chosen, choice, target, dataset.fingerprint)
    st.switch_page("pages/train.py")
