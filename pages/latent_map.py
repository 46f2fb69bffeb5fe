"""Latent map: every record as a point; click one to read it, or draw around many to see what they share."""

from __future__ import annotations

import streamlit as st

from pages.shared.core_notice import core_notice
from pages.shared.explore import explore
from pages.shared.latents import latents_of
from pages.shared.models import warm_up
from pages.shared.picker import pick_run
from pages.shared.session import guard
from pages.shared.states import heading, next_steps, shown

guard("latent_map")
heading(
    "Latent map",
    "Every point is a record. Records that the model finds alike lie near each other. Click one to read it, or draw "
    "around several to see what they share.",
)

run = pick_run()
if run is None:
    st.stop()
warm_up(run)
with shown():
    latents = latents_of(run)
core_notice(run, latents, "map")
explore(run, latents)
next_steps(
    ("interpolate", "Walk between two records", ":material/timeline:"),
    ("generate", "Generate records", ":material/auto_awesome:"),
)
