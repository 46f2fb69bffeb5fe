"""One row of the map: its cells, what the model makes of it, and its nearest real rows."""

from __future__ import annotations

import pandas as pd
import streamlit as st

from difflm.differences import changed
from difflm.latent_ops import nearest
from difflm.map_data import Latents
from difflm.runs import Run
from pages.shared.models import model
from pages.shared.palette import Palette
from pages.shared.tables import marked

NEIGHBOURS = 5


def show_point(run: Run, latents: Latents, identifier: str) -> None:
    """Draw the row behind an id with its reconstruction and neighbours."""
    palette, row = Palette.current(), latents.row(identifier)
    kind, number = ("Real" if identifier[0] == "r" else "Synthetic"), int(identifier[1:])
    st.subheader(f"{kind} row {number}", anchor=False)
    with model(run) as lm:
        rebuilt = lm.decode(latents.latent(identifier))
    both = pd.concat([row, rebuilt[row.columns]], ignore_index=True)
    changes = pd.concat([row.isna() & False, changed(row, rebuilt[row.columns])], ignore_index=True)
    both.insert(0, "", ["the row", "rebuilt from its latent"])
    st.dataframe(marked(both, changes, palette), hide_index=True, alt="The row and its reconstruction")
    wrong = int(changes.to_numpy().sum())
    cells = row.shape[1]
    st.caption(
        f"Rebuilt exactly: all {cells} cells."
        if not wrong
        else f"Rebuilt from its latent alone: {cells - wrong} of {cells} cells exact; the marked ones differ."
    )
    with st.spinner("Looking for the nearest rows …"):
        distances, indices = nearest(latents.real, latents.latent(identifier), NEIGHBOURS + 1)
    pairs = [(d, i) for d, i in zip(distances[0], indices[0], strict=True) if f"r{i}" != identifier][
        :NEIGHBOURS
    ]
    near = latents.real_rows.iloc[[int(i) for _, i in pairs]].reset_index(drop=True)
    differ = changed(pd.concat([row] * len(near), ignore_index=True), near)
    near.insert(0, "distance", [round(float(d), 3) for d, _ in pairs])
    st.markdown(
        f"**Nearest real rows** (cells that differ from {kind.lower()} row {number} are marked)",
        help="Nearest in the full latent space, not on the map.",
    )
    st.dataframe(marked(near, differ, palette), hide_index=True, alt="Nearest real rows")
