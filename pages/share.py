"""Share: a page that needs no server, the model, the rows, a Space: as downloads, or pushed to the Hub."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

import pandas as pd
import streamlit as st

from difflm.map_data import latest_sample
from pages.shared.datasets import command_line
from pages.shared.models import model, warm_up
from pages.shared.picker import pick_run
from pages.shared.push import push_form
from pages.shared.session import guard
from pages.shared.states import heading, next_steps, shown

if TYPE_CHECKING:
    from difflm.runs import Run

guard("share")
heading(
    "Share",
    "Give away what you made: to look at, to use, or to make more of. Nothing is uploaded unless you push it.",
)

run = pick_run()
if run is None:
    st.stop()
warm_up()


def offer(label: str, made: bytes, name: str) -> None:
    """The download of something that was made."""
    st.download_button(
        f"{label} ({len(made) / 1e6:.1f} MB)",
        made,
        name,
        "application/zip",
        icon=":material/download:",
        on_click="ignore",
    )


def kept(run: Run, what: str) -> str:
    """Where a finished download waits in this session."""
    return f"share-{what}-{run.name}"


st.subheader("A page to look at", anchor=False)
st.markdown(
    "Map, records and walks between them in one folder. It opens from disk and on any static web space."
)
columns = st.columns(2)
points = columns[0].slider("Points on the map, at most", 500, 20_000, 3_000, 500, key="share-points")
anchors = columns[1].slider("Records to walk between", 2, 12, 8, key="share-anchors")
real = st.checkbox("Put real records into the page", False, key="share-real")
if real:
    st.warning("Whoever gets the page can read these real records.", icon=":material/shield_person:")
arguments = [
    "share",
    str(run.path),
    "--out",
    f"{run.name}-page",
    "--points",
    str(points),
    "--anchors",
    str(anchors),
]
st.code(command_line([*arguments, "--real-rows"] if real else arguments), language="bash")
if st.button("Make the page", type="primary", icon=":material/web:"):
    with shown(), st.spinner("Decoding the walks …"):
        from difflm.sharing.bundle import page_bundle
        from difflm.sharing.static_page import Choice

        choice = Choice(points=points, anchors=anchors, real_rows=real)
        st.session_state[kept(run, "page")] = page_bundle(run, choice)
if (made := st.session_state.get(kept(run, "page"))) is not None:
    offer("Download the page", made, f"{run.name}-page.zip")

st.subheader("The model", anchor=False)
st.markdown(
    "Weights, settings and schema with a model card. No training rows are in it, but values of categories are."
)
if st.button("Pack the model", icon=":material/inventory_2:"):
    with shown(), st.spinner("Packing …"), model(run) as lm:
        from difflm.sharing.bundle import model_bundle

        st.session_state[kept(run, "model")] = model_bundle(lm, run)
if (made := st.session_state.get(kept(run, "model"))) is not None:
    offer("Download the model", made, f"{run.name}-model.zip")

st.subheader("The records", anchor=False)
newest = latest_sample(run.path)
if newest is None:
    st.info("No records have been generated yet.", icon=":material/auto_awesome:")
else:
    st.markdown(
        f"The newest generated records (`{shlex.quote(newest)}`) as CSV, Parquet and JSONL with a data card."
    )
    if st.button("Pack the records", icon=":material/table:"):
        with shown(), st.spinner("Packing …"):
            from difflm.sharing.bundle import rows_bundle

            rows = pd.read_parquet(run.path / "samples" / f"{newest}.parquet")
            st.session_state[kept(run, "rows")] = rows_bundle(rows, run)
    if (made := st.session_state.get(kept(run, "rows"))) is not None:
        offer("Download the rows", made, f"{run.name}-rows.zip")
with shown():
    push_form(run, points, anchors, real)
next_steps(
    ("generate", "Generate more records", ":material/auto_awesome:"),
    ("compare", "See how good they are", ":material/balance:"),
)
