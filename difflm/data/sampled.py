"""Rows drawn by seed from a table that comes in batches, so that it may be larger than memory.

Every row gets a random key and the rows with the smallest keys stay: a uniform sample in table order, the
same for the same rows however they are cut into batches and whatever kind of file they came from.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from difflm.errors import DataError

MAX_ROWS = 5_000_000
"""Most rows that are in memory at once."""
MOST_ROWS = 1_000_000
MOST_CELLS = 30_000_000
"""A training takes so many rows and cells: with them it stays below 4 GB."""
LEAST_ROWS = 10_000


@dataclass(frozen=True)
class Draw:
    """How many rows of a table are taken, and by which seed; without `rows` as many as a training can use."""

    seed: int = 0
    rows: int | None = None

    def most(self, columns: int) -> int:
        """Rows that are taken of a table with so many columns."""
        if self.rows is not None:
            return min(self.rows, MAX_ROWS)
        return int(np.clip(MOST_CELLS // max(columns, 1), LEAST_ROWS, MOST_ROWS))


class Reservoir:
    """The `most` rows with the smallest keys among all that were added."""

    def __init__(self, most: int, seed: int) -> None:
        self.most, self.seen = most, 0
        self.rng = np.random.default_rng([seed, 0x726F7773])
        self.bound = np.inf
        self.parts: list[pa.RecordBatch] = []
        self.keys: list[NDArray[np.float64]] = []

    def add(self, batch: pa.RecordBatch) -> None:
        """Offer the next rows."""
        keys = self.rng.random(len(batch))
        self.seen += len(batch)
        self._keep(batch, keys)
        if sum(map(len, self.keys)) > 1.25 * self.most + 1000:
            self._shrink()

    def table(self, schema: pa.Schema) -> pa.Table:
        """The rows that stay, in the order they came."""
        self._shrink()
        return pa.Table.from_batches(self.parts, schema)

    def _keep(self, batch: pa.RecordBatch, keys: NDArray[np.float64]) -> None:
        kept = keys < self.bound
        if not kept.all():
            batch, keys = batch.filter(pa.array(kept)), keys[kept]
        if len(keys):
            self.parts.append(batch)
            self.keys.append(keys)

    def _shrink(self) -> None:
        if sum(map(len, self.keys)) <= self.most:
            return
        self.bound = float(np.partition(np.concatenate(self.keys), self.most)[self.most])
        parts, keys, self.parts, self.keys = self.parts, self.keys, [], []
        for part, own in zip(parts, keys, strict=True):
            self._keep(part, own)


def reservoir(batches: Iterable[pa.RecordBatch], columns: int, draw: Draw | None, name: str) -> Reservoir:
    """All `batches` offered; without a `draw` all rows stay, and more than MAX_ROWS are a DataError."""
    made = Reservoir(MAX_ROWS if draw is None else draw.most(columns), draw.seed if draw else 0)
    for batch in batches:
        made.add(batch)
        if draw is None and made.seen > MAX_ROWS:
            raise DataError(f"at most {MAX_ROWS:,} rows", f"more in {name}", "take a sample of the rows")
    return made


def told(frame: pd.DataFrame, seen: int, draw: Draw | None) -> pd.DataFrame:
    """`frame` with a note of what was drawn of `seen` rows in attrs."""
    if draw is not None and len(frame) < seen:
        frame.attrs["drawn"] = (
            f"{len(frame):,} of {seen:,} rows are used, drawn by seed {draw.seed};"
            " ranges and categories are those of these rows"
        )
    return frame


def drawn_rows(frame: pd.DataFrame, draw: Draw | None) -> pd.DataFrame:
    """The rows that `draw` takes of a table that is in memory already."""
    if draw is None or len(frame) <= draw.most(frame.shape[1]):
        return frame
    numbers = pa.record_batch({"row": np.arange(len(frame))})
    kept = reservoir([numbers], frame.shape[1], draw, "")
    rows = kept.table(numbers.schema)["row"].to_numpy()
    made = frame.iloc[rows].reset_index(drop=True)
    made.attrs = dict(frame.attrs)
    return told(made, len(frame), draw)
