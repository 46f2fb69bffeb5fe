"""Embeddings of fitted tokens, shared in form by the compact encoder and decoder.

V tokens, D width.
"""

from __future__ import annotations

import math

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from difflm.formats.codec import FittedCodec, Slot

WAVES = 24
"""Cosines over the ranks of a slot: neighbouring bins share what they learn, down to about a tenth of 200 bins."""


class TokenTable(nn.Module):
    """Embeddings of tokens, slots and places."""

    def __init__(self, codec: FittedCodec, width: int, places: int) -> None:
        super().__init__()
        self.token = OrderedRows(codec, width, 0.3)
        self.slot = nn.Embedding(len(codec.slots), width)
        self.place = nn.Embedding(places, width)
        nn.init.normal_(self.slot.weight, std=0.3)
        nn.init.normal_(self.place.weight, std=0.05)


class OrderedRows(nn.Module):
    """A row (D) for each token; those of an ordered slot are a smooth function of the rank plus something of their own.

    A bin of a number turns up in one row of two hundred: alone it learns little from some ten thousand rows."""

    basis: torch.Tensor
    tokens: torch.Tensor
    places: torch.Tensor

    def __init__(self, codec: FittedCodec, width: int, std: float) -> None:
        super().__init__()
        slots = [slot for slot in codec.slots if _ordered(codec, slot)]
        own = torch.randn(codec.vocabulary, width) * std
        longest = max((slot.size for slot in slots), default=0)
        basis = torch.zeros(len(slots), longest, WAVES)
        tokens: list[int] = []
        places: list[int] = []
        for number, slot in enumerate(slots):
            own[slot.lo : slot.hi] *= 0.3
            angles = math.pi * torch.linspace(0, 1, slot.size)[:, None] * torch.arange(WAVES)
            basis[number, : slot.size] = angles.cos() * (2 / WAVES) ** 0.5
            tokens += range(slot.lo, slot.hi)
            places += range(number * longest, number * longest + slot.size)
        self.own = nn.Parameter(own)
        fade = 1 / (1 + torch.arange(WAVES) / 6)  # slow waves first: neighbours start alike
        fade = fade * (WAVES / fade.square().sum()) ** 0.5
        self.waves = nn.Parameter(torch.randn(len(slots), WAVES, width) * fade[:, None] * std)
        self.register_buffer("basis", basis, persistent=False)
        self.register_buffer("tokens", torch.tensor(tokens, dtype=torch.long), persistent=False)
        self.register_buffer("places", torch.tensor(places, dtype=torch.long), persistent=False)

    def rows(self) -> torch.Tensor:
        """(V, D)"""
        if not len(self.basis):
            return self.own
        smooth = torch.bmm(self.basis, self.waves).flatten(0, 1)
        return self.own.index_add(0, self.tokens, smooth[self.places].to(self.own.dtype))

    def forward(self, ids: torch.Tensor) -> torch.Tensor:
        """(..., D) of ids (...)."""
        return F.embedding(ids, self.rows())


def _ordered(codec: FittedCodec, slot: Slot) -> bool:
    column = codec.columns[slot.column]
    known = slot.digit is not None and column.name in codec.codes
    return known and column.categories is None and slot.size >= 6


def prepare_tokens(codec: FittedCodec, rows: pd.DataFrame) -> dict[str, torch.Tensor]:
    """Token ids (n, T) of canonical rows, their slots (n, T), and the digits (n, H) below the tokens' reach."""
    ids = codec.encode(rows)
    return {
        "ids": torch.from_numpy(ids),
        "slots": torch.from_numpy(codec.slots_of(ids)),
        "tails": torch.from_numpy(codec.tails(rows)),
    }
