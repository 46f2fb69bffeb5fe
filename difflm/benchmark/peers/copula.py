"""Gaussian copula: empirical margins, joined by the correlation of their normal scores.

A category is an interval of [0, 1] as long as its share, most frequent first; ties of a number likewise
(the distributional transform, Rueschendorf 2009), so that the margins come out exact. n rows, d columns.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from protocol import Job
from scipy.stats import norm

Array = NDArray[np.float64]


class Margin:
    """One column as ordered steps: the values, and where in [0, 1] each begins. Missing is the last."""

    def __init__(self, cells: pd.Series, ordered: bool) -> None:
        codes, values = pd.factorize(cells, sort=ordered, use_na_sentinel=True)
        codes = np.where(codes < 0, len(values), codes)
        shares = np.bincount(codes, minlength=len(values) + 1) / len(codes)
        # Categories have no order of their own: the frequent ones first, as far from missing as can be.
        order = np.arange(len(shares)) if ordered else np.argsort(-shares, kind="stable")
        place = np.argsort(order)
        self.values = np.array([*values, None], dtype=object)[order]
        self.starts = np.concatenate([[0.0], np.cumsum(shares[order])])
        self.codes = place[codes]

    def uniform(self, rng: np.random.Generator) -> Array:
        """(n,) the training cells as uniform numbers, ties spread over their interval."""
        low, high = self.starts[self.codes], self.starts[self.codes + 1]
        return np.asarray(low + (high - low) * rng.random(len(low)))

    def cells(self, u: Array) -> pd.Series:
        """(n,) cells of uniform numbers."""
        found = np.searchsorted(self.starts[1:-1], u, side="right")
        return pd.Series(self.values[found], dtype=object)


def main() -> None:
    """Fit and draw."""
    job = Job.given()
    rng = np.random.default_rng(job.seed)
    names = [*job.numbers, *job.categories]
    margins = [Margin(job.train[name], ordered=name in job.numbers) for name in names]
    uniform = np.column_stack([margin.uniform(rng) for margin in margins])
    scores = norm.ppf(np.clip(uniform, 1e-9, 1 - 1e-9))
    # The scores have unit variance by construction; atleast_2d keeps a table of one column a matrix.
    correlation = np.atleast_2d(np.corrcoef(scores, rowvar=False))
    job.fitted()
    for number in range(job.sets):
        draw = np.random.default_rng(job.set_seed(number))
        z = draw.multivariate_normal(np.zeros(len(names)), correlation, size=job.rows, method="eigh")
        u = norm.cdf(z / np.sqrt(np.diag(correlation)))
        made = {
            name: margin.cells(u[:, j]) for j, (name, margin) in enumerate(zip(names, margins, strict=True))
        }
        job.write(number, pd.DataFrame(made))
    job.finish(["numpy", "scipy", "pandas"])


if __name__ == "__main__":
    main()
