"""Nearest real rows of every synthetic row, exact, in tiles of bounded memory.

m queries, n reference rows, p number columns, q code columns.
"""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from difflm.metrics.base import cores
from difflm.metrics.table import Bench, Encoded, sample_rows

QUERY_TILE, REFERENCE_TILE = 256, 2048


@dataclass(frozen=True)
class Space:
    """Rows ready for distances: numbers (n, p) float32 over their range, codes (n, q) in few bytes."""

    numbers: NDArray[np.float32]
    codes: NDArray[np.unsignedinteger]

    def __len__(self) -> int:
        return len(self.numbers)

    def take(self, rows: NDArray[np.intp] | slice) -> Space:
        return Space(self.numbers[rows], self.codes[rows])


@dataclass
class Nearest:
    """first, second (m,): distances to the two nearest references; index (m,) of the nearest;
    back (n,): distance from each reference to its nearest query."""

    first: NDArray[np.float32]
    second: NDArray[np.float32]
    index: NDArray[np.intp]
    back: NDArray[np.float32]


def spaces(bench: Bench, tables: Sequence[Encoded]) -> list[Space]:
    """The tables in one space: numbers over the range of the real training rows, codes as they are.

    A missing number lies in the middle of the range and has an indicator, a further code column.
    """
    low, width = bench.ranges()
    gaps = np.any([np.isnan(table.numbers).any(axis=0) for table in tables], axis=0)
    largest = max([2, *bench.codec.levels])
    kind = np.uint8 if largest <= 256 else np.uint16 if largest <= 65_536 else np.uint32
    result = []
    for table in tables:
        missing = np.isnan(table.numbers)
        numbers = np.clip(np.where(missing, 0.5, table.numbers / width - low / width), -1e6, 1e6)
        codes = np.hstack([table.codes, missing[:, gaps].astype(np.int32)])
        result.append(Space(numbers.astype(np.float32), codes.astype(kind)))
    return result


def _tile(a: Space, b: Space, power: int) -> NDArray[np.float32]:
    """(len(a), len(b)) sum of |x - y|^power over numbers, plus 1 (L1: one-hot / 2) or 2 (squared L2 of
    one-hot) for each code that differs."""
    distance = np.zeros((len(a), len(b)), dtype=np.float32)
    buffer = np.empty_like(distance)
    for j in range(a.numbers.shape[1]):
        np.subtract(a.numbers[:, j, None], b.numbers[None, :, j], out=buffer)
        if power == 1:
            np.abs(buffer, out=buffer)
        else:
            np.multiply(buffer, buffer, out=buffer)
        distance += buffer
    if a.codes.shape[1]:
        small = np.uint8 if a.codes.shape[1] < 256 else np.uint16
        differing = np.zeros(distance.shape, dtype=small)
        unequal = np.empty(distance.shape, dtype=bool)
        for j in range(a.codes.shape[1]):
            np.not_equal(a.codes[:, j, None], b.codes[None, :, j], out=unequal)
            differing += unequal
        distance += differing if power == 1 else 2 * differing.astype(np.float32)
    return distance


