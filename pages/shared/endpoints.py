"""The two records A and B of an interpolation: by clicks on the map or by number."""

from __future__ import annotations

import random
from dataclasses import dataclass

import streamlit as st

from difflm.map_data import Latents
from difflm.runs import Run
from pages.shared.words import record_word


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

    def click(self, point: str) -> None:
        """A first, then B, then A again."""
        if point in (self.a, self.b):
            return
        if self.a is None or self.b is not None:
            self.put(point, None)
        else:
            self.put(self.a, point)


def choose_endpoints(run: Run, latents: Latents) -> Ends:
    """Draw the number inputs and buttons."""
    ends, last = Ends(run.name), len(latents.real) - 1
    one, many = record_word(latents.real_rows), record_word(latents.real_rows, 2)
    for letter, current in (("a", ends.a), ("b", ends.b)):
        key = f"row-{letter}-{run.name}"
        st.session_state.setdefault(key, None if current is None else int(current[1:]))
        name = letter.upper()
        drawn = current is not None and current[0] == "s"
        largest = len(latents.synthetic) - 1 if drawn else last
        st.number_input(
            f"{name}: {'synthetic' if drawn else 'real'} {one} number",
            0,
            max(largest, 0),
            step=1,
            key=key,
            placeholder="click the map, or type",
            on_change=_typed,
            args=(ends, letter, "s" if drawn else "r"),
        )
    with st.container(horizontal=True):
        st.button(
            "Two random " + many, icon=":material/shuffle:", on_click=_random_pair, args=(ends, last + 1)
        )
        st.button(
            "Swap",
            icon=":material/swap_horiz:",
            disabled=not (ends.a and ends.b),
            on_click=lambda: ends.put(ends.b, ends.a),
        )
    return ends


def _typed(ends: Ends, letter: str, kind: str) -> None:
    value = st.session_state[f"row-{letter}-{ends.run}"]
    st.session_state[f"end-{letter}-{ends.run}"] = None if value is None else f"{kind}{int(value)}"


def _random_pair(ends: Ends, count: int) -> None:
    first, second = random.sample(range(count), 2)
    ends.put(f"r{first}", f"r{second}")
