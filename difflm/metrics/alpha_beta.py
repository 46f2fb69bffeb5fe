"""Alpha-precision and beta-recall (Alaa et al. 2022, arXiv 2102.08921), naive variant of synthcity."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from difflm.metrics.base import Figure, Metric, Result, register
from difflm.metrics.neighbours import Space, nearest, spaces
from difflm.metrics.table import Bench, Encoded, sample_rows

STEPS = 30


def to_centre(table: Space, centre: Space, levels: list[int]) -> NDArray[np.float64]:
    """(m,) Euclidean distance of each one-hot row of `table` to the mean one-hot row of `centre`."""
    squared = ((table.numbers - centre.numbers.mean(axis=0, dtype=float)) ** 2).sum(axis=1)
    for j, count in enumerate(levels):
        share = np.bincount(centre.codes[:, j], minlength=count) / max(len(centre), 1)
        # |onehot(k) - share|^2 = |share|^2 - 2 share[k] + 1
        squared += (share**2).sum() - 2 * share[table.codes[:, j]] + 1
    return np.sqrt(np.maximum(squared, 0.0))


def score(curve: NDArray[np.float64], alphas: NDArray[np.float64]) -> float:
    """1 - sum |alpha - curve| / sum alpha."""
    return float(1 - np.abs(alphas - curve).sum() / alphas.sum())


@final
@register
class AlphaBeta(Metric):
    """Fidelity (alpha-precision) and diversity (beta-recall) in min-max scaled one-hot space."""

    name = "alpha_beta"

    def figures(self, bench: Bench) -> tuple[Figure, ...]:
        return (
            Figure(
                name="alpha_precision",
                label="Alpha-precision",
                goal="max",
                bounds=(0.0, 1.0),
                best=1.0,
                meaning="How far synthetic rows fall where real rows are, in the right proportion near the "
                "middle and at the edge.",
            ),
            Figure(
                name="beta_recall",
                label="Beta-recall",
                goal="max",
                bounds=(0.0, 1.0),
                best=None,
                meaning="How much of the variety of the real rows the synthetic rows cover. Unseen real rows "
                "reach about 0.5, not 1; a copy of the training rows reaches 1.",
            ),
        )

    def compute(self, bench: Bench, synthetic: Encoded) -> Result:
        rng = bench.rng(3)
        size = min(len(bench.train), len(synthetic), bench.max_rows)
        if size < 3:
            note = "Alpha-precision and beta-recall need three rows of each."
            return Result({"alpha_precision": None, "beta_recall": None}, {}, [note])
        real, other = spaces(
            bench,
            [
                bench.train.take(sample_rows(len(bench.train), size, rng)),
                synthetic.take(sample_rows(len(synthetic), size, rng)),
            ],
        )
        levels = bench.codec.levels + [2] * (real.codes.shape[1] - len(bench.codec.levels))
        alphas = np.linspace(0, 1, STEPS)
        radii = np.quantile(to_centre(real, real, levels), alphas)
        precision = (to_centre(other, real, levels)[:, None] <= radii).mean(axis=0)
        within = nearest(real, real, power=2, skip_self=True).first
        across = nearest(real, other, power=2)
        closest = to_centre(other, other, levels)[across.index]
        covered = (across.first <= within)[:, None] & (closest[:, None] <= np.quantile(closest, alphas))
        scores: dict[str, float | None] = {
            "alpha_precision": score(precision, alphas),
            "beta_recall": score(covered.mean(axis=0), alphas),
        }
        return Result(scores, {"alpha_beta": {"rows_each": size}})
