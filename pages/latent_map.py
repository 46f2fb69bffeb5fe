"""Latent map: every row as a point; click one to read it, its reconstruction and its neighbours."""

from __future__ import annotations

import streamlit as st

from pages.shared.latents import latents_of, map_of
from pages.shared.maps import CONFIG, KIND, clicked, map_figure, mark
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
    "Every point is a row. Rows that the model finds alike lie near each other. Click one to read it.",
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
        "Colour by", [KIND, *latents.real_rows.columns], key=f"map-color-{run.name}", width=260
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


remembered = f"point-{run.name}"


def remember() -> None:
    """Keep the id of the clicked point: the selection itself is lost when the figure changes."""
    point = clicked(st.session_state.get(key))
    if point is not None:
        st.session_state[remembered] = point


shown_points = data.sampled()
figure = map_figure(shown_points, Palette.current(), color)
chosen = st.session_state.get(remembered)
position = shown_points.position(chosen) if chosen else None
if position is not None:
    mark(figure, shown_points.points[position], "", Palette.current())
st.plotly_chart(
    figure,
    key=key,
    on_select=remember,
    selection_mode="points",
    config=CONFIG,
    alt=f"{names[method]} map of {len(shown_points)} rows coloured by {color}",
)
real = int((shown_points.kind == "real").sum())
count = f"{real:,} real rows (circles)"
if len(shown_points) > real:
    count += f" and {len(shown_points) - real:,} synthetic rows (diamonds)"
if len(shown_points) < data.total:
    count += f": a random sample of {data.total:,}, real and synthetic in proportion"
st.caption(f"{count}. Scroll to zoom, drag to move.", help=PROJECTION)
if not len(latents.synthetic):
    st.caption("No synthetic rows are on this map yet: generate some and tick “Show them on the map”.")

if chosen is None:
    st.info("Click a point to see its row.", icon=":material/ads_click:")
else:
    with shown():
        show_point(run, latents, chosen)
next_steps(
    ("interpolate", "Walk between two rows", ":material/timeline:"),
    ("generate", "Generate rows", ":material/auto_awesome:"),
)
