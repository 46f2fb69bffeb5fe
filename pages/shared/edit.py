"""Editing one row: it moves along the direction of a column in the latent, and one sees what else changes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from difflm.differences import changed
from difflm.latent_edits import LEAST, can_steer, direction, has_order
from difflm.latent_ops import nearest
from difflm.map_data import Latents
from difflm.runs import Run
from pages.shared.latents import stamp
from pages.shared.models import model
from pages.shared.palette import Palette
from pages.shared.states import figures
from pages.shared.tables import downloads, marked
from pages.shared.words import EDIT

STEPS = 9
"""Rows shown on the way; the row itself is the first."""


@st.fragment
def edit_row(run: Run, latents: Latents) -> None:
    """Choose a row, a column and how far; draw what becomes of the row."""
    palette = Palette.current()
    columns = [name for name in latents.real_rows.columns if can_steer(latents.real_rows[name])]
    if not columns:
        st.info(
            "No column of this table has a direction: too few rows share a value.", icon=":material/info:"
        )
        return
    # A column with an order shows best what the slider does.
    ordered = {name: has_order(values) for name, values in latents.real_rows.items()}
    columns.sort(key=lambda name: not ordered[name])
    with st.container(horizontal=True, vertical_alignment="bottom"):
        last = len(latents.real) - 1
        row = int(st.number_input("Real row number", 0, last, 0, width=180, key=f"edit-row-{run.name}"))
        name = st.selectbox(
            "Column to move along", columns, width=260, key=f"edit-column-{run.name}", help=EDIT
        )
        value = _value(latents.real_rows[name], run.name, name)
    far = 4.0
    reach = st.slider(
        "How far",
        -far if value is None else 0.0,
        far,
        2.0,
        0.25,
        key=f"edit-reach-{run.name}-{value is None}",
        help="In standard deviations of the column; for a value, 1 leads from the rows without it to those with it.",
    )
    with st.spinner("Writing the rows on the way …"):
        made, z = _edited(run, latents, row, name, value, reach, stamp(run))
    original = latents.real_rows.iloc[[row]].reset_index(drop=True)
    differ = changed(pd.concat([made.iloc[:1]] * len(made), ignore_index=True), made)
    table = made.copy()
    distance, _ = nearest(latents.real, z, 1)
    table.insert(0, "to nearest real", distance[:, 0].round(3))
    table.insert(0, "moved by", np.linspace(0, reach, len(made)).round(2))
    others = [column for column in made.columns if column != name and bool(differ[column].iloc[-1])]
    figures(
        (f"{name[:20]} before", _short(made[name].iloc[0]), "As the core of the latent rebuilds it."),
        (f"{name[:20]} after", _short(made[name].iloc[-1]), ""),
        ("Other columns changed", f"{len(others)} of {made.shape[1] - 1}", ", ".join(others)),
    )
    st.dataframe(marked(table, differ, palette), hide_index=True, alt="The row on its way along the column")
    wrong = int(changed(original, made.iloc[:1]).to_numpy().sum())
    st.caption(
        "All rows are written from the core of the latent; cells that differ from the first of them are marked. "
        f"The first differs from row {row} itself in {wrong} of {made.shape[1]} cells."
    )
    downloads(made, f"edit-{row}-{name}")


def _value(values: pd.Series, run: str, name: str) -> str | None:
    """The value to move towards, for a column without an order."""
    if has_order(values):
        return None
    counts = values.dropna().astype("string").value_counts()
    offered = [str(v) for v, n in counts.items() if LEAST <= n <= len(values) - LEAST][:200]
    return st.selectbox("towards", offered, width=220, key=f"edit-value-{run}-{name}")


@st.cache_data(
    max_entries=32, show_spinner=False, hash_funcs={Run: lambda run: str(run.path), Latents: lambda _: 0}
)
def _edited(
    run: Run, latents: Latents, row: int, name: str, value: str | None, reach: float, stamp: float
) -> tuple[pd.DataFrame, NDArray[np.float32]]:
    """Rows on the way, the row itself first, and their latents (STEPS, Z)."""
    along = direction(latents.real, latents.real_rows[name], value)
    z = latents.real[row] + np.linspace(0, reach, STEPS, dtype=np.float32)[:, None] * along
    with model(run) as lm:
        return lm.decode(z), z


def _short(cell: object) -> str:
    return f"{cell:.5g}" if isinstance(cell, float) else str(cell)[:24]
