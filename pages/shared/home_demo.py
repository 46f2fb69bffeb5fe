"""The bundled demo on Home: its map, small and still, and a few of the records that it made up."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from difflm.differences import copies
from difflm.map_data import latest_sample
from difflm.runs import Run
from pages.shared.canvas_map import Behaviour, draw_map
from pages.shared.colouring import KIND
from pages.shared.documents import is_documents, show_documents
from pages.shared.latents import latents_of, pca_map, stamp
from pages.shared.maps import HOME_POINTS, map_content
from pages.shared.session import choose_run
from pages.shared.tables import plain_table
from pages.shared.words import PROJECTION

HOW = Behaviour(height=380, moves=False)


def show_map(run: Run) -> None:
    """The map of `run`; a click leads to the page that explores it."""
    rows = latents_of(run).real_rows
    color = KIND if is_documents(rows) else "continent" if "continent" in rows else rows.columns[0]
    name = f"home-{run.name}"
    point = draw_map(map_content(run, "pca", color, name, HOW, HOME_POINTS), name)
    if point is not None:
        choose_run(run.name)
        st.session_state[f"point-{run.name}"] = point
        st.switch_page("pages/latent_map.py", query_params={"run": run.name})
    data = pca_map(run).sampled(HOME_POINTS)
    drawn = int((data.kind == "synthetic").sum())
    st.caption(
        f"{len(data) - drawn:,} real records (circles)"
        + (f" and {drawn:,} synthetic ones (diamonds)" if drawn else "")
        + ". Each point is a record: point at it to read it, click it to look closer.",
        help=PROJECTION,
    )


def show_made_up(run: Run) -> None:
    """The first synthetic records of `run`, and how many of all are copies."""
    sample, equal = _sample(str(run.path), stamp(run))
    if sample is None:
        st.info("The demo has no synthetic records on disk. Make some on the Generate page.")
        return
    if is_documents(sample):
        with st.container(height=380):
            show_documents(sample, f"home-{run.name}")
        st.caption(f"{len(sample):,} generated documents; {equal} of them equal a real one.")
        return
    plain_table(sample.head(10))
    st.caption(f"10 of {len(sample):,} generated rows; {equal} of all equal a real row in every cell.")


@st.cache_resource(max_entries=4, show_spinner=False)
def _sample(path: str, stamp: float) -> tuple[pd.DataFrame | None, int]:
    """The newest synthetic records of a demo, and how many of them equal a real one."""
    name = latest_sample(Path(path))
    if name is None:
        return None, 0
    sample = pd.read_parquet(Path(path) / "samples" / f"{name}.parquet")
    return sample, copies(sample, pd.read_parquet(Path(path) / "data" / "train.parquet"))
