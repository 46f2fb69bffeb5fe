"""The seeded split into rows to learn from, to stop by, and to score on."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difflm.errors import DataError

SHARES = (0.8, 0.1, 0.1)


def split_rows(count: int, seed: int) -> tuple[NDArray[np.intp], NDArray[np.intp], NDArray[np.intp]]:
    """Row numbers of train, validation and test (80/10/10), each in table order and none empty."""
    if count < 3:
        raise DataError("at least 3 rows to split", str(count), "add rows")
    order = np.random.default_rng([seed, count]).permutation(count)
    held = max(1, round(count * SHARES[1]))
    tested = max(1, round(count * SHARES[2]))
    cut = count - held - tested
    return np.sort(order[:cut]), np.sort(order[cut : cut + held]), np.sort(order[cut + held :])


def split(frame: pd.DataFrame, seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.DataFrame]:
    """Train, validation and test rows of `frame`, each with a fresh index."""
    train, validation, test = (
        frame.iloc[rows].reset_index(drop=True) for rows in split_rows(len(frame), seed)
    )
    return train, validation, test
