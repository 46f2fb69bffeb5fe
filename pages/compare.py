"""Compare: how good, how useful and how private the synthetic rows are, beside their references."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from pages.shared.drawings import columns_drawing, pair_chooser, pairs_drawing
from pages.shared.evaluations import evaluate_panel, read_report
from pages.shared.palette import Palette
from pages.shared.picker import pick_run
from pages.shared.scorecard import closest_pairs, concerns, given_away, latent_use, scorecard
from pages.shared.session import guard
from pages.shared.states import heading, next_steps, shown

guard("compare")
heading("Compare", "Are the synthetic records like the real ones, useful in their place, and nobody's copy?")

run = pick_run()
if run is None:
    st.stop()
palette = Palette.current()
with shown():
    report = read_report(run)
evaluate_panel(run, report)
if report is None:
    st.stop()
make_html, make_json = report.to_html, report.to_json

concerns(report)
latent_use(report)
scorecard(report)

columns = report.details.get("columns", [])
if columns:
    st.subheader(
        "Columns, worst first",
        anchor=False,
        help="The error is the largest gap between the two distributions, in per cent.",
    )
    shown_count = st.session_state.get("columns-shown", 6)
    columns_drawing(columns[:shown_count], palette, "columns")
    if shown_count < len(columns) and st.button(
        f"Show all {len(columns)} columns", icon=":material/expand_more:"
    ):
        st.session_state["columns-shown"] = len(columns)
        st.rerun()

pairs = report.details.get("pairs")
if pairs:
    st.subheader(
        "Pairs of columns",
        anchor=False,
        help="How far the relation of two columns is off: half the difference of their correlations, "
        "or the distance between their tables of counts.",
    )
    pairs_drawing(pairs, palette, "pairs")
    joint = report.details.get("joint", [])
    if joint:
        pair_chooser(joint, run.name, palette)

if c2st := report.details.get("c2st"):
    given_away(c2st)
closest_pairs(report, palette)
page = Path(run.path) / "report.html"
with st.container(horizontal=True):
    st.download_button(
        "Report as one HTML page",
        lambda: page.read_bytes() if page.exists() else make_html().encode(),
        f"{run.name}-report.html",
        "text/html",
        icon=":material/download:",
        on_click="ignore",
    )
    st.download_button(
        "Figures as JSON",
        lambda: make_json().encode(),
        f"{run.name}-report.json",
        "application/json",
        icon=":material/download:",
        on_click="ignore",
    )
with st.expander("How this was measured", icon=":material/science:"):
    for line in [*report.setting_lines(), *report.notes]:
        st.markdown(f"- {line}")
next_steps(
    ("generate", "Generate more", ":material/auto_awesome:"),
    ("latent_map", "See the map", ":material/scatter_plot:"),
)
