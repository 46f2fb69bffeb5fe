"""The one model in memory, used by one visitor at a time; torch is imported when it is first asked for."""

from __future__ import annotations

import gc
import importlib
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from difflm.runs import Run
from pages.shared.turns import Turns

if TYPE_CHECKING:
    from difflm.pipeline import DiffLM

TURNS = Turns()
PAUSE, LONGEST_PAUSE = 1.5, 10.0
"""Seconds without a page being drawn before something heavy is imported beside it, and how long that is waited for."""


@dataclass
class _Kept:
    """The model that was used last; only who has the turn looks at it."""

    key: tuple[str, float] | None = None
    model: DiffLM | None = None

    def load(self, key: tuple[str, float]) -> DiffLM:
        if self.key != key or self.model is None:
            from difflm.pipeline import DiffLM

            self.key, self.model = None, None  # two models may not fit the memory
            self.model = DiffLM.from_pretrained(key[0])
            self.key = key
        return self.model


KEPT = _Kept()


def weights_stamp(run: Run) -> float:
    """Changes whenever the weights of a run change."""
    return max((f.stat().st_mtime for f in Path(run.path).glob("*/*.safetensors")), default=0.0)


def warm_up(run: Run | None = None) -> None:
    """Once for a server: import what is heavy beside the page and load a model, so that no click waits for it."""
    if "difflm.pipeline" in sys.modules or _warming.is_set():
        return
    _warming.set()
    key = None if run is None else (str(run.path), weights_stamp(run))

    def work() -> None:
        # Streamlit collects garbage after every script run, with all others waiting. Torch and pandas are millions of
        # objects that never become garbage: a quarter of a second each time, unless they are set apart.
        for name in ("difflm.report_html", "torch", "difflm.pipeline"):
            _when_quiet()
            importlib.import_module(name)
            gc.freeze()
        with TURNS.taken():
            if key is not None and KEPT.key is None:
                KEPT.load(key)
        gc.freeze()

    threading.Thread(target=work, name="warm-up", daemon=True).start()


def arrived() -> None:
    """A page begins to be drawn: what is heavy waits."""
    global _last
    _last = time.monotonic()


def _when_quiet() -> None:
    end = time.monotonic() + LONGEST_PAUSE
    while time.monotonic() < min(end, _last + PAUSE):
        time.sleep(0.1)


_warming, _last = threading.Event(), 0.0


@contextmanager
def model(run: Run, told: Callable[[int], None] | None = None) -> Iterator[DiffLM]:
    """The model of a run for the length of the block; `told` hears how many visitors are before this one."""
    key = (str(run.path), weights_stamp(run))
    with TURNS.taken(told):
        if KEPT.key == key:
            yield KEPT.load(key)
            return
        with st.spinner("Loading the model, a few seconds the first time …"):
            loaded = KEPT.load(key)
        yield loaded
