"""What a browser session knows: that it is set up, its private folder, and the run in the URL."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

import streamlit as st

from difflm.runs import runs_root

ROOT = Path(__file__).resolve().parents[2]


def demo_root() -> Path:
    """Folder of the bundled demos: every run in it is one."""
    return Path(os.environ.get("DIFFLM_DEMOS", ROOT / "checkpoints")).resolve()


def guard(page: str) -> None:
    """First call of every page: a cold deep link runs the page without app.py, so go there first."""
    if "visitor" not in st.session_state:
        st.session_state["wanted"] = (page, st.query_params.to_dict())
        st.switch_page("app.py")
    run = st.session_state.get("run")
    if run and st.query_params.get("run") != run and "run" not in st.query_params:
        st.query_params["run"] = run


def take_wanted() -> tuple[str, dict[str, str]] | None:
    """Set the session up; the page and query that a cold deep link asked for, once."""
    st.session_state.setdefault("visitor", secrets.token_hex(8))
    return st.session_state.pop("wanted", None)


def visitor_folder() -> Path:
    """Private folder of this session for its uploads, readable by this user only."""
    folder = runs_root() / "uploads" / st.session_state["visitor"]
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    return folder


def choose_run(name: str | None) -> None:
    """Put a run into the URL and the session, for all pages."""
    st.session_state["run"] = name
    if name:
        st.query_params["run"] = name
    else:
        st.query_params.pop("run", None)
