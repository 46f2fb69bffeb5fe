"""Generate: how many rows, from which seed, under which conditions; they stream in."""

from __future__ import annotations

import streamlit as st

from pages.shared.conditions import choose_conditions
from pages.shared.core_notice import core_notice
from pages.shared.documents import show_documents
from pages.shared.generating import Generated, Request, generate, summary
from pages.shared.latents import latents_of
from pages.shared.models import warm_up
from pages.shared.picker import pick_run
from pages.shared.public import most_rows
from pages.shared.schemas import schema_of
from pages.shared.session import guard
from pages.shared.states import heading, next_steps, shown
from pages.shared.tables import downloads
from pages.shared.words import APART, PRIOR, SEED, TEMPERATURE, record_word

guard("generate")
heading(
    "Generate",
    "Make new records. Each one fits what was learned of types and ranges; how many equal a real one is counted.",
)

run = pick_run()
if run is None:
    st.stop()
warm_up(run)
with shown():
    schema, latents = schema_of(run), latents_of(run)
core_notice(run, latents, "generate")

PRIORS = {
    "diffusion": "diffusion",
    "gmm": "Gaussian mixture",
    "gaussian": "Gaussian",
    "none": "none: the decoder alone",
}
own = run.config.get("prior", {}).get("kind", "diffusion")
first = st.columns([2, 1])
one, many = record_word(latents.real_rows), record_word(latents.real_rows, 2)
documents = one == "document"
count = int(
    first[0].number_input(
        many.capitalize(),
        1,
        most_rows(),
        50 if documents else 1_000,
        step=50 if documents else 500,
        key=f"gen-count-{one}",
    )
)
seed = int(first[1].number_input("Seed", 0, 2**31 - 1, 0, key="gen-seed", help=SEED))
with st.expander("More choices", icon=":material/tune:"):
    second = st.columns(2)
    kinds = list(PRIORS)
    prior = second[0].selectbox(
        "Where new points come from",
        kinds,
        index=kinds.index(own),
        format_func=lambda kind: PRIORS[kind],
        help=PRIOR,
    )
    temperature = second[1].slider(
        "Variety (temperature)",
        0.0,
        1.5,
        float(run.config.get("sample", {}).get("temperature", 1.0)),
        0.05,
        help=TEMPERATURE,
    )
    apart = st.checkbox(f"Keep away from real {many}", False, key="gen-apart", help=APART)
    on_map = st.checkbox(
        "Show them on the map", True, help=f"Keeps up to 5,000 of the {many} in the run, with their latents."
    )
with shown():
    where = {} if documents else choose_conditions(schema, run.name)

if st.button("Generate", type="primary", icon=":material/auto_awesome:"):
    with shown():
        request = Request(count, seed, prior, temperature, where, apart)
        st.session_state[f"generated-{run.name}"] = generate(run, request, keep=on_map)

made: Generated | None = st.session_state.get(f"generated-{run.name}")
if made is None:
    pace = "A document takes about a second." if documents else "A thousand rows take a few seconds."
    st.info(f"Press Generate. {pace}", icon=":material/auto_awesome:")
    st.stop()
summary(made, run)
if documents:
    show_documents(made.rows, f"made-{run.name}")
st.dataframe(made.rows.head(1_000), hide_index=True, height=420, alt=f"Generated {many}")
if len(made.rows) > 1_000:
    st.caption(f"The first 1,000 {many} are shown; downloads hold all of them.")
downloads(made.rows, f"{run.name}-synthetic-{made.seed}")
next_steps(
    ("compare", f"Compare with the real {many}", ":material/balance:"),
    ("latent_map", "See them on the map", ":material/scatter_plot:"),
)
