"""Trend error: how far the relation between each pair of columns is off."""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from difflm.metrics.base import Figure, Metric, Result, register
from difflm.metrics.joint import joint_tables
from difflm.metrics.table import Bench, Encoded, column_ranges

BINS = 10


def pearson(numbers: NDArray[np.float64]) -> NDArray[np.float64]:
    """(p, p) Pearson correlations of (n, p) over the rows in which both values are known.

    A correlation that is not defined (a constant column, fewer than two common rows) is 0.
    """
    low, width = column_ranges(numbers)
    known = ~np.isnan(numbers)
    scaled = np.where(known, numbers / width - low / width, 0.0)
    count = known.sum(axis=0)
    scaled = np.where(known, scaled - scaled.sum(axis=0) / np.maximum(count, 1), 0.0)
    mask = known.astype(float)
    n = np.maximum(mask.T @ mask, 1.0)
    sums = scaled.T @ mask  # [i, j]: sum of column i over the rows where j is known too
    squares = (scaled**2).T @ mask
    covariance = scaled.T @ scaled - sums * sums.T / n
    variance = np.maximum(squares - sums**2 / n, 0.0)
    scale = np.sqrt(variance * variance.T)
    # Below this the variance is rounding error of a constant column.
    defined = np.minimum(variance, variance.T) > 1e-12 * n
    return np.where(defined, np.clip(covariance / np.where(defined, scale, 1.0), -1.0, 1.0), 0.0)


def shared_bins(
    numbers: NDArray[np.float64], low: NDArray[np.float64], width: NDArray[np.float64]
) -> NDArray[np.int64]:
    """(n, p) bins 0..9 over the real training range, values outside in the end bins; 10 is missing."""
    known = ~np.isnan(numbers)
    position = np.clip(np.where(known, numbers / width - low / width, 0.0), 0.0, 1.0)
    bins = np.minimum((position * BINS).astype(np.int64), BINS - 1)
    return np.where(known, bins, BINS)


def own_bins(numbers: NDArray[np.float64]) -> NDArray[np.int64]:
    """(n, p) as SDMetrics' ColumnPairTrends: `histogram_bin_edges` of the frame itself, then `digitize`.

    The largest value and the missing ones thereby fall together in an eleventh bin.
    """
    _, width = column_ranges(numbers)
    bins = np.empty(numbers.shape, dtype=np.int64)
    for j in range(numbers.shape[1]):
        values = numbers[:, j] / width[j]
        known = values[~np.isnan(values)]
        edges = np.histogram_bin_edges(known if len(known) else np.zeros(1), bins=BINS)
        bins[:, j] = np.clip(np.digitize(values, edges) - 1, 0, BINS)
    return bins


def contingency_distance(
    real: tuple[NDArray[np.int64], NDArray[np.int64]],
    synthetic: tuple[NDArray[np.int64], NDArray[np.int64]],
    levels: tuple[int, int],
) -> float:
    """Total variation distance of two contingency tables given as pairs of code columns."""
    joint_real = real[0] * levels[1] + real[1]
    joint_synthetic = synthetic[0] * levels[1] + synthetic[1]
    cells = levels[0] * levels[1]
    if cells > 4 * (len(joint_real) + len(joint_synthetic)):
        _, joint = np.unique(np.concatenate([joint_real, joint_synthetic]), return_inverse=True)
        joint_real, joint_synthetic = joint[: len(joint_real)], joint[len(joint_real) :]
        cells = int(joint.max()) + 1
    p = np.bincount(joint_real, minlength=cells) / len(joint_real)
    q = np.bincount(joint_synthetic, minlength=cells) / len(joint_synthetic)
    return float(np.abs(p - q).sum() / 2)


def binned(
    bench: Bench, synthetic: Encoded, *, own: bool = False
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Codes (n, c) of the training rows and (m, c) of others, numbers by bins, columns as in `codec.names`."""
    low, width = bench.ranges()
    real, other = (
        # Column-major, so that each bincount reads memory in one run.
        np.asfortranarray(
            np.hstack(
                [
                    own_bins(table.numbers) if own else shared_bins(table.numbers, low, width),
                    table.codes.astype(np.int64),
                ]
            )
        )
        for table in (bench.train, synthetic)
    )
    return real, other


def pair_errors(
    bench: Bench, synthetic: Encoded, codes: tuple[NDArray[np.int64], NDArray[np.int64]]
) -> NDArray[np.float64]:
    """(c, c) symmetric errors in [0, 1] with a zero diagonal, columns as in `codec.names`; `codes` as `binned` gives
    them."""
    train, p = bench.train, len(bench.codec.number_names)
    levels = [BINS + 1] * p + bench.codec.levels
    real, other = codes
    errors = np.zeros((len(levels), len(levels)))
    errors[:p, :p] = np.abs(pearson(train.numbers) - pearson(synthetic.numbers)) / 2
    for i in range(len(levels)):
        for j in range(max(i + 1, p), len(levels)):
            pair = ((real[:, i], real[:, j]), (other[:, i], other[:, j]))
            errors[i, j] = errors[j, i] = contingency_distance(*pair, (levels[i], levels[j]))
    np.fill_diagonal(errors, 0.0)
    return errors


@final
@register
class Trend(Metric):
    """Mean over all column pairs of half the Pearson difference or the contingency distance, x 100."""

    name = "trend"

    def figures(self, bench: Bench) -> tuple[Figure, ...]:
        return (
            Figure(
                name="trend",
                label="Trend error %",
                goal="min",
                bounds=(0.0, 100.0),
                best=0.0,
                digits=2,
                meaning="How far the relation between two columns is off, averaged over all pairs. "
                "Shuffled columns look perfect in shape and fail here.",
            ),
            Figure(
                name="trend_own_bins",
                label="Trend error %, own bins",
                goal="min",
                bounds=(0.0, 100.0),
                best=0.0,
                digits=2,
                meaning="The same with numeric bins cut for each table on its own, as the SDMetrics library "
                "does it. Only for comparison with published figures: one outlier moves every bin.",
            ),
        )

    def compute(self, bench: Bench, synthetic: Encoded) -> Result:
        names = bench.codec.names
        if len(names) < 2 or not len(synthetic):
            return Result({"trend": None, "trend_own_bins": None}, {}, ["Trend needs two columns and a row."])
        codes = binned(bench, synthetic)
        shared = pair_errors(bench, synthetic, codes)
        own = pair_errors(bench, synthetic, binned(bench, synthetic, own=True))
        upper = np.triu_indices(len(names), 1)
        scores: dict[str, float | None] = {
            "trend": 100 * float(shared[upper].mean()),
            "trend_own_bins": 100 * float(own[upper].mean()),
        }
        pairs = {"columns": names, "error": np.round(100 * shared, 4).tolist()}
        joint = joint_tables(bench, *codes, shared, BINS)
        return Result(scores, {"pairs": pairs, "joint": joint})
