"""How much of two documents is the same: Jaccard similarity of their runs of three tokens."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

RUN = 3
CHUNK = 256
COMMON = 0.02
"""Runs in more than this share of the documents are multiplied as dense matrices, which is faster."""


@dataclass(frozen=True)
class Nearest:
    """The most similar document of a set for each of n documents; arrays (n,)."""

    similarity: NDArray[np.float32]
    index: NDArray[np.intp]


def shingles(documents: Sequence[Sequence[str]]) -> list[NDArray[np.uint64]]:
    """For each document the sorted codes of its runs of RUN tokens; of a shorter one a single code.

    Codes of 64 bits stand for runs, the same ones in every process.
    """
    codes: dict[str, int] = {}

    def code(token: str) -> int:
        if token not in codes:
            digest = hashlib.blake2b(token.encode("utf-8", "replace"), digest_size=8).digest()
            codes[token] = int.from_bytes(digest, "little")
        return codes[token]

    result = []
    for tokens in documents:
        row = np.fromiter((code(token) for token in tokens), np.uint64, len(tokens))
        count = max(len(row) - RUN + 1, 1)
        mixed = np.zeros(count, np.uint64)
        for place in range(RUN):
            part = row[place : place + count]
            # Odd multipliers: a run in another order has another code. Products wrap around on purpose.
            mixed[: len(part)] = mixed[: len(part)] * np.uint64(0x9E3779B97F4A7C15) + part
        result.append(np.unique(mixed))
    return result


class Base:
    """Documents that others are compared with; V distinct runs, n documents."""

    def __init__(self, documents: Sequence[NDArray[np.uint64]]) -> None:
        self.sizes = np.array([len(one) for one in documents], np.float32)
        every = np.concatenate(list(documents))
        self.codes, columns, counts = np.unique(every, return_inverse=True, return_counts=True)
        common = counts > max(COMMON * len(documents), 8)
        self.dense_of = np.where(common, np.cumsum(common) - 1, -1)
        rows = np.repeat(np.arange(len(documents)), self.sizes.astype(np.intp))
        matrix = _matrix(rows, columns, (len(documents), len(self.codes)))
        self.common = np.flatnonzero(common)
        self.dense = np.ascontiguousarray(matrix[:, self.common].toarray().T)
        rest = matrix @ sparse.diags_array((~common).astype(np.float32))
        rest.eliminate_zeros()
        self.rest = rest.T.tocsr()

    def nearest(self, documents: Sequence[NDArray[np.uint64]]) -> Nearest:
        """The most similar document of the base, the first of equals."""
        best = np.zeros(len(documents), np.float32)
        index = np.zeros(len(documents), np.intp)
        for start in range(0, len(documents), CHUNK):
            chunk = documents[start : start + CHUNK]
            known = [np.searchsorted(self.codes, one) for one in chunk]
            known = [
                found[(found < len(self.codes)) & (self.codes[np.minimum(found, len(self.codes) - 1)] == one)]
                for found, one in zip(known, chunk, strict=True)
            ]
            rows = np.repeat(np.arange(len(chunk)), [len(found) for found in known])
            matrix = _matrix(rows, np.concatenate(known), (len(chunk), len(self.codes)))
            shared = (matrix @ self.rest).toarray() + matrix[:, self.common].toarray() @ self.dense
            sizes = np.array([len(one) for one in chunk], np.float32)[:, None]
            similarity = shared / (sizes + self.sizes - shared)
            found = similarity.argmax(1)
            index[start : start + len(chunk)] = found
            best[start : start + len(chunk)] = similarity[np.arange(len(chunk)), found]
        return Nearest(best, index)


def _matrix(
    rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, int]
) -> sparse.csr_array[np.float32]:
    return sparse.csr_array((np.ones(len(rows), np.float32), (rows, columns)), shape=shape)
