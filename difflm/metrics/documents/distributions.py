"""Distances of two distributions, and the drawings of them that a report has for columns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Hashable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

import numpy as np

from difflm.metrics.shape import ks_distance

BINS, BARS = 24, 24
K = TypeVar("K", bound=Hashable)


def total_variation(real: Mapping[K, int], synthetic: Mapping[K, int]) -> float:
    """Half the summed difference of shares, in [0, 1]; 1 where just one side has anything."""
    a, b = sum(real.values()), sum(synthetic.values())
    if not a or not b:
        return float(a != b)
    keys = {**real, **synthetic}
    return sum(abs(real.get(key, 0) / a - synthetic.get(key, 0) / b) for key in keys) / 2


def ks(real: Sequence[float], synthetic: Sequence[float]) -> float:
    """Kolmogorov-Smirnov statistic of two samples, neither empty."""
    return ks_distance(np.asarray(real, np.float64), np.asarray(synthetic, np.float64))


def histogram(name: str, real: Sequence[float], synthetic: Sequence[float], unit: str) -> dict[str, Any]:
    """A number as a column of a report: shares in equal bins up to the real 99 % quantile, the rest at the end."""
    a, b = np.asarray(real, np.float64), np.asarray(synthetic, np.float64)
    low, high = float(a.min()), float(np.quantile(a, 0.99))
    edges = np.linspace(low, high if high > low else low + 1.0, BINS + 1)
    sides = {
        side: (np.histogram(np.clip(values, edges[0], edges[-1]), edges)[0] / len(values)).round(6).tolist()
        for side, values in (("real", a), ("synthetic", b))
    }
    return _card(name, unit, ks(real, synthetic)) | {"edges": edges.tolist()} | sides


def bars(name: str, real: Counter[str], synthetic: Counter[str], unit: str) -> dict[str, Any]:
    """A category as a column of a report: the most frequent values, the rest in one bar."""
    a, b = max(real.total(), 1), max(synthetic.total(), 1)
    order = sorted({**real, **synthetic}, key=lambda key: (-real[key] / a - synthetic[key] / b, key))
    shown, rest = order[:BARS], order[BARS:]
    sides = {}
    for side, counts, total in (("real", real, a), ("synthetic", synthetic, b)):
        sides[side] = [round(counts[key] / total, 6) for key in shown]
        if rest:
            sides[side].append(round(sum(counts[key] for key in rest) / total, 6))
    labels = shown + ([f"({len(rest)} more)"] if rest else [])
    return _card(name, unit, total_variation(real, synthetic)) | {"labels": labels} | sides


def _card(name: str, unit: str, error: float) -> dict[str, Any]:
    return {"name": name, "kind": unit, "error": 100 * error, "missing_real": 0.0, "missing_synthetic": 0.0}


def most_apart(
    real: Mapping[K, int], synthetic: Mapping[K, int], names: Mapping[K, str], count: int = 20
) -> list[dict[str, Any]]:
    """The keys whose shares differ most, with both shares; what a reader looks at first."""
    a, b = max(sum(real.values()), 1), max(sum(synthetic.values()), 1)
    rows: Iterable[dict[str, Any]] = (
        {"name": names[key], "real": real.get(key, 0) / a, "synthetic": synthetic.get(key, 0) / b}
        for key in {**real, **synthetic}
    )
    return sorted(rows, key=lambda row: (-abs(row["real"] - row["synthetic"]), row["name"]))[:count]
