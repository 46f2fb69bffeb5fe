"""Whether the core of a run's latent says anything of its records: without that, maps and walks mean little.

The core is held against one and the same record for all: a decoder that does not listen can do no better. No torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difflm.map_data import Latents
from difflm.schema import Kind, Schema

LEAST_KL = 1.0
"""Nats a record below which the latent is as good as empty."""
LEAST_TOLD = 0.25
"""The core tells something where, in its best column, it closes so much of what the same value for all leaves open."""
MANY = 20
"""Numbers of more different values are judged by rank, since hardly any comes back digit by digit."""
ROWS, CANDIDATES, DOCUMENTS = 2_000, 8, 40


@dataclass(frozen=True)
class CoreUse:
    """What the core brings back, and what no latent at all would."""

    core: float
    """Share of the cells, or leaves, of unseen records right from the core alone."""
    same: float
    """The same for one record given to all, the best of those tried."""
    told: float
    """Share of what is open that the core closes, in its best column."""
    kl: float
    """Nats a record; NaN where it is not known."""

    @property
    def says_little(self) -> bool:
        """Whether maps, walks and draws around records mean little."""
        return self.told < LEAST_TOLD or self.kl < LEAST_KL


def core_use(run: Path, latents: Latents) -> CoreUse | None:
    """From the files of a run; None where its training did not write down how its latent is used."""
    try:
        known = json.loads((run / "vae" / "latent.json").read_text(encoding="utf-8"))
        core = float(known.get("core", known["reconstruction"]))
        schema = Schema.model_validate_json((run / "data" / "schema.json").read_text(encoding="utf-8"))
        rows = schema.canonical(latents.real_rows)
        by_column = known.get("core_per_column") or known.get("per_column") or {}
        documents = schema.record != "table"
        same, told = (
            _of_documents(schema, rows, core)
            if documents
            else _of_table(schema, rows, latents.real, by_column)
        )
        return CoreUse(core, same, told, float(known.get("kl", "nan")))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _of_documents(schema: Schema, rows: pd.DataFrame, core: float) -> tuple[float, float]:
    """(same, told): the best of a few documents, given to all of some others."""
    # Its package imports scikit-learn and xgboost, which a table has no need of.
    from difflm.metrics.reconstruction import exact_cells

    order = np.random.default_rng(0).permutation(len(rows))
    some, tried = rows.iloc[order[CANDIDATES:][:DOCUMENTS]].reset_index(drop=True), order[:CANDIDATES]
    if not len(some):
        return 0.0, 1.0
    shares = [
        exact_cells(schema, some, rows.iloc[[one] * len(some)].reset_index(drop=True))[schema.record]
        for one in tried
    ]
    same = max(shares)
    return same, _closed(core, same)


def _of_table(
    schema: Schema, rows: pd.DataFrame, z: NDArray[np.float32], core: Mapping[str, Any]
) -> tuple[float, float]:
    """(same, told): the most frequent value of each column; numbers by how well their rank can be read off z."""
    some = np.random.default_rng(0).permutation(len(rows))[:ROWS]
    rows, z = rows.iloc[some], z[some]
    same, told = {}, [0.0]
    for column in schema.columns:
        if column.kind is Kind.identifier:
            continue
        values = rows[column.name]
        same[column.name] = float(values.value_counts(normalize=True, dropna=False).iloc[0])
        if pd.api.types.is_numeric_dtype(values) and values.nunique() > MANY:
            told.append(_rank_told(values, z))
        if column.name in core:
            told.append(_closed(float(core[column.name]), same[column.name]))
    return float(np.mean(list(same.values()))) if same else 0.0, max(told)


def _closed(core: float, same: float) -> float:
    return (core - same) / (1 - same) if same < 1 else 0.0


def _rank_told(values: pd.Series, z: NDArray[np.float32]) -> float:
    """R squared of the ranks by a straight line in z, corrected for the number of dimensions."""
    there = values.notna().to_numpy()
    rank = values[there].rank().to_numpy(np.float64)
    n, dimensions = int(there.sum()), z.shape[1]
    if n <= dimensions + 2:
        return 0.0
    design = np.hstack([z[there].astype(np.float64), np.ones((n, 1))])
    # By the normal equations: many rows of few numbers, and a page waits for it.
    fit, *_ = np.linalg.lstsq(design.T @ design, design.T @ rank, rcond=None)
    left = np.square(rank - design @ fit).sum() / max(np.square(rank - rank.mean()).sum(), 1e-12)
    return float(1 - left * (n - 1) / (n - dimensions - 1))
