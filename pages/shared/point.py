"""One row of the map: its cells, what the model makes of it, and its nearest real rows."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from difflm.differences import changed
from difflm.latent_ops import nearest
from difflm.map_data import Latents
from difflm.runs import Run
from pages.shared.documents import is_documents, show_difference, show_document
from pages.shared.models import model
from pages.shared.palette import Palette
from pages.shared.tables import marked
from pages.shared.words import record_word

NEIGHBOURS = 5


def show_point(run: Run, latents: Latents, identifier: str) -> None:
    """Draw the row behind an id with its reconstruction and neighbours."""
    palette, row = Palette.current(), latents.row(identifier)
    kind, number = ("Real" if identifier[0] == "r" else "Synthetic"), int(identifier[1:])
    st.subheader(f"{kind} {record_word(row)} {number}", anchor=False)
    with model(run) as lm:
        whole = lm.reconstruct(row)[row.columns]
        core = lm.decode(latents.latent(identifier))[row.columns]
    if is_documents(row):
        _show_document(str(row.columns[0]), row, whole, core)
    else:
        _show_cells(row, whole, core, palette)
    with st.spinner("Looking for the nearest …"):
        distances, indices = nearest(latents.real, latents.latent(identifier), NEIGHBOURS + 1)
    pairs = [(d, i) for d, i in zip(distances[0], indices[0], strict=True) if f"r{i}" != identifier][
        :NEIGHBOURS
    ]
    near = latents.real_rows.iloc[[int(i) for _, i in pairs]].reset_index(drop=True).copy()
    if is_documents(row):
        record = str(row.columns[0])
        st.markdown("**Nearest real documents**", help="Nearest in the full latent space, not on the map.")
        for place, (distance, _) in enumerate(pairs):
            with st.expander(f"{place + 1}, at distance {float(distance):.3f}"):
                show_document(record, near[record].iloc[place])
                show_difference(record, row[record].iloc[0], near[record].iloc[place])
        return
    differ = changed(pd.concat([row] * len(near), ignore_index=True), near)
    near.insert(0, "distance", [round(float(d), 3) for d, _ in pairs])
    st.markdown(
        f"**Nearest real rows** (cells that differ from {kind.lower()} row {number} are marked)",
        help="Nearest in the full latent space, not on the map.",
    )
    st.dataframe(marked(near, differ, palette), hide_index=True, alt="Nearest real rows")


def _show_document(record: str, row: pd.DataFrame, whole: pd.DataFrame, core: pd.DataFrame) -> None:
    """The document, and what its two reconstructions changed."""
    show_document(record, row[record].iloc[0])
    tabs = st.tabs(["Rebuilt from its latent", "From the core alone"])
    for tab, made in zip(tabs, (whole, core), strict=True):
        with tab:
            show_document(record, made[record].iloc[0])
            st.caption("What differs from the document itself:")
            show_difference(record, row[record].iloc[0], made[record].iloc[0])


def _show_cells(row: pd.DataFrame, whole: pd.DataFrame, core: pd.DataFrame, palette: Palette) -> None:
    """The row above its two reconstructions, with changed cells marked."""
    both = pd.concat([row, whole, core], ignore_index=True).copy()
    changes = pd.concat([row.isna() & False, changed(row, whole), changed(row, core)], ignore_index=True)
    both.insert(0, "", ["the row", "rebuilt from its latent", "from the core alone"])
    st.dataframe(marked(both, changes, palette), hide_index=True, alt="The row and its reconstruction")
    wrong = [int(n) for n in changes.to_numpy().sum(axis=1)]
    cells = row.shape[1]
    st.caption(
        f"Exact from its whole latent: {cells - wrong[1]} of {cells} cells; from the core alone, which is what "
        f"the map shows and new rows are drawn from: {cells - wrong[2]}. Marked cells differ."
    )
