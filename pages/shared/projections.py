"""UMAP and t-SNE as a process of their own, with progress."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from difflm import background
from difflm.errors import DiffLMError
from difflm.runs import Run
from pages.shared.latents import map_of
from pages.shared.states import failure, shown


def offer(run: Run, method: str, name: str, count: int) -> None:
    """Start a layout in the background, or watch the one that is being computed."""
    folder, seconds = Path(run.path) / "latents", 8 + count / (400 if method == "umap" else 150)
    job = background.find(folder, f"layout-{method}")
    if job is None or not job.running:
        if job is not None:
            failure(
                DiffLMError("the last attempt did not finish", job.last_line() or "no message", "try again")
            )
        if st.button(
            f"Compute {name} for {count:,} records (about {seconds:.0f} s)",
            type="primary",
            icon=":material/play_arrow:",
        ):
            with shown():
                background.start(folder, f"layout-{method}", ["project", str(run.path), "--method", method])
            st.rerun()
        return

    @st.fragment(run_every=1.0)
    def watch() -> None:
        if not job.running:
            if map_of(run, method) is not None:
                job.forget()
            st.rerun()
        spent = job.seconds
        st.progress(
            min(0.97, spent / (spent + 0.5 * seconds)),
            text=f"Computing in the background, {spent:.0f} s so far …",
        )

    watch()
