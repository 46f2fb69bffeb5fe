"""The states every page has besides done: empty, loading, error."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import streamlit as st

from difflm.errors import DiffLMError


def heading(title: str, lead: str) -> None:
    """Title and one sentence on what the page is for."""
    st.title(title, anchor=False)
    st.markdown(lead)


def empty(text: str, *links: tuple[str, str, str]) -> None:
    """Nothing to show yet: say what to do next, one click each. `links`: (page, label, icon)."""
    with st.container(border=True):
        st.markdown(f":material/info: {text}")
        with st.container(horizontal=True):
            for page, label, icon in links:
                st.page_link(f"pages/{page}.py", label=label, icon=icon)


def failure(error: DiffLMError) -> None:
    """One clear message: what was expected, what came, what to do."""
    lines = [f"**{'Expected ' + error.expected if error.got else error.expected}**"]
    if error.got:
        lines.append(f"Found: {error.got}")
    if error.do:
        lines.append(f"What to do: {error.do}")
    st.error("  \n".join(lines), icon=":material/error:")


@contextmanager
def shown() -> Iterator[None]:
    """Errors meant for people become the error box, and the page ends there."""
    try:
        yield
    except DiffLMError as error:
        failure(error)
        st.stop()
    except (MemoryError, OSError) as error:
        failure(
            DiffLMError("the machine could not do this", str(error), "free memory or disk, then try again")
        )
        st.stop()


def next_steps(*links: tuple[str, str, str]) -> None:
    """What to do from here, at the end of a page."""
    st.divider()
    with st.container(horizontal=True, vertical_alignment="center"):
        st.markdown("**Next**", width="content")
        for page, label, icon in links:
            st.page_link(f"pages/{page}.py", label=label, icon=icon)


def figures(*entries: tuple[str, str, str]) -> None:
    """A line of (label, value, tooltip) that wraps on a phone."""
    with st.container(horizontal=True, gap="small"):
        for name, value, text in entries:
            st.metric(name, value, help=text or None, width=165)
