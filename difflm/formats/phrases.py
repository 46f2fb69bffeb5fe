"""Phrases: runs of three tokens that many rows have, such as year, month and day of a table by the hour.

n rows, T positions, V tokens, K phrases.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

LENGTH = 3
LEAST_ROWS = 8
"""Fewer rows say little of what follows a phrase, and a phrase of one row would be that row learned by heart."""


def frequent(ids: NDArray[np.int32], vocabulary: int, most: int) -> NDArray[np.int64]:
    """The up to `most` most frequent phrases (K, 3) of token ids (n, T) below `vocabulary`, sorted; none where a run of
    so many different tokens has no number of 64 bits."""
    if vocabulary**LENGTH >= 2**63:
        return np.zeros((0, LENGTH), np.int64)
    base = vocabulary
    keys, counts = [np.zeros(0, np.int64)], [np.zeros(0, np.int64)]
    for last in range(LENGTH - 1, ids.shape[1]):
        # A token belongs to one position, so the same phrase is never met at two of them.
        key, count = np.unique(_keys(ids[:, last - LENGTH + 1 : last + 1], base), return_counts=True)
        keys.append(key[count >= LEAST_ROWS])
        counts.append(count[count >= LEAST_ROWS])
    order = np.argsort(-np.concatenate(counts), kind="stable")[:most]
    kept = np.sort(np.concatenate(keys)[order])
    return np.stack([kept // base**place % base for place in reversed(range(LENGTH))], axis=1)


def _keys(phrases: NDArray[np.int32], base: int) -> NDArray[np.int64]:
    powers = base ** np.arange(LENGTH, dtype=np.int64)[::-1]
    return phrases.astype(np.int64) @ powers
