"""Home: what this is, with the bundled demo shown from its files."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import streamlit as st

from difflm.differences import copies
from difflm.errors import DiffLMError
from difflm.map_data import latest_sample
from pages.shared.latents import pca_map
from pages.shared.maps import map_figure
from pages.shared.palette import Palette
from pages.shared.picker import all_runs, is_demo
from pages.shared.session import choose_run, guard
from pages.shared.states import empty, failure
from pages.shared.words import LATENT, PROJECTION

guard("home")

st.title("Turn a real table into a synthetic one, and see how", anchor=False)
st.markdown(
    "difflm learns the rows of your table as points in a small space, draws new points there, and writes "
    "them out as new rows. You can look at that space, walk between two rows, and see how private and useful "
    "the result is. Everything runs on this machine.",
    width=820,
)
demo = next((run for run in all_runs() if is_demo(run)), None)
with st.container(horizontal=True):
    if st.button("Use the demo", type="primary", icon=":material/play_arrow:", disabled=demo is None):
        choose_run(demo.name if demo else None)
        st.switch_page("pages/latent_map.py", query_params={"run": demo.name} if demo else None)
    if st.button("Use my data", icon=":material/upload:"):
        st.switch_page("pages/data.py")

if demo is None:
    empty(
        "The bundled demo run is not here. Start with your own table, or make the demo again with "
        "`python -m difflm fit gapminder --run checkpoints/demo-gapminder`.",
        ("data", "Choose data", ":material/table:"),
    )
    st.stop()

left, right = st.columns([5, 4], gap="large")
with left:
    st.subheader("The demo: countries through the years", anchor=False, help=LATENT)
    try:
        data = pca_map(demo).sampled(4_000)
        figure = map_figure(
            data, Palette.current(), "continent" if "continent" in data.rows else data.rows.columns[0], 420
        )
        st.plotly_chart(figure, key="home-map", config={"displayModeBar": False}, alt="Map of the demo rows")
        drawn = int((data.kind == "synthetic").sum())
        st.caption(
            f"{len(data) - drawn:,} real rows (circles)"
            + (f" and {drawn:,} synthetic rows (diamonds)" if drawn else "")
            + ". Each point is a row; hover to read it.",
            help=PROJECTION,
        )
    except DiffLMError as error:
        failure(error)
with right:
    st.subheader("Rows it made up", anchor=False)
    name = latest_sample(Path(demo.path))
    if name is None:
        st.info("The demo has no synthetic rows on disk. Make some on the Generate page.")
    else:
        sample = pd.read_parquet(Path(demo.path) / "samples" / f"{name}.parquet")
        st.dataframe(sample.head(10), hide_index=True, alt="Ten synthetic rows")
        equal = copies(sample, pd.read_parquet(Path(demo.path) / "data" / "train.parquet"))
        st.caption(f"10 of {len(sample):,} generated rows; {equal} of all equal a real row in every cell.")

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
