"""Pushing to the Hugging Face Hub: what, where to, and a token that is used once and kept nowhere."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from difflm.errors import ConfigError
from difflm.map_data import latest_sample
from pages.shared.picker import is_demo
from pages.shared.public import is_public

if TYPE_CHECKING:
    from difflm.runs import Run
    from difflm.sharing.hub import What

LABELS: dict[What, str] = {
    "page": "the page, as a static Space",
    "model": "the model",
    "rows": "the newest generated rows, as a data set",
    "space": "the whole app with this run, as a Docker Space",
}


def push_form(run: Run, points: int, anchors: int, real: bool) -> None:
    """Draw the form and push; the page is made with the choices above it."""
    st.subheader("Push to the Hugging Face Hub", anchor=False)
    if is_public():
        st.caption("Off in this shared demo: install difflm to push from your own machine.")
        return
    offered = [what for what in LABELS if what != "rows" or latest_sample(Path(run.path)) is not None]
    with st.form("push", clear_on_submit=True, border=True):
        what = st.selectbox("What", offered, format_func=lambda name: LABELS[name])
        left, right = st.columns(2)
        repo = left.text_input("Repository", placeholder="owner/name")
        token = right.text_input(
            "Token",
            type="password",
            help="Needs the right to write. It is used for this upload and kept nowhere.",
        )
        private = st.checkbox("Only I may see it", True)
        seen = st.checkbox("I have looked at what is in it, and it may leave this machine", False)
        pushed = st.form_submit_button("Push", icon=":material/cloud_upload:")
    if what == "space" and not is_demo(run):
        st.caption("The Space holds the real rows of this run: its map and neighbours show them.")
    if not pushed:
        return
    if not seen:
        raise ConfigError("a tick that it may leave this machine", "none", "look at it first, as a download")
    if not token:
        raise ConfigError("a token of the Hub", "none", "make one with the right to write")
    with st.spinner("Uploading …"), tempfile.TemporaryDirectory() as place:
        folder = Path(place) / run.name
        from difflm.sharing.bundle import write_shared
        from difflm.sharing.hub import push
        from difflm.sharing.static_page import Choice

        write_shared(what, run, folder, Choice(points=points, anchors=anchors, real_rows=real))
        address = push(folder, repo.strip(), what, token.strip(), private)
    st.success(f"It is at {address}", icon=":material/cloud_done:")
