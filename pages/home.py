"""Home: what this is, with the bundled demos shown from their files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from difflm.differences import copies
from difflm.errors import DiffLMError
from difflm.map_data import latest_sample
from difflm.runs import Run
from pages.shared.canvas_map import Behaviour, draw_map
from pages.shared.colouring import KIND
from pages.shared.documents import is_documents, show_documents
from pages.shared.latents import latents_of, pca_map
from pages.shared.maps import HOME_POINTS, map_content
from pages.shared.models import warm_up
from pages.shared.picker import demos
from pages.shared.session import choose_run, guard
from pages.shared.states import empty, failure
from pages.shared.tables import plain_table
from pages.shared.words import LATENT, PROJECTION

ABOUT = {
    "demo-gapminder": "Countries through the years, a table",
    "demo-tools": "Tool definitions of the standard library, JSON",
}
"""What the bundled demos are made of."""


def show_made_up(run: Run) -> None:
    """The first synthetic records of `run`, and how many of all are copies."""
    name = latest_sample(Path(run.path))
    if name is None:
        st.info("The demo has no synthetic records on disk. Make some on the Generate page.")
        return
    sample = pd.read_parquet(Path(run.path) / "samples" / f"{name}.parquet")
    equal = copies(sample, pd.read_parquet(Path(run.path) / "data" / "train.parquet"))
    if is_documents(sample):
        with st.container(height=380):
            show_documents(sample, f"home-{run.name}")
        st.caption(f"{len(sample):,} generated documents; {equal} of them equal a real one.")
        return
    plain_table(sample.head(10))
    st.caption(f"10 of {len(sample):,} generated rows; {equal} of all equal a real row in every cell.")


def show_map(run: Run) -> None:
    """The map of `run`, small and still; a click leads to the page that explores it."""
    rows = latents_of(run).real_rows
    color = KIND if is_documents(rows) else "continent" if "continent" in rows else rows.columns[0]
    name, how = f"home-{run.name}", Behaviour(height=380, moves=False)
    point = draw_map(map_content(run, "pca", color, name, how, HOME_POINTS), name)
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


guard("home")

st.title("Turn real records into synthetic ones, and see how", anchor=False)
st.markdown(
    "difflm learns the rows of your table, or your JSON documents or code, as points in a small space, draws new "
    "points there, and writes them out as new records. You can look at that space, walk between two records, and see "
    "how private and useful the result is. Everything runs on this machine.",
    width=820,
)
bundled = {run.name: run for run in demos()}
chosen = st.session_state.get("home-demo") or next(iter(bundled), None)
demo = bundled.get(chosen) if chosen else None
with st.container(horizontal=True):
    if st.button("Use the demo", type="primary", icon=":material/play_arrow:", disabled=demo is None):
        choose_run(demo.name if demo else None)
        st.switch_page("pages/latent_map.py", query_params={"run": demo.name} if demo else None)
    if st.button("Use my data", icon=":material/upload:"):
        st.switch_page("pages/data.py")

if demo is None:
    empty(
        "The bundled demo runs are not here. Start with your own table, or make a demo again with "
        "`python -m difflm fit gapminder --run checkpoints/demo-gapminder`.",
        ("data", "Choose data", ":material/table:"),
    )
    st.stop()

if len(bundled) > 1:
    st.segmented_control(
        "Demo",
        list(bundled),
        default=demo.name,
        required=True,
        format_func=lambda name: ABOUT.get(name, name),
        key="home-demo",
    )
left, right = st.columns([5, 4], gap="large")
with left:
    st.subheader(
        f"The demo: {ABOUT.get(demo.name, demo.name).partition(',')[0].lower()}", anchor=False, help=LATENT
    )
    try:
        show_map(demo)
    except DiffLMError as error:
        failure(error)
with right:
    st.subheader("Records it made up", anchor=False)
    show_made_up(demo)

st.divider()
for column, (page, title, icon, text) in zip(
    st.columns(4),
    [
        (
            "data",
            "Choose data",
            ":material/table:",
            "Upload a table or take a built-in one; check columns and types.",
        ),
        ("train", "Train", ":material/model_training:", "From two minutes on two CPU cores; watch it learn."),
        (
            "latent_map",
            "Look inside",
            ":material/scatter_plot:",
            "See the map, click a row, walk from one row to another.",
        ),
        (
            "generate",
            "Generate and compare",
            ":material/auto_awesome:",
            "Make rows, check quality and privacy, download.",
        ),
    ],
    strict=True,
):
    with column, st.container(border=True, height="stretch"):
        st.page_link(f"pages/{page}.py", label=f"**{title}**", icon=icon)
        st.caption(text)
warm_up(demo)
