"""The two rows A and B of an interpolation: by clicks on the map or by number."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import streamlit as st

from difflm.map_data import Latents
from difflm.runs import Run
from pages.shared.maps import clicked


@dataclass
class Ends:
    """Ids of A and B in the session, for one run."""

    run: str

    @property
    def a(self) -> str | None:
        return st.session_state.get(f"end-a-{self.run}")

    @property
    def b(self) -> str | None:
        return st.session_state.get(f"end-b-{self.run}")

    def put(self, a: str | None, b: str | None) -> None:
        for letter, identifier in (("a", a), ("b", b)):
            st.session_state[f"end-{letter}-{self.run}"] = identifier
            if identifier is not None:
                st.session_state[f"row-{letter}-{self.run}"] = int(identifier[1:])

    def click(self, state: Any) -> None:
        """A first, then B, then A again."""
        point = clicked(state)
        if point is None or point in (self.a, self.b):
            return
        if self.a is None or self.b is not None:
            self.put(point, None)
        else:
            self.put(self.a, point)


def choose_endpoints(run: Run, latents: Latents) -> Ends:
    """Draw the number inputs and buttons."""
    take_pending(run)
    ends, last = Ends(run.name), len(latents.real) - 1
    for letter, current in (("a", ends.a), ("b", ends.b)):
        key = f"row-{letter}-{run.name}"
        st.session_state.setdefault(key, None if current is None else int(current[1:]))
        name = letter.upper()
        drawn = current is not None and current[0] == "s"
        largest = len(latents.synthetic) - 1 if drawn else last
        st.number_input(
            f"{name}: {'synthetic' if drawn else 'real'} row number",
            0,
            max(largest, 0),
            step=1,
            key=key,
            placeholder="click the map, or type",
            on_change=_typed,
            args=(ends, letter, "s" if drawn else "r"),
        )
    with st.container(horizontal=True):
        if st.button("Two random rows", icon=":material/shuffle:"):
            first, second = _random_pair(last + 1)
            st.session_state["pending-ends"] = (run.name, f"r{first}", f"r{second}")
            st.rerun()
        if st.button("Swap", icon=":material/swap_horiz:", disabled=not (ends.a and ends.b)):
            st.session_state["pending-ends"] = (run.name, ends.b, ends.a)
            st.rerun()
    return ends


def take_pending(run: Run) -> None:
    """Put ends chosen by a button in place before the widgets are drawn."""
    pending = st.session_state.pop("pending-ends", None)
    if pending and pending[0] == run.name:
        Ends(run.name).put(pending[1], pending[2])


def _typed(ends: Ends, letter: str, kind: str) -> None:
    value = st.session_state[f"row-{letter}-{ends.run}"]
    st.session_state[f"end-{letter}-{ends.run}"] = None if value is None else f"{kind}{int(value)}"


def _random_pair(count: int) -> tuple[int, int]:
    import random

    first, second = random.sample(range(count), 2)
    return first, second
