"""Interpolate: the records that lie between two, and one row moved along a column."""

from __future__ import annotations

import streamlit as st

from pages.shared.core_notice import core_notice
from pages.shared.documents import is_documents
from pages.shared.edit import edit_row
from pages.shared.latents import latents_of
from pages.shared.models import warm_up
from pages.shared.picker import pick_run
from pages.shared.session import guard
from pages.shared.states import heading, next_steps, shown
from pages.shared.steps import walk_page

guard("interpolate")
heading(
    "Interpolate",
    "Choose two records, A and B: the model writes the records that lie on the way from one to the other. "
    "Or take one row of a table and move it along a column.",
)

run = pick_run()
if run is None:
    st.stop()
warm_up(run)
with shown():
    latents = latents_of(run)
core_notice(run, latents, "walk")

what = "walk"
if not is_documents(latents.real_rows):
    what = st.segmented_control(
        "What to do",
        ["walk", "edit"],
        default="walk",
        required=True,
        key="walk-what",
        format_func={"walk": "walk from A to B", "edit": "edit one row"}.__getitem__,
        label_visibility="collapsed",
    )
if what == "edit":
    with shown():
        edit_row(run, latents)
else:
    walk_page(run, latents)
next_steps(
    ("generate", "Generate records", ":material/auto_awesome:"),
    ("latent_map", "Back to the map", ":material/scatter_plot:"),
)
