"""A walk between two records on the page: the map with its path, the ends, and the records on the way.

One fragment: a click on the map runs this again and not the page, and the map itself is not sent again.
"""

from __future__ import annotations

import streamlit as st

from difflm.map_data import Latents
from difflm.runs import Run
from pages.shared.canvas_map import Behaviour, draw_map
from pages.shared.colouring import KIND
from pages.shared.documents import is_documents
from pages.shared.endpoints import Ends, choose_endpoints
from pages.shared.latents import shown_map
from pages.shared.maps import map_content, places
from pages.shared.palette import Palette
from pages.shared.states import figures, shown
from pages.shared.tables import downloads, marked
from pages.shared.walk import Walk, show_steps, walk
from pages.shared.words import LINEAR, PROJECTION, SPHERICAL, VALIDITY, record_word

HOW = Behaviour(height=480, many=True)


@st.fragment
def walk_page(run: Run, latents: Latents) -> None:
    """Choose A and B on the map or by number; what lies between them."""
    one, many = record_word(latents.real_rows), record_word(latents.real_rows, 2)
    left, right = st.columns([3, 2], gap="medium")
    with right:
        ends, steps, mode, color = _choices(run, latents, many)
    result = None
    if ends.a and ends.b:
        with shown(), st.spinner("Decoding the way …"):
            result = walk(run, latents, ends.a, ends.b, steps, mode)
    with left, shown():
        data = shown_map(run)
        assert data is not None
        name = f"walk-{run.name}"
        draw_map(
            map_content(run, "pca", color, name, HOW),
            name,
            marks=places(data, [(ends.a, "A"), (ends.b, "B")]),
            path=None if result is None else result.points,
            on_click=ends.click,
        )
        st.caption(
            "Click a point for A, another for B; a third starts again. A 2-D map is a projection; "
            "interpolation happens in the full latent.",
            help=PROJECTION,
        )
    if result is None:
        st.info(
            f"Click two points on the map, or choose {one} numbers beside it.", icon=":material/ads_click:"
        )
        return
    _show(result, one, many)
    downloads(result.rows, f"path-{ends.a}-{ends.b}")


def _choices(run: Run, latents: Latents, many: str) -> tuple[Ends, int, str, str]:
    """A and B, how many steps, the way, and the colour of the map."""
    ends = choose_endpoints(run, latents)
    mode = st.segmented_control(
        "Way",
        ["linear", "spherical"],
        default="linear",
        required=True,
        key="walk-mode",
        format_func={"linear": "straight", "spherical": "along an arc"}.__getitem__,
        help=f"{LINEAR}\n\n{SPHERICAL}",
    )
    steps = st.slider(
        "Steps", 3, 25, 9, key="walk-steps", help=f"{many.capitalize()} on the way, A and B included."
    )
    color = st.selectbox("Colour by", [KIND, *latents.real_rows.columns], key=f"walk-color-{run.name}")
    return ends, steps, mode, color


def _show(result: Walk, one: str, many: str) -> None:
    """The figures of a walk and its records."""
    documents = is_documents(result.rows)
    st.subheader(f"The way, {one} by {one}", anchor=False)
    near = (
        f"Distance in the latent to the nearest real {one}. Half of the real {many} have another one within"
    )
    changes = int(result.changes.to_numpy().sum())
    figures(
        (f"Valid {many}", f"{result.valid:.0%}", VALIDITY),
        (
            "Steps that change" if documents else "Cells that change",
            f"{changes}",
            f"Against the {one} before.",
        ),
        ("Farthest from real", f"{result.distance.max():.2f}", f"{near} {result.typical:.2f}."),
    )
    if documents:
        show_steps(result)
        return
    st.dataframe(
        marked(result.table, result.table_changes, Palette.current()),
        hide_index=True,
        height=min(40 + 35 * len(result.rows), 640),
        alt="Decoded rows from A to B, changed cells marked",
    )
    st.caption(
        "A and B are shown as the model rebuilds them. Cells that differ from the row before are marked; "
        "“to nearest real” is a distance in the latent."
    )
