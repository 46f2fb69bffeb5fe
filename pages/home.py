"""Home: what this is, with the bundled demos shown from their files."""

from __future__ import annotations

import streamlit as st

from difflm.errors import DiffLMError
from pages.shared.models import warm_up
from pages.shared.picker import demos
from pages.shared.public import whereabouts
from pages.shared.session import choose_run, guard
from pages.shared.states import empty, failure
from pages.shared.words import LATENT

ABOUT = {
    "demo-gapminder": "Countries through the years, a table",
    "demo-tools": "Tool definitions of the standard library, JSON",
}
"""What the bundled demos are made of."""


guard("home")

st.title("Turn real records into synthetic ones, and see how", anchor=False)
st.markdown(
    "difflm learns the rows of your table, or your JSON documents or code, as points in a small space, draws new "
    "points there, and writes them out as new records. You can look at that space, walk between two records, and see "
    f"how private and useful the result is. {whereabouts()}",
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

# The first visitor of a server reads what is above while pandas is imported.
from pages.shared.home_demo import show_made_up, show_map  # noqa: E402

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
            "See the map, click a record, walk from one to another.",
        ),
        (
            "generate",
            "Generate",
            ":material/auto_awesome:",
            "Make records, check quality and privacy, download.",
        ),
    ],
    strict=True,
):
    with column, st.container(border=True, height="stretch"):
        st.page_link(f"pages/{page}.py", label=f"**{title}**", icon=icon)
        st.caption(text)
warm_up(demo)
