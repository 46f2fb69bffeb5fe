"""The one model in memory, behind a lock; torch is imported when it is first asked for."""

from __future__ import annotations

import importlib
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import streamlit as st

from difflm.runs import Run

if TYPE_CHECKING:
    from difflm.pipeline import DiffLM


@st.cache_resource
def _lock() -> threading.RLock:
    return threading.RLock()


@st.cache_resource(max_entries=1, show_spinner="Loading the model, a few seconds the first time …")
def _load(path: str, stamp: float) -> DiffLM:
    from difflm.pipeline import DiffLM

    return DiffLM.from_pretrained(path)


def warm_up() -> None:
    """Import torch beside the page, so that the first click need not wait for it."""
    if "difflm.pipeline" not in sys.modules:
        threading.Thread(target=importlib.import_module, args=("difflm.pipeline",), daemon=True).start()


@contextmanager
def model(run: Run) -> Iterator[DiffLM]:
    """The model of a run for the length of the block; other visitors wait."""
    stamp = max((f.stat().st_mtime for f in Path(run.path).glob("*/*.safetensors")), default=0.0)
    with _lock():
        yield _load(str(run.path), stamp)
