"""Integer codes as tokens: one value token, then decimal digits of the place inside its bin.

Numbers (scaled to integers by their decimals), datetimes (counted in their unit) and category
indices all are integers k. Frequent values get a bin of their own, the rest share bins of about
equal mass with round edges, so that spikes, heavy tails and rounding habits are each one softmax.

Shapes: n values, B bins, m digit tokens of base RADIX.
"""

from __future__ import annotations

from typing import Any

import numpy as np

RADIX = 100
MAX_DIGITS = 2
REPEATING = 0.5
ROWS_FOR_DIGITS = 50


class IntegerCode:
    """Code of integers in [edges[0], edges[-1]), or of the ranks of known `values` in the same way.

    A bin keeps at most `most_digits` digits as tokens; what is below them is spread evenly (`tail` > 1):
    there is nothing left to learn below a ten-thousandth of a bin, nor inside bins of a few rows, where
    digits would only be memorised.
    """

    def __init__(
        self, edges: np.ndarray, values: np.ndarray | None = None, most_digits: int = MAX_DIGITS
    ) -> None:
        self.most_digits = most_digits
        self.edges = np.asarray(edges, dtype=np.int64)
        self.values = None if values is None else np.asarray(values, dtype=np.int64)
        widths = np.diff(self.edges)
        places = np.ceil(np.log10(np.maximum(widths, 1)) - 1e-12).astype(np.int64)
        self.tail = 10 ** np.maximum(places - 2 * most_digits, 0)
        if most_digits == 0:
            self.tail = np.maximum(widths, 1)
        self.span = -(-widths // self.tail)
        self.digits = _digits_for(int(self.span.max()))

    @property
    def bins(self) -> int:
        """B, the number of value tokens."""
        return len(self.edges) - 1

    @classmethod
    def fit(cls, k: np.ndarray, most: int) -> IntegerCode:
        """About `most` bins for the integers `k` (fewer for short tables).

        Columns whose values come again and again are coded by the rank of the value, so that only
        known values are written: a rounded price or a ratio of small counts stays one."""
        values, counts = np.unique(np.asarray(k, dtype=np.int64), return_counts=True)
        allowed = int(np.clip(2 * counts.sum() ** 0.5, 8, most))
        if len(values) <= allowed:
            return cls(np.arange(len(values) + 1), values)
        light = counts < counts.sum() / allowed
        if light.sum() <= REPEATING * counts[light].sum():
            return cls(_edges(np.arange(len(values)), counts, allowed, rounded=False), values)
        edges = _edges(values, counts, allowed, rounded=True)
        learnable = counts.sum() >= ROWS_FOR_DIGITS * allowed and not _is_even(values, counts, edges)
        return cls(edges, most_digits=MAX_DIGITS if learnable else 0)

    def encode(self, k: np.ndarray) -> np.ndarray:
        """Tokens (n, 1 + m) of integers (n,); values outside the code go to the nearest it has."""
        k = np.asarray(k, dtype=np.int64)
        if self.values is not None:
            k = _nearest_rank(self.values, k)
        k = np.clip(k, self.edges[0], self.edges[-1] - 1)
        bins = np.searchsorted(self.edges, k, side="right") - 1
        offset = (k - self.edges[bins]) // self.tail[bins]
        return np.concatenate([bins[:, None], offset[:, None] // _powers(self.digits) % RADIX], axis=1)

    @property
    def tail_digits(self) -> int:
        """Digits of base RADIX that write the place inside any tail; 0 where nothing is spread evenly."""
        return _digits_for(int(self.tail.max()))

    def encode_tail(self, k: np.ndarray) -> np.ndarray:
        """Digits (n, tail_digits) of what `encode` leaves out of integers (n,)."""
        k = np.clip(np.asarray(k, dtype=np.int64), self.edges[0], self.edges[-1] - 1)
        bins = np.searchsorted(self.edges, k, side="right") - 1
        rest = (k - self.edges[bins]) % self.tail[bins]
        return np.asarray(rest[:, None] // _powers(self.tail_digits) % RADIX)

    def decode(
        self, tokens: np.ndarray, rng: np.random.Generator | None = None, tails: np.ndarray | None = None
    ) -> np.ndarray:
        """Integers (n,) of tokens (n, 1 + m). The tail is given by `tails` (n, tail_digits), or drawn by `rng`,
        or its middle without either."""
        tokens = np.asarray(tokens, dtype=np.int64)
        bins = tokens[:, 0]
        tail = self.tail[bins]
        if tails is not None:
            extra = np.minimum((tails * _powers(self.tail_digits)).sum(axis=1), tail - 1)
        else:
            extra = tail // 2 if rng is None else rng.integers(0, tail)
        low = self.edges[bins] + (tokens[:, 1:] * _powers(self.digits)).sum(axis=1) * tail
        k = np.minimum(low + np.where(tail > 1, extra, 0), self.edges[bins + 1] - 1)
        return k if self.values is None else self.values[k]

    def to_dict(self) -> dict[str, Any]:
        """JSON form."""
        values = None if self.values is None else self.values.tolist()
        return {"edges": self.edges.tolist(), "values": values, "most_digits": self.most_digits}

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> IntegerCode:
        """The code of `to_dict`."""
        return cls(
            np.array(data["edges"]),
            None if data["values"] is None else np.array(data["values"]),
            data["most_digits"],
        )


def _powers(digits: int) -> np.ndarray:
    return RADIX ** np.arange(digits - 1, -1, -1, dtype=np.int64)


def _digits_for(span: int) -> int:
    digits, reach = 0, 1
    while reach < span:
        digits, reach = digits + 1, reach * RADIX
    return digits


def _is_even(values: np.ndarray, counts: np.ndarray, edges: np.ndarray) -> bool:
    """Whether values lie evenly inside their bins, with no habit in their last digits: then there is nothing
    in the digits that drawing them evenly would not give."""
    bins = np.searchsorted(edges, values, side="right") - 1
    widths = np.diff(edges)[bins]
    inside = widths > RADIX
    if not inside.any():
        return False
    weights = counts[inside]
    place = (values[inside] - edges[bins[inside]]) * RADIX // widths[inside]
    # What 100 cells differ from even by chance alone, and a little more.
    allowed = 0.8 * (RADIX / weights.sum()) ** 0.5 + 0.02
    for cells in (place, values[inside] % RADIX):
        share = np.bincount(cells, weights, RADIX) / weights.sum()
        if 0.5 * np.abs(share - 1 / RADIX).sum() > allowed:
            return False
    return True


def _nearest_rank(values: np.ndarray, k: np.ndarray) -> np.ndarray:
    right = np.clip(np.searchsorted(values, k), 0, len(values) - 1)
    left = np.maximum(right - 1, 0)
    return np.where(np.abs(values[right] - k) <= np.abs(k - values[left]), right, left)


def _edges(values: np.ndarray, counts: np.ndarray, most: int, rounded: bool) -> np.ndarray:
    """Edges of about `most` bins: heavy values alone, quantiles between them, rounded where harmless."""
    mass = counts / counts.sum()
    heavy = mass >= 1.0 / most
    light = np.cumsum(np.where(heavy, 0.0, mass)) / max(mass[~heavy].sum(), 1e-12)
    quantile = np.floor(light * max(most - heavy.sum(), 1))[~heavy]
    starts = values[~heavy][np.diff(quantile, prepend=-1.0) > 0]
    edges = sorted({int(v) for v in starts} | {int(values[0]), int(values[-1]) + 1})
    if rounded:
        edges = [_round_down(edge, low, high) for low, edge, high in _neighbours(edges)]
    alone = {int(v) for v in values[heavy]}
    whole = set(edges) | alone | {v + 1 for v in alone} | {int(values[0]), int(values[-1]) + 1}
    return np.array(sorted(e for e in whole if values[0] <= e <= values[-1] + 1), dtype=np.int64)


def _neighbours(edges: list[int]) -> list[tuple[int, int, int]]:
    return list(zip(edges[:-2], edges[1:-1], edges[2:], strict=True))


def _round_down(edge: int, low: int, high: int) -> int:
    """`edge` down to the roundest number that moves it by less than a tenth of the bins beside it."""
    room = min(edge - low, high - edge)
    unit = 1
    while unit * 10 <= room // 10:
        unit *= 10
    return edge - edge % unit
