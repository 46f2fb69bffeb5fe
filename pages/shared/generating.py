"""Generation for the page: rows stream in, with a preview, and end in one table with its figures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import streamlit as st

from difflm.differences import copies
from difflm.errors import GenerationError
from difflm.map_data import save_sample_latents
from difflm.runs import Run
from pages.shared.models import TURNS, model, weights_stamp
from pages.shared.picker import is_demo
from pages.shared.states import figures
from pages.shared.turns import Turns
from pages.shared.words import DUPLICATES, EXACT_COPIES, VALIDITY, record_word

if TYPE_CHECKING:
    from streamlit.delta_generator import DeltaGenerator

    from difflm.pipeline import DiffLM

GENERATIONS = Turns()
MAP_ROWS = 5_000
KEPT_ANSWERS = 24
"""Answers of a demo that are kept, the newest, each of at most MAP_ROWS rows."""


@dataclass(frozen=True)
class Generated:
    """A generated table and how it came about."""

    rows: pd.DataFrame
    tally: dict[str, Any]
    seed: int
    duplicates: int
    copies: int
    where: dict[str, Any]


@dataclass(frozen=True)
class Request:
    """What is asked for; the same request of a demo has the same answer for everybody."""

    count: int
    seed: int
    prior: str
    temperature: float
    where: dict[str, Any]
    apart: bool = False

    @property
    def key(self) -> str:
        return repr(
            (self.count, self.seed, self.prior, self.temperature, sorted(self.where.items()), self.apart)
        )


def generate(run: Run, request: Request, *, keep: bool) -> Generated:
    """Stream rows from the model, showing them as they come; what a demo was asked before is there at once."""
    known = _made_of_demo(str(run.path), weights_stamp(run)) if is_demo(run) else {}
    if request.key in known:
        return known[request.key]
    bar = st.progress(0.0, text="Waiting for the model …")
    preview = st.empty()

    def waiting(before: int) -> None:
        bar.progress(0.0, text=f"{before} before you. Records of several visitors are written in turns …")

    # One generation after the other; what is short, a walk or a click, goes in between and not behind them all.
    with GENERATIONS.taken(waiting):
        made = known.get(request.key)  # while it waited, somebody else may have asked the same
        if made is None:
            with model(run, waiting) as lm:
                made = _written(run, lm, request, bar, preview, keep)
            if is_demo(run) and request.count <= MAP_ROWS:
                while len(known) >= KEPT_ANSWERS:
                    known.pop(next(iter(known)), None)
                known[request.key] = made
    bar.empty()
    preview.empty()
    return made


@st.cache_resource(max_entries=4, show_spinner=False)
def _made_of_demo(path: str, stamp: float) -> dict[str, Generated]:
    """Answers of one demo, by request; nobody's own run and nobody's own rows are in it."""
    return {}


def _written(
    run: Run, lm: DiffLM, request: Request, bar: DeltaGenerator, preview: DeltaGenerator, keep: bool
) -> Generated:
    """Write the rows, and put them into the run where they are to be kept."""
    chunks: list[pd.DataFrame] = []
    drawn, started = 0.0, time.monotonic()

    def told(done: int, of: int) -> None:
        bar.progress(min(1.0, done / of), text=f"{done:,} of {of:,}")

    stream = lm.stream(
        request.count,
        where=request.where or None,
        seed=request.seed,
        prior=request.prior,
        temperature=request.temperature,
        apart=request.apart,
        on_progress=told,
    )
    for chunk in stream:
        chunks.append(chunk)
        if time.monotonic() - drawn > 0.7:
            preview.dataframe(pd.DataFrame(chunk.tail(8).to_dict("list")), hide_index=True)
            drawn = time.monotonic()
        # A walk takes a moment, thousands of rows take many: whoever waits goes in between.
        TURNS.give_way()
    if not chunks:
        raise GenerationError("some records", "none", "loosen the conditions")
    tally = {**chunks[-1].attrs.get("generation", {}), "wall": time.monotonic() - started}
    for chunk in chunks:
        chunk.attrs = {}
    rows = pd.concat(chunks, ignore_index=True)
    if keep and not is_demo(run):
        bar.progress(1.0, text="Placing them on the map …")
        keep_rows(run, rows, lm.encode(rows.head(MAP_ROWS)), request.seed)
    real = pd.read_parquet(Path(run.path) / "data" / "train.parquet")
    return Generated(
        rows, tally, request.seed, int(rows.duplicated().sum()), copies(rows, real), request.where
    )


def keep_rows(run: Run, rows: pd.DataFrame, latents: np.ndarray, seed: int) -> None:
    """Put generated rows into the run, with the latents (m, Z) of the first m, so that the map shows them."""
    name = f"app-{time.strftime('%Y%m%d-%H%M%S')}-seed{seed}"
    save_sample_latents(Path(run.path), name, latents)
    rows.to_parquet(Path(run.path) / "samples" / f"{name}.parquet", index=False)


def summary(made: Generated, run: Run) -> None:
    """Figures of a generation, and what was rejected."""
    tally, count = made.tally, len(made.rows)
    attempts = max(int(tally.get("attempts", count)), 1)
    one, many = record_word(made.rows), record_word(made.rows, 2)
    speed = f"In {tally['wall']:.1f} s, {count / max(tally['wall'], 1e-3):,.1f} {many} a second."
    figures(
        (many.capitalize(), f"{count:,}", speed),
        ("Valid at the first try", f"{int(tally.get('valid', count)) / attempts:.1%}", VALIDITY),
        (f"Repeated {many}", f"{made.duplicates:,}", DUPLICATES),
        (f"Equal to a real {one}", f"{made.copies:,}", EXACT_COPIES),
    )
    if made.where:
        st.caption(
            "Conditions: " + "; ".join(f"{name} {_words(value)}" for name, value in made.where.items())
        )
    rejected = {reason: n for reason, n in (tally.get("rejected") or {}).items() if n}
    if rejected:
        st.caption(
            f"{attempts:,} {many} were tried. Not used: "
            + ", ".join(f"{n:,} {reason}" for reason, n in rejected.items())
            + "."
        )


def _words(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{value[0]} {value[1]}"
    return "is one of " + ", ".join(map(str, value)) if isinstance(value, list) else f"= {value}"
