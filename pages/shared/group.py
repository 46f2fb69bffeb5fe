"""Points that a lasso caught: what they share against the rest, and more records like them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import streamlit as st

from difflm.differences import copies
from difflm.group_profile import profile
from difflm.latent_edits import more_like
from difflm.latent_ops import nearest
from difflm.map_data import Latents
from difflm.runs import Run
from pages.shared.documents import is_documents, show_documents
from pages.shared.generating import keep_rows
from pages.shared.models import model
from pages.shared.picker import is_demo
from pages.shared.states import figures
from pages.shared.tables import downloads
from pages.shared.words import MORE_LIKE, PROFILE


def show_group(run: Run, latents: Latents, ids: list[str], key: str) -> None:
    """Draw the profile of the points `ids`, which the session holds under `key`, and the offer of more like them."""
    places = np.array([int(one[1:]) + (0 if one[0] == "r" else len(latents.real)) for one in ids])
    if places.max() >= len(latents.all):
        st.session_state.pop(key)  # the run has other points by now
        return
    rows = pd.concat([latents.real_rows, latents.synthetic_rows], ignore_index=True)
    inside = np.zeros(len(rows), dtype=bool)
    inside[places] = True
    real = int((places < len(latents.real)).sum())
    with st.container(border=True):
        with st.container(horizontal=True, horizontal_alignment="distribute"):
            st.subheader(f"{len(ids):,} points drawn around", anchor=False, help=PROFILE)
            if st.button("Let them go", icon=":material/close:", key=f"{key}-none"):
                st.session_state.pop(key)
                st.session_state.pop(f"{key}-more", None)
                st.rerun()
        st.caption(f"{real:,} real and {len(ids) - real:,} synthetic, out of {len(rows):,} on the map.")
        if inside.all():
            st.info("These are all points: draw around some of them to see what sets them apart.")
        else:
            table = profile(rows[inside], rows[~inside])
            bar = st.column_config.ProgressColumn("difference", min_value=0, max_value=1, format="%.2f")
            st.dataframe(
                table, hide_index=True, column_config={"difference": bar}, alt="What sets the group apart"
            )
        _more(run, latents, places, key)


def _more(run: Run, latents: Latents, places: np.ndarray, key: str) -> None:
    """New records drawn around the latents of the group."""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        count = int(st.number_input("Records", 1, 2_000, 100, step=50, width=160, key=f"{key}-count"))
        wanted = st.button("Generate more like these", icon=":material/auto_awesome:", help=MORE_LIKE)
    if wanted:
        with st.spinner("Writing records like these …"):
            z = more_like(latents.all[places], count)
            with model(run) as lm:
                made = lm.decode(z, greedy=False).dropna(how="all").reset_index(drop=True)
                if not is_demo(run):
                    keep_rows(run, made, lm.encode(made), 0)
            st.session_state[f"{key}-more"] = (made, z)
    if (kept := st.session_state.get(f"{key}-more")) is None:
        return
    made, z = kept
    near, _ = nearest(latents.real, z, 1)
    figures(
        ("Records", f"{len(made):,}", ""),
        ("Equal to a real one", f"{copies(made, latents.real_rows):,}", ""),
        ("Median distance to a real one", f"{float(np.median(near)):.2f}", "In the full latent."),
    )
    if is_documents(made):
        show_documents(made, f"{key}-made")
    else:
        st.dataframe(made, hide_index=True, height=300, alt="Records like those of the group")
    downloads(made, f"{run.name}-like-{len(places)}")
