"""Numbers moved a little in their rank, a smoothed bootstrap (Silverman 1981): rows that are not learned by heart.

A bin of a number is one of some two hundred of equal mass, so that a row of ten reals is told from all others by
two of its tokens, and after a few passes the decoder knows the rest. A move is accepted as in Metropolis et al.
(1953), by the ratio of the two bins' counts: the column's own distribution stays what it is.
V tokens, B rows, T positions.
"""

from __future__ import annotations

import numpy as np
import torch

from difflm.formats.codec import PAD, FittedCodec
from difflm.training.ties import follows

LEAST_BINS = 50
"""Fewer shared bins are coarse enough that a neighbour is another value."""
USUAL, NEAR = 1.5, 3.0
"""Bins of a move; and the moves within which a number that follows from others is told from them."""
ASKED_ROWS = 8_000
"""Rows that are looked at for that."""


class Jitter:
    """Moves of value tokens among the shared bins of their own column; spikes and categories stay."""

    def __init__(self, codec: FittedCodec, train_ids: torch.Tensor, size: float) -> None:
        self.size = size
        used = train_ids[train_ids != PAD].long()
        self.counts = torch.bincount(used, minlength=codec.vocabulary).float()
        ladder: list[int] = []
        self.rung = torch.full((codec.vocabulary,), -1, dtype=torch.long)
        self.first = torch.zeros(codec.vocabulary, dtype=torch.long)
        self.length = torch.ones(codec.vocabulary, dtype=torch.long)
        for slot in codec.slots[: codec.fixed]:
            column = codec.columns[slot.column]
            if slot.digit != -1 or column.categories is not None:
                continue
            edges = codec.codes[column.name].edges
            shared = [slot.lo + 1 + b for b, wide in enumerate(edges[1:] - edges[:-1] > 1) if wide]
            if len(shared) < LEAST_BINS:
                continue
            self.rung[shared] = torch.arange(len(ladder), len(ladder) + len(shared))
            self.first[shared], self.length[shared] = len(ladder), len(shared)
            ladder += shared
        self.ladder = torch.tensor(ladder, dtype=torch.long)

    def undoes(self, codec: FittedCodec, train_ids: torch.Tensor) -> bool:
        """Whether some number follows from others more closely than moves leave it (training/ties.py)."""
        slots = codec.slots[: codec.fixed]
        numbers = [n for n, slot in enumerate(slots) if (self.rung[slot.lo : slot.lo + slot.size] >= 0).any()]
        lows = torch.tensor([slots[place].lo for place in numbers])
        order = torch.randperm(len(train_ids), generator=torch.Generator().manual_seed(0))
        some = train_ids[order[:ASKED_ROWS].sort().values]
        bins = (some[:, numbers].long() - lows - 1).double().numpy()
        return follows(np.where(bins < 0, np.nan, bins), NEAR * self.size)

    def moved(self, ids: torch.Tensor, generator: torch.Generator, share: float = 1.0) -> torch.Tensor:
        """`ids` (B, T) with value tokens moved by about `share` of `size` bins."""
        shift = (torch.randn(ids.shape, generator=generator) * (share * self.size)).round().long()
        coin = torch.rand(ids.shape, generator=generator)
        if not len(self.ladder):
            return ids
        known = ids.clamp(min=0).long()
        rung = self.rung[known]
        inside = (ids != PAD) & (rung >= 0)
        first, length = self.first[known], self.length[known]
        # Reflected at both ends, so that a move and its way back are equally likely.
        place = (rung - first + shift) % (2 * length)
        place = torch.minimum(place, 2 * length - 1 - place)
        there = self.ladder[torch.where(inside, first + place, 0)]
        accepted = inside & (coin * self.counts[known] < self.counts[there])
        return torch.where(accepted, there.to(ids.dtype), ids)
