"""Joint tables of column pairs: how often two values come together, in the real and in the synthetic rows."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from difflm.conversion import as_written
from difflm.metrics.table import Bench
from difflm.schema import Column

PAIRS = 24
"""Most tables of a report: those of the pairs that are farthest off."""
VALUES = 10
"""Most categories of a table; the others are one more."""


@dataclass(frozen=True)
class Axis:
    """One column as rows or columns of a table: what each of its codes counts as, and the words for these."""

    places: NDArray[np.intp]
    labels: list[str]


def number_axis(column: Column, low: float, width: float, bins: int) -> Axis:
    """Equal bins over the real training range, and missing."""
    edges = low + width * (np.arange(bins + 1) / bins)
    written = [as_written(column, edge) for edge in edges]
    labels = [f"{a} to {b}" for a, b in pairwise(written)]
    return Axis(np.arange(bins + 1), [*labels, "(missing)"])


def code_axis(names: list[str]) -> Axis:
    """The most frequent categories, which come first among their codes, all others, and missing."""
    shown = min(len(names), VALUES)
    places = np.minimum(np.arange(len(names) + 2), shown)  # the last but one is a value that no real row has
    places[-1] = shown + 1
    return Axis(places, [*names[:shown], "(others)", "(missing)"])


def joint_tables(
    bench: Bench, real: NDArray[np.int64], other: NDArray[np.int64], error: NDArray[np.float64], bins: int
) -> list[dict[str, Any]]:
    """The worst pairs first, of codes (n, c) and (m, c) with columns as in `codec.names`: names a and b, error %,
    labels x and y, and shares of the rows by (x, y)."""
    codec, (low, width) = bench.codec, bench.ranges()
    axes = [
        number_axis(bench.schema.column(name), low[j], width[j], bins)
        for j, name in enumerate(codec.number_names)
    ]
    axes += [code_axis([str(value) for value in codec.categories[name]]) for name in codec.code_names]
    first, second = np.triu_indices(len(axes), 1)
    made = []
    for place in np.argsort(-error[first, second], kind="stable")[:PAIRS]:
        i, j = int(first[place]), int(second[place])
        tables = [_shares(codes[:, i], codes[:, j], axes[i], axes[j]) for codes in (real, other)]
        rows, columns = (np.flatnonzero((tables[0] + tables[1]).sum(axis=side) > 0) for side in (1, 0))
        made.append(
            {
                "a": codec.names[i],
                "b": codec.names[j],
                "error": round(100 * float(error[i, j]), 4),
                "x": [axes[i].labels[k] for k in rows],
                "y": [axes[j].labels[k] for k in columns],
                **{
                    side: np.round(table[np.ix_(rows, columns)], 5).tolist()
                    for side, table in zip(("real", "synthetic"), tables, strict=True)
                },
            }
        )
    return made


def _shares(a: NDArray[np.int64], b: NDArray[np.int64], x: Axis, y: Axis) -> NDArray[np.float64]:
    wide = len(y.labels)
    counts = np.bincount(x.places[a] * wide + y.places[b], minlength=len(x.labels) * wide)
    return np.asarray(counts.reshape(len(x.labels), wide) / max(len(a), 1))
