"""Generation for the page: rows stream in, with a preview, and end in one table with its figures."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import streamlit as st

from difflm.differences import copies
from difflm.errors import GenerationError
from difflm.map_data import save_sample_latents
from difflm.runs import Run
from pages.shared.models import model
from pages.shared.picker import is_demo
from pages.shared.states import figures
from pages.shared.words import DUPLICATES, EXACT_COPIES, VALIDITY

MAP_ROWS = 5_000


@dataclass(frozen=True)
class Generated:
    """A generated table and how it came about."""

    rows: pd.DataFrame
    tally: dict[str, Any]
    seed: int
    duplicates: int
    copies: int
    where: dict[str, Any]


def generate(
    run: Run,
    count: int,
    seed: int,
    prior: str,
    temperature: float,
    where: dict[str, Any],
    *,
    keep: bool,
    apart: bool = False,
) -> Generated:
    """Stream rows from the model, showing them as they come."""
    chunks: list[pd.DataFrame] = []
    bar = st.progress(0.0, text="Loading the model …")
    preview = st.empty()
    drawn, started = 0.0, time.monotonic()

    def told(done: int, of: int) -> None:
        bar.progress(min(1.0, done / of), text=f"{done:,} of {of:,} rows")

    with model(run) as lm:
        stream = lm.stream(
            count,
            where=where or None,
            seed=seed,
            prior=prior,
            temperature=temperature,
            apart=apart,
            on_progress=told,
        )
        for chunk in stream:
            chunks.append(chunk)
            if time.monotonic() - drawn > 0.7:
                preview.dataframe(pd.DataFrame(chunk.tail(8).to_dict("list")), hide_index=True)
                drawn = time.monotonic()
        if not chunks:
            raise GenerationError("some rows", "none", "loosen the conditions")
        tally = {**chunks[-1].attrs.get("generation", {}), "wall": time.monotonic() - started}
        for chunk in chunks:
            chunk.attrs = {}
        rows = pd.concat(chunks, ignore_index=True)
        if keep and not is_demo(run):
            bar.progress(1.0, text="Placing them on the map …")
            keep_rows(run, rows, lm.encode(rows.head(MAP_ROWS)), seed)
    bar.empty()
    preview.empty()
    real = pd.read_parquet(Path(run.path) / "data" / "train.parquet")
    return Generated(rows, tally, seed, int(rows.duplicated().sum()), copies(rows, real), where)


def keep_rows(run: Run, rows: pd.DataFrame, latents: np.ndarray, seed: int) -> None:
    """Put generated rows into the run, with the latents (m, Z) of the first m, so that the map shows them."""
    name = f"app-{time.strftime('%Y%m%d-%H%M%S')}-seed{seed}"
    save_sample_latents(Path(run.path), name, latents)
    rows.to_parquet(Path(run.path) / "samples" / f"{name}.parquet", index=False)


def summary(made: Generated, run: Run) -> None:
    """Figures of a generation, and what was rejected."""
    tally, count = made.tally, len(made.rows)
    attempts = max(int(tally.get("attempts", count)), 1)
    speed = f"In {tally['wall']:.1f} s, {count / max(tally['wall'], 1e-3):,.0f} rows a second."
    figures(
        ("Rows", f"{count:,}", speed),
        ("Valid at the first try", f"{int(tally.get('valid', count)) / attempts:.1%}", VALIDITY),
        ("Repeated rows", f"{made.duplicates:,}", DUPLICATES),
        ("Equal to a real row", f"{made.copies:,}", EXACT_COPIES),
    )
    if made.where:
        st.caption(
            "Conditions: " + "; ".join(f"{name} {_words(value)}" for name, value in made.where.items())
        )
    rejected = {reason: n for reason, n in (tally.get("rejected") or {}).items() if n}
    if rejected:
        st.caption(
            f"{attempts:,} rows were tried. Not used: "
            + ", ".join(f"{n:,} {reason}" for reason, n in rejected.items())
            + "."
        )


def _words(value: Any) -> str:
    if isinstance(value, tuple):
        return f"{value[0]} {value[1]}"
    return "is one of " + ", ".join(map(str, value)) if isinstance(value, list) else f"= {value}"
