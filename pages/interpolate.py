"""Interpolate: the rows that lie between two, and one row moved along a column."""

from __future__ import annotations

import streamlit as st

from pages.shared.documents import is_documents
from pages.shared.edit import edit_row
from pages.shared.endpoints import choose_endpoints
from pages.shared.latents import latents_of, pca_map
from pages.shared.maps import CONFIG, KIND, map_figure, mark, path
from pages.shared.models import warm_up
from pages.shared.palette import Palette
from pages.shared.picker import pick_run
from pages.shared.session import guard
from pages.shared.states import figures, heading, next_steps, shown
from pages.shared.tables import downloads, marked
from pages.shared.walk import show_steps, walk
from pages.shared.words import LINEAR, PROJECTION, SPHERICAL, VALIDITY

guard("interpolate")
heading(
    "Interpolate",
    "Choose two rows, A and B: the model writes the rows that lie on the way from one to the other. "
    "Or take one row and move it along a column.",
)

run = pick_run()
if run is None:
    st.stop()
warm_up()
palette = Palette.current()
with shown():
    latents = latents_of(run)
    data = pca_map(run).sampled()

if not is_documents(latents.real_rows):
    what = st.segmented_control(
        "What to do",
        ["walk", "edit"],
        default="walk",
        required=True,
        key="walk-what",
        format_func=lambda name: {"walk": "walk from A to B", "edit": "edit one row"}[name],
        label_visibility="collapsed",
    )
    if what == "edit":
        with shown():
            edit_row(run, latents)
        next_steps(
            ("generate", "Generate rows", ":material/auto_awesome:"),
            ("latent_map", "Back to the map", ":material/scatter_plot:"),
        )
        st.stop()

left, right = st.columns([3, 2], gap="medium")
with right:
    ends = choose_endpoints(run, latents)
    mode = st.segmented_control(
        "Way",
        ["linear", "spherical"],
        default="linear",
        required=True,
        key="walk-mode",
        format_func=lambda name: {"linear": "straight", "spherical": "along an arc"}[name],
        help=f"{LINEAR}\n\n{SPHERICAL}",
    )
    steps = st.slider("Steps", 3, 25, 9, key="walk-steps", help="Rows on the way, A and B included.")
    color = st.selectbox("Colour by", [KIND, *latents.real_rows.columns], key=f"walk-color-{run.name}")

result = None
if ends.a and ends.b:
    with shown(), st.spinner("Decoding the way …"):
        result = walk(run, latents, ends.a, ends.b, steps, mode)

with left:
    figure = map_figure(data, palette, color, 480)
    if result is not None:
        path(figure, result.points, palette)
    for letter, identifier in (("A", ends.a), ("B", ends.b)):
        if identifier and (position := data.position(identifier)) is not None:
            mark(figure, data.points[position], letter, palette)
    key = f"walk-map-{run.name}"
    st.plotly_chart(
        figure,
        key=key,
        on_select=lambda: ends.click(st.session_state.get(key)),
        selection_mode="points",
        config=CONFIG,
        alt="Map with the path from A to B",
    )
    st.caption(
        "Click a point for A, another for B; a third starts again. A 2-D map is a projection; "
        "interpolation happens in the full latent.",
        help=PROJECTION,
    )

if result is None:
    st.info("Click two points on the map, or choose row numbers beside it.", icon=":material/ads_click:")
    st.stop()

st.subheader("The way, row by row", anchor=False)
near = "Distance in the latent to the nearest real row. Half of the real rows have another one within"
figures(
    ("Valid rows", f"{result.valid:.0%}", VALIDITY),
    ("Cells that change", f"{int(result.changes.to_numpy().sum())}", "Against the row before; marked below."),
    ("Farthest from real", f"{result.distance.max():.2f}", f"{near} {result.typical:.2f}."),
)
if is_documents(result.rows):
    show_steps(result)
else:
    st.dataframe(
        marked(result.table, result.table_changes, palette),
        hide_index=True,
        height=min(40 + 35 * steps, 640),
        alt="Decoded rows from A to B, changed cells marked",
    )
    st.caption(
        "A and B are shown as the model rebuilds them. Cells that differ from the row before are marked; "
        "“to nearest real” is a distance in the latent."
    )
downloads(result.rows, f"path-{ends.a}-{ends.b}")
next_steps(
    ("generate", "Generate rows", ":material/auto_awesome:"),
    ("latent_map", "Back to the map", ":material/scatter_plot:"),
)
