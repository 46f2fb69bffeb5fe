"""Runs: all of them in one table; overlay, resume, clone, delete."""

from __future__ import annotations

import streamlit as st

from difflm import jobs
from difflm.runs import ACTIVE
from pages.shared import charts
from pages.shared.live import curves_of
from pages.shared.palette import Palette
from pages.shared.picker import all_runs, has_model, is_demo
from pages.shared.public import is_public, may_train
from pages.shared.run_table import SERIES, confirm_delete, offer_undo, run_table
from pages.shared.session import choose_run, guard
from pages.shared.settings_form import overrides_of
from pages.shared.states import empty, heading, shown

guard("runs")
heading(
    "Runs",
    f"{'Your trainings, and the demos' if is_public() else 'Every training on this machine'}. Tick one to work with "
    "it, or several to compare their curves.",
)

offer_undo()
runs = all_runs()
if not runs:
    empty("Nothing has been trained yet.", ("data", "Choose data", ":material/table:"))
    st.stop()

picked = run_table(runs)
if not picked:
    st.caption("Tick a row at its left edge.")
if len(picked) == 1:
    run = picked[0]
    choose_run(run.name)
    state = run.status.state
    with st.container(horizontal=True), shown():
        if st.button("Curves and log", icon=":material/show_chart:"):
            st.session_state["train-view"], st.session_state["watched"] = "Watch a run", run.name
            st.switch_page("pages/train.py", query_params={"run": run.name})
        if st.button("Map", icon=":material/scatter_plot:", disabled=not has_model(run)):
            st.switch_page("pages/latent_map.py", query_params={"run": run.name})
        if (
            state in ("stopped", "failed")
            and not is_demo(run)
            and may_train()
            and st.button("Resume", icon=":material/resume:")
        ):
            jobs.resume(run)
            st.rerun()
        if st.button(
            "Clone settings",
            icon=":material/content_copy:",
            help="Start a new training with the same settings.",
        ):
            preset = run.config.get("preset", "standard")
            st.session_state["clone"] = {
                "name": run.name,
                "preset": preset,
                "overrides": overrides_of(run.config, preset),
            }
            st.session_state["train-view"] = "New training"
            st.switch_page("pages/train.py")
        if not is_demo(run) and st.button("Delete", icon=":material/delete:", disabled=state in ACTIVE):
            confirm_delete(run)

if picked:
    st.subheader("Curves", anchor=False)
    label = st.selectbox("Curve", list(SERIES), width=340)
    curves = {run.name: curves_of(run) for run in picked}
    st.plotly_chart(
        charts.overlay(
            curves,
            SERIES[label],
            "nats a record" if "prior" not in SERIES[label] else "loss",
            Palette.current(),
        ),
        key="overlay",
        config=charts.CONFIG,
        alt=f"{label} of {', '.join(curves)}",
    )
