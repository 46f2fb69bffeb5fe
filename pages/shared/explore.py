"""The latent map with its choices, and the record or the group that was pointed at.

One fragment: a click runs this again and not the page, and the map itself is not sent again.
"""

from __future__ import annotations

import streamlit as st

from difflm.map_data import Latents, MapData
from difflm.runs import Run
from pages.shared.canvas_map import Behaviour, Drag, draw_map
from pages.shared.colouring import CROWDED, KIND, NEAREST
from pages.shared.group import show_group
from pages.shared.latents import shown_map
from pages.shared.maps import map_content, places
from pages.shared.point import show_point
from pages.shared.projections import offer
from pages.shared.states import shown
from pages.shared.words import METHODS, PROJECTION, record_word

NAMES = {"pca": "PCA", "umap": "UMAP", "tsne": "t-SNE"}
DRAGGING: dict[Drag, str] = {"pan": "moves the map", "lasso": "draws around points"}


@st.fragment
def explore(run: Run, latents: Latents) -> None:
    """Draw everything of the page below the choice of the run."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        method, color, drag = _choices(run, latents)
    with shown():
        data = shown_map(run, method)
    if data is None:
        st.info(
            f"{NAMES[method]} has not been computed for this run yet. {METHODS[method]}",
            icon=":material/hourglass_empty:",
        )
        offer(run, method, NAMES[method], len(latents.all))
        return
    chosen, caught = f"point-{run.name}", f"group-{run.name}"
    name = f"map-{run.name}-{method}"
    with shown():
        draw_map(
            map_content(run, method, color, name, Behaviour()),
            name,
            marks=places(data, [(st.session_state.get(chosen), "")]),
            drag=drag,
            on_click=lambda one: st.session_state.update({chosen: one}),
            on_lasso=lambda many: st.session_state.update({caught: many}),
        )
    _describe(run, latents, data, drag)
    if group := st.session_state.get(caught):
        with shown():
            show_group(run, latents, group, caught)
    if point := st.session_state.get(chosen):
        with shown():
            show_point(run, latents, point)
    elif not group:
        st.info(f"Click a point to see its {record_word(latents.real_rows)}.", icon=":material/ads_click:")


def _choices(run: Run, latents: Latents) -> tuple[str, str, Drag]:
    """Layout, colour, and what dragging does."""
    method = st.segmented_control(
        "Layout",
        list(NAMES),
        default="pca",
        required=True,
        format_func=NAMES.__getitem__,
        key="map-method",
        help="\n\n".join(METHODS.values()),
    )
    colors = [KIND, NEAREST, CROWDED, *latents.real_rows.columns]
    color = st.selectbox("Colour by", colors, key=f"map-color-{run.name}", width=260)
    drag = st.segmented_control(
        "Dragging",
        list(DRAGGING),
        default="pan",
        required=True,
        format_func=DRAGGING.__getitem__,
        key="map-drag",
    )
    return method, color, drag


def _describe(run: Run, latents: Latents, data: MapData, drag: Drag) -> None:
    """How many points there are, out of how many, and what can be done with them."""
    many = record_word(latents.real_rows, 2)
    real = int((data.kind == "real").sum())
    count = f"{real:,} real {many} (circles)"
    if len(data) > real:
        count += f" and {len(data) - real:,} synthetic {many} (diamonds)"
    if len(data) < data.total:
        count += f": a random sample of {data.total:,}, real and synthetic in proportion, over a shade of where all lie"
    using = "Scroll to zoom, drag to move" if drag == "pan" else "Scroll to zoom, draw around points"
    st.caption(f"{count}. {using}.", help=PROJECTION)
    if not len(latents.synthetic):
        st.caption(f"No synthetic {many} are on this map yet: generate some and tick “Show them on the map”.")
