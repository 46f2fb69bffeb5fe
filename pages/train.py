"""Train: settings with their cost, the equal command, start; then the live view of a run."""

from __future__ import annotations

import streamlit as st

from difflm import jobs
from difflm.config import PRESETS, Config
from difflm.runs import ACTIVE
from pages.shared.costs import cost_of
from pages.shared.datasets import built_in_choice, command_line, current, new_run_path
from pages.shared.document_data import MANY
from pages.shared.live import watch
from pages.shared.picker import all_runs, is_demo, label
from pages.shared.public import MINUTES, caps, check_caps, check_turn, is_public
from pages.shared.session import choose_run, guard
from pages.shared.settings_form import settings_form
from pages.shared.states import empty, figures, heading, shown
from pages.shared.words import table_size

guard("train")
heading(
    "Train",
    "Teach a small model your table or your documents. It runs in the background and goes on when you leave.",
)

NEW, WATCH = "New training", "Watch a run"
PRESET_WORDS = {
    "quick": "Quick: a first look",
    "standard": "Standard: the usual choice",
    "thorough": "Thorough: when it counts",
    "paper": "Paper: the published settings, for a graphics card",
}

runs = {run.name: run for run in all_runs()}
chosen = st.query_params.get("run")
active = [name for name, run in runs.items() if run.status.state in ACTIVE]
if "train-view" not in st.session_state:
    watching = chosen in active or (current() is None and (chosen in runs or bool(active)))
    st.session_state["train-view"] = WATCH if watching and "clone" not in st.session_state else NEW
view = st.segmented_control(
    "View", [NEW, WATCH], required=True, key="train-view", label_visibility="collapsed"
)

if view == WATCH:
    if not runs:
        empty("Nothing has been trained yet.", ("data", "Choose data", ":material/table:"))
        st.stop()
    names = sorted(runs, key=lambda name: (name not in active, is_demo(runs[name])))
    if st.session_state.get("watched") not in names:
        st.session_state["watched"] = chosen if chosen in names else names[0]
    name = st.selectbox("Run", names, key="watched", format_func=lambda n: label(runs[n]), width=340)
    choose_run(name)
    watch(runs[name])
    st.stop()

clone = st.session_state.get("clone", {})
data = current()
if data is None:
    notice = st.container()
    data = built_in_choice()
    if data is None:
        with notice:
            empty(
                "Choose a table first, or take a built-in one right here.",
                ("data", "Choose data", ":material/table:"),
            )
        st.stop()
else:
    with st.container(horizontal=True, vertical_alignment="center"):
        target = f", predicts **{data.target}**" if data.target else ""
        st.markdown(
            f"Table: **{data.name}**, {table_size(data.rows, len(data.columns))}{target}"
            if data.record == "table"
            else f"Documents: **{data.name}**, {data.rows:,} {MANY[data.record]}",
            width="content",
        )
        st.page_link("pages/data.py", label="Change", icon=":material/edit:")
if clone:
    with st.container(horizontal=True, vertical_alignment="center"):
        st.info(f"Settings are those of “{clone['name']}”.", icon=":material/content_copy:")
        if st.button("Back to the presets", icon=":material/close:"):
            del st.session_state["clone"]
            st.rerun()

presets = [name for name, values in PRESETS.items() if not is_public() or values["time_limit"] <= MINUTES]
preset = st.radio(
    "How much effort",
    presets,
    index=presets.index(clone.get("preset", "quick") if clone.get("preset") in presets else "quick"),
    key=f"preset-{clone.get('name', '')}",
    format_func=lambda name: f"{PRESET_WORDS.get(name, name)} (up to {PRESETS[name]['time_limit']:g} min)",
)
with st.expander("Advanced: every setting", icon=":material/tune:"), shown():
    changes = settings_form(preset, clone.get("overrides"), clone.get("name", ""))
with shown():
    config = Config.from_preset(preset, changes)
    check_caps(config)
cost = cost_of(config, data)
early = "Small tables stop earlier, when validation no longer improves."
rough = "A rough estimate from the sizes of model and table."
figures(
    ("Time, at most", f"{cost.minutes:g} min", early),
    ("Memory, about", f"{cost.memory_gb:.1f} GB", rough),
    ("Model", f"{cost.parameters / 1e6:.1f} M weights", "Weights that are trained."),
)

name = st.text_input("Name of the run", new_run_path(data.name).name, key=f"name-{data.name}", width=340)
with shown():
    path = new_run_path(name, exact=True)
    arguments = [*data.arguments(path, preset, changes), *caps()]
with st.expander("The same on the command line", icon=":material/terminal:"):
    st.code(command_line(arguments), language="bash", wrap_lines=True)
if st.button("Start training", type="primary", icon=":material/play_arrow:"):
    with shown(), st.spinner("Starting …"):
        check_turn()
        jobs.start(path, *arguments)
    st.session_state.pop("clone", None)
    st.session_state.pop("watched", None)
    del st.session_state["train-view"]
    choose_run(path.name)
    st.rerun()
