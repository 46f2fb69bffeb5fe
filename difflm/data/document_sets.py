"""Data sets of documents: what a source holds, what the model can read of it, and what was left out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Literal

import pandas as pd

from difflm.data.dataset import Dataset
from difflm.errors import DataError
from difflm.schema import Record

Wanted = Literal["auto", "table", "tool", "code", "text"]
Fits = Callable[[list[str]], list[str | None]]
"""For each document why the model cannot read it, None where it can."""
NAMED = 5
"""Records left out that are named in a note; all of them stand in the run's data/left_out.json."""


def document_set(
    name: str,
    frames: Mapping[str, pd.DataFrame],
    record: Record,
    fits: Fits | None = None,
    *,
    seed: int = 0,
    source: str = "",
    licence: str = "",
) -> Dataset:
    """A data set of the documents in `frames` by part; what `fits` refuses is left out, listed, and noted."""
    left_out: list[dict[str, str]] = []
    kept = {}
    for part, frame in frames.items():
        left_out += frame.attrs.get("left_out", [])
        kept[part] = frame
        if fits is None:
            continue
        names = frame.attrs.get("names") or [f"record {number}" for number in range(1, len(frame) + 1)]
        reasons = fits(frame[record].tolist())
        left_out += [
            {"name": name, "reason": reason} for name, reason in zip(names, reasons, strict=True) if reason
        ]
        readable = [reason is None for reason in reasons]
        if not any(readable):
            raise DataError(
                f"documents that the model can read in {name}",
                f"{len(frame):,} of which the first is {reasons[0]}",
                "raise decoder.max_tokens, or cut them into smaller ones",
            )
        kept[part] = frame[readable].reset_index(drop=True)
        kept[part].attrs = {"notes": frame.attrs.get("notes", [])}
    made = Dataset.build(name, kept, record=record, seed=seed, source=source, licence=licence)
    made.left_out = left_out
    if left_out:
        shown = "; ".join(f"{one['name']}: {one['reason']}" for one in left_out[:NAMED])
        more = f"; and {len(left_out) - NAMED:,} more" if len(left_out) > NAMED else ""
        made.notes.append(f"{len(left_out):,} records are left out ({shown}{more})")
    return made
