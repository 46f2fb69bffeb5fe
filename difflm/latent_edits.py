"""Directions in the latent: moving a record along one column, and drawing more records like some. z (n, Z) float32."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difflm.errors import DataError

LEAST = 8
"""Records with and without a value that a direction needs."""
RIDGE = 1e-3
"""Share of the latents' variance that steadies the regression."""


def can_steer(values: pd.Series) -> bool:
    """Whether a column has a direction: it has an order, or values that enough records share."""
    known = values.dropna()
    if has_order(values):
        return len(known) >= 2 * LEAST and known.nunique() > 1
    return bool((known.astype("string").value_counts() >= LEAST).any()) and known.nunique() > 1


def direction(latents: NDArray[np.float32], values: pd.Series, value: object = None) -> NDArray[np.float32]:
    """The step (Z,) that raises an ordered column by one standard deviation (of its ranks), or leads from the mean of
    all other records to that of those with `value`.

    Both lie along the covariance of z with the column, which is how records that differ in it differ on the whole; for
    an ordered column as far as its least-squares reading from z needs."""
    if has_order(values) and value is None:
        raw = values.astype("int64") if pd.api.types.is_datetime64_any_dtype(values) else values
        known = values.notna().to_numpy()
        # By rank: a few huge values are not the direction.
        target = raw[known].astype("float64").rank().to_numpy()
    else:
        known = np.ones(len(values), dtype=bool)
        target = (values.astype("string") == str(value)).fillna(False).to_numpy().astype(np.float64)
        if not LEAST <= target.sum() <= len(target) - LEAST:
            raise DataError(
                f"a value that at least {LEAST} records have, and as many have not",
                f"{int(target.sum())} of {len(target)} records with {str(value)[:40]!r}",
                "choose a more frequent value",
            )
    z = latents[known].astype(np.float64)
    z, target = z - z.mean(axis=0), target - target.mean()
    together = z.T @ target / len(z)
    along = together / max(float(target.var()), 1e-12)
    if value is None:
        along *= float(target.std()) / max(_explained(z, together, target), 1e-2)
    made: NDArray[np.float32] = along.astype(np.float32)
    return made


def _explained(z: NDArray[np.float64], together: NDArray[np.float64], target: NDArray[np.float64]) -> float:
    """Share of the variance of `target` (n,) that a least-squares reading of z (n, Z) explains."""
    covariance = z.T @ z / len(z)
    covariance += RIDGE * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    return float(together @ np.linalg.solve(covariance, together) / max(float(target.var()), 1e-12))


def more_like(latents: NDArray[np.float32], n: int, seed: int = 0) -> NDArray[np.float32]:
    """n latents (n, Z) near those of a group (m, Z): a kernel density of the group's own shape."""
    m, size = latents.shape
    if m < 2:
        raise DataError("at least 2 records to draw more like them", str(m), "select more points")
    rng = np.random.default_rng([seed, n, m])
    z = latents.astype(np.float64)
    width = (4 / (size + 2) / m) ** (1 / (size + 4))
    covariance = np.cov(z, rowvar=False).reshape(size, size) + 1e-6 * np.eye(size)
    factor = np.linalg.cholesky(covariance)
    centre = z.mean(axis=0)
    # Shrunk towards the centre, so that the draws vary as much as the group does (Silverman 1986, section 6.4).
    picked = centre + (z[rng.integers(m, size=n)] - centre) / np.sqrt(1 + width**2)
    drawn = picked + width / np.sqrt(1 + width**2) * rng.standard_normal((n, size)) @ factor.T
    made: NDArray[np.float32] = drawn.astype(np.float32)
    return made


def has_order(values: pd.Series) -> bool:
    """Numbers and dates with more than two values."""
    number = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    return (number or pd.api.types.is_datetime64_any_dtype(values)) and values.nunique() > 2
