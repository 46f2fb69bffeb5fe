"""Latent map: every row as a point; click one to read it, or draw around many to see what they share."""

from __future__ import annotations

import streamlit as st

from pages.shared.group import show_group
from pages.shared.latents import latents_of, map_of, surroundings
from pages.shared.maps import CONFIG, CROWDED, KIND, NEAREST, map_figure, mark, selected
from pages.shared.models import warm_up
from pages.shared.palette import Palette
from pages.shared.picker import pick_run
from pages.shared.point import show_point
from pages.shared.projections import offer
from pages.shared.session import guard
from pages.shared.states import heading, next_steps, shown
from pages.shared.words import METHODS, PROJECTION

guard("latent_map")
heading(
    "Latent map",
    "Every point is a row. Rows that the model finds alike lie near each other. Click one to read it, or draw around "
    "several to see what they share.",
)

run = pick_run()
if run is None:
    st.stop()
warm_up()
with shown():
    latents = latents_of(run)

names = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}
with st.container(horizontal=True, vertical_alignment="bottom"):
    method = st.segmented_control(
        "Layout",
        list(names),
        default="pca",
        required=True,
        format_func=lambda name: names[name],
        key="map-method",
        help="\n\n".join(METHODS.values()),
    )
    color = st.selectbox(
        "Colour by",
        [KIND, NEAREST, CROWDED, *latents.real_rows.columns],
        key=f"map-color-{run.name}",
        width=260,
    )
    drag = st.segmented_control(
        "Dragging",
        ["pan", "lasso"],
        default="pan",
        required=True,
        format_func=lambda name: {"pan": "moves the map", "lasso": "draws around points"}[name],
        key="map-drag",
    )
with shown():
    data = map_of(run, method)
if data is None:
    st.info(
        f"{names[method]} has not been computed for this run yet. {METHODS[method]}",
        icon=":material/hourglass_empty:",
    )
    offer(run, method, names[method], len(latents.all))
    st.stop()

key = f"map-{run.name}-{method}"


remembered, grouped = f"point-{run.name}", f"group-{run.name}"


def remember() -> None:
    """Keep the ids of the clicked points: the selection itself is lost when the figure changes."""
    points = selected(st.session_state.get(key))
    if len(points) == 1:
        st.session_state[remembered] = points[0]
    elif points:
        st.session_state[grouped] = points


shown_points = data.sampled()
around = surroundings(run, shown_points, color == CROWDED) if color in (NEAREST, CROWDED) else None
figure = map_figure(shown_points, Palette.current(), color, values=around, drag=drag)
chosen = st.session_state.get(remembered)
position = shown_points.position(chosen) if chosen else None
if position is not None:
    mark(figure, shown_points.points[position], "", Palette.current())
st.plotly_chart(
    figure,
    key=key,
    on_select=remember,
    selection_mode=("points", "lasso") if drag == "lasso" else "points",
    config=CONFIG,
    alt=f"{names[method]} map of {len(shown_points)} rows coloured by {color}",
)
real = int((shown_points.kind == "real").sum())
count = f"{real:,} real rows (circles)"
if len(shown_points) > real:
    count += f" and {len(shown_points) - real:,} synthetic rows (diamonds)"
if len(shown_points) < data.total:
    count += f": a random sample of {data.total:,}, real and synthetic in proportion"
using = "Scroll to zoom, drag to move" if drag == "pan" else "Scroll to zoom, draw around points"
st.caption(f"{count}. {using}.", help=PROJECTION)
if not len(latents.synthetic):
    st.caption("No synthetic rows are on this map yet: generate some and tick “Show them on the map”.")

if group := st.session_state.get(grouped):
    with shown():
        show_group(run, latents, group, grouped)
if chosen is None:
    if not group:
        st.info("Click a point to see its row.", icon=":material/ads_click:")
else:
    with shown():
        show_point(run, latents, chosen)
next_steps(
    ("interpolate", "Walk between two rows", ":material/timeline:"),
    ("generate", "Generate rows", ":material/auto_awesome:"),
)
