"""Whether numbers of a table follow from each other so closely that moving them would undo what there is to learn.

A move (training/jitter.py) knows nothing of the other columns. Where a number is nearly a function of others, such as
the bills of six months, rows with moved numbers teach a looser relation than the real one, and generated rows are told
apart by it. n rows, k columns; all is measured in bins, which are ranks, whatever the unit of a column.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

ASKED, OTHERS = 6, 10
"""Columns that are asked about, and others that each is told from."""
ALIKE = 0.7
"""Rank correlation with its nearest other from which on a column is asked about."""
LEAST_ROWS = 500
"""Of fewer nothing can be said."""


def follows(bins: NDArray[np.float64], near: float) -> bool:
    """Whether the median error of a column of `bins` (n, k; NaN: no number) told from the others is less than `near`.

    Told by boosted trees that saw the other half of the rows."""
    from sklearn.ensemble import HistGradientBoostingRegressor

    if bins.shape[1] < 2:
        return False
    alike = _rank_correlations(bins)
    for column in np.argsort(-alike.max(axis=1), kind="stable")[:ASKED]:
        if alike[column].max() < ALIKE:
            return False
        known = np.flatnonzero(~np.isnan(bins[:, column]))
        if len(known) < LEAST_ROWS:
            continue
        seen, unseen = known[::2], known[1::2]
        # Trees cannot be grown by a column without two values.
        nearest = np.argsort(-alike[column], kind="stable")
        others = [c for c in nearest if c != column and _varies(bins[seen, c])][:OTHERS]
        if not others:
            continue
        trees = HistGradientBoostingRegressor(max_iter=80, early_stopping=False, random_state=0)
        trees.fit(bins[seen][:, others], bins[seen, column])
        error = np.abs(trees.predict(bins[unseen][:, others]) - bins[unseen, column])
        if np.median(error) < near:
            return True
    return False


def _varies(values: NDArray[np.float64]) -> bool:
    known = values[~np.isnan(values)]
    return len(known) > 0 and bool(known.min() < known.max())


def _rank_correlations(bins: NDArray[np.float64]) -> NDArray[np.float64]:
    """Absolute correlations (k, k) of the columns with each other, 0 with themselves; NaN counts as the mean."""
    known = ~np.isnan(bins)
    means = np.where(known, bins, 0.0).sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, bins - means, 0.0)
    spread = np.sqrt((centred**2).sum(axis=0))
    found = np.abs(centred.T @ centred) / np.maximum(np.outer(spread, spread), 1e-12)
    np.fill_diagonal(found, 0.0)
    return np.asarray(found)