def nearest(queries: Space, references: Space, *, power: int = 1, skip_self: bool = False) -> Nearest:
    """Two nearest references of every query; with `power` 2 squared Euclidean distances.

    `skip_self` leaves out reference i for query i, for distances within one table. Missing second
    neighbours are infinite.
    """
    columns = [
        Space(np.asfortranarray(references.numbers[k : k + REFERENCE_TILE]),
              np.asfortranarray(references.codes[k : k + REFERENCE_TILE]))
        for k in range(0, len(references), REFERENCE_TILE)
    ]  # fmt: skip
    blocks = [slice(k, k + QUERY_TILE) for k in range(0, len(queries), QUERY_TILE)]

    def run(block: slice) -> tuple[Nearest, slice]:
        part = queries.take(block)
        rows = np.arange(len(part))
        first = np.full(len(part), np.inf, dtype=np.float32)
        second, index = first.copy(), np.zeros(len(part), dtype=np.intp)
        back = np.empty(len(references), dtype=np.float32)
        for number, column in enumerate(columns):
            start = number * REFERENCE_TILE
            tile = _tile(part, column, power)
            if skip_self:
                own = rows + block.start - start
                inside = (own >= 0) & (own < len(column))
                tile[rows[inside], own[inside]] = np.inf
            back[start : start + len(column)] = tile.min(axis=0)
            where = tile.argmin(axis=1)
            low = tile[rows, where]
            tile[rows, where] = np.inf
            closer = low < first
            second = np.minimum(np.maximum(first, low), np.minimum(second, tile.min(axis=1)))
            index[closer] = where[closer] + start
            first = np.minimum(first, low)
        return Nearest(first, second, index, back), block

    result = Nearest(
        first=np.full(len(queries), np.inf, dtype=np.float32),
        second=np.full(len(queries), np.inf, dtype=np.float32),
        index=np.zeros(len(queries), dtype=np.intp),
        back=np.full(len(references), np.inf, dtype=np.float32),
    )
    with ThreadPoolExecutor(cores()) as pool:
        for part, block in pool.map(run, blocks):
            result.first[block], result.second[block] = part.first, part.second
            result.index[block] = part.index
            np.minimum(result.back, part.back, out=result.back)
    return result


@dataclass(frozen=True)
class Closeness:
    """Synthetic rows against training rows and unseen real rows.

    The first `size` of `train_rows` and the `holdout_rows` are equally many: shares compare those.
    """

    train_rows: NDArray[np.intp]
    holdout_rows: NDArray[np.intp]
    synthetic_rows: NDArray[np.intp]
    to_train: Nearest
    to_train_part: NDArray[np.float32]
    to_holdout: Nearest

    @property
    def size(self) -> int:
        return len(self.holdout_rows)


def closeness(bench: Bench, synthetic: Encoded) -> Closeness:
    """L1 neighbours as DCR, NNDR and membership inference need them; kept for the last table asked for."""
    known = bench.cache.get("closeness")
    if known is not None and known[0] is synthetic:
        return known[1]
    rng = bench.rng(2)
    size = min(len(bench.test), len(bench.train), bench.max_rows)
    train_rows = sample_rows(len(bench.train), bench.max_rows, rng)
    holdout_rows = sample_rows(len(bench.test), size, rng)
    synthetic_rows = sample_rows(len(synthetic), bench.max_rows, rng)
    tables = [bench.train.take(train_rows), bench.test.take(holdout_rows), synthetic.take(synthetic_rows)]
    train, holdout, queries = spaces(bench, tables)
    part = nearest(queries, train.take(slice(0, size)))
    whole = part
    if len(train) > size:
        whole = _merge(part, nearest(queries, train.take(slice(size, None))), size)
    result = Closeness(train_rows, holdout_rows, synthetic_rows, whole, part.first, nearest(queries, holdout))
    bench.cache["closeness"] = (synthetic, result)
    return result


def _merge(a: Nearest, b: Nearest, offset: int) -> Nearest:
    """Neighbours among the references of `a` followed by those of `b`."""
    second = np.minimum(np.maximum(a.first, b.first), np.minimum(a.second, b.second))
    index = np.where(b.first < a.first, b.index + offset, a.index)
    return Nearest(np.minimum(a.first, b.first), second, index, np.concatenate([a.back, b.back]))


def holdout_to_train(bench: Bench) -> Nearest:
    """Distances of the holdout rows to the training rows, computed once for a bench."""
    if "holdout_to_train" not in bench.cache:
        rng = bench.rng(2)
        size = min(len(bench.test), len(bench.train), bench.max_rows)
        train_rows = sample_rows(len(bench.train), bench.max_rows, rng)
        holdout_rows = sample_rows(len(bench.test), size, rng)
        tables = [bench.train.take(train_rows), bench.test.take(holdout_rows)]
        train, holdout = spaces(bench, tables)
        bench.cache["holdout_to_train"] = nearest(holdout, train)
    return bench.cache["holdout_to_train"]
