"""Data: choose a table, check what was understood, see the text the model will read."""

from __future__ import annotations

import streamlit as st

from difflm.data import BUILTIN
from pages.shared.column_editor import edit_columns
from pages.shared.datasets import builtin_title, current, from_builtin, from_upload, inferred, prepare
from pages.shared.document_data import KINDS, documents_page
from pages.shared.public import whereabouts
from pages.shared.record_text import show_text
from pages.shared.session import guard
from pages.shared.split import show_split
from pages.shared.states import empty, heading, next_steps, shown
from pages.shared.words import TARGET, table_size

guard("data")
heading(
    "Data",
    "Choose a table, or documents such as code and JSON, and check that they were understood before anything is "
    "learned from them.",
)

UPLOAD, BUILT_IN = "Upload a file", "Built-in data"
source = st.segmented_control("Source", [UPLOAD, BUILT_IN], default=UPLOAD, required=True, key="source")
table = None
with shown():
    if source == UPLOAD:
        file = st.file_uploader(
            "A table with a header line, or documents",
            type=[
                *("csv", "tsv", "txt", "tab", "parquet", "json", "jsonl", "ndjson", "xlsx", "zip", "gz"),
                *("py", "md"),
            ],
            help="CSV, TSV, Parquet, JSON, JSONL or Excel, also zipped; Python files, or a zip of source; up to "
            f"200 MB. {whereabouts()}",
        )
        if file is not None:
            wanted = st.segmented_control(
                "Read as",
                list(KINDS),
                default="auto",
                required=True,
                key=f"record-{file.name}",
                format_func=KINDS.__getitem__,
            )
            with st.spinner("Reading it …"):
                table = from_upload(file, wanted)
        elif (data := current()) is not None:
            st.success(f"In use: {data.name}. Upload a file to change it.", icon=":material/check:")
    else:
        name = st.selectbox("Data", list(BUILTIN), format_func=builtin_title, key="builtin-name", width=400)
        with st.spinner("Loading the table …"):
            table = from_builtin(name)

if table is None:
    empty(f"Upload a file, or switch to a built-in one to try things out. {whereabouts()}")
    if "data" in st.session_state:
        next_steps(("train", "Train", ":material/model_training:"))
    st.stop()

if table.record != "table":
    documents_page(table)
    st.stop()

frame = table.frame
with shown():
    schema = inferred(table)
st.subheader(f"{table.name}: {table_size(*frame.shape)}", anchor=False)
if table.about:
    st.caption(table.about)
st.dataframe(frame.head(200), height=220, alt="The first rows of the table")
if len(frame) > 200:
    st.caption("The first 200 rows are shown.")

st.subheader("Columns", anchor=False)
st.markdown("Types were guessed from the values. Change what is wrong; untick what should not be learned.")
choice = edit_columns(frame, schema, key=f"columns-{table.digest}")
if choice.personal:
    st.warning(
        f"Likely personal data: {', '.join(choice.personal)}. Leave these columns out, or set their type to "
        "identifier, unless the synthetic rows may contain such values.",
        icon=":material/shield_person:",
    )
for note in [*table.notes, *schema.notes]:
    st.info(note, icon=":material/info:")
known = table.builtin.target if table.builtin else None
target = st.selectbox(
    "Column to predict (optional)",
    choice.keep,
    index=choice.keep.index(known) if known in choice.keep else None,
    placeholder="none",
    help=TARGET,
    width=340,
    key=f"target-{table.digest}",
)

with shown():
    dataset = prepare(table, choice, target)
read = "Each row becomes a line of text; this is that text, exactly."
st.subheader("What the model reads", anchor=False, help=read)
with shown():
    show_text(dataset.schema, dataset.train)

show_split(dataset, "rows")

if st.button("Use this table", type="primary", icon=":material/check:"):
    with shown():
        st.session_state["data"] = table.keep(choice, target, dataset.fingerprint)
    st.switch_page("pages/train.py")
