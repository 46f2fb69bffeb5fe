"""Embeddings of fitted tokens, shared in form by the compact encoder and decoder.

V tokens, D width.
"""

from __future__ import annotations

import math

import pandas as pd
import torch
from torch import nn

from difflm.formats.codec import FittedCodec


class TokenTable(nn.Module):
    """Embeddings of tokens, slots and places; neighbouring bins of a number start as neighbours."""

    def __init__(self, codec: FittedCodec, width: int, places: int) -> None:
        super().__init__()
        self.token = nn.Embedding(codec.vocabulary, width)
        self.slot = nn.Embedding(len(codec.slots), width)
        self.place = nn.Embedding(places, width)
        nn.init.normal_(self.slot.weight, std=0.3)
        nn.init.normal_(self.place.weight, std=0.05)
        with torch.no_grad():
            self.token.weight.copy_(ordered_rows(codec, width, 0.3))


def ordered_rows(codec: FittedCodec, width: int, std: float) -> torch.Tensor:
    """(V, D) random rows; those of an ordered slot are smooth functions of the rank in it."""
    rows = torch.randn(codec.vocabulary, width)
    for slot in codec.slots:
        column = codec.columns[slot.column]
        if (
            slot.digit is None
            or column.name not in codec.codes
            or column.categories is not None
            or slot.size < 6
        ):
            continue
        rank = torch.linspace(0, 1, slot.size)[:, None]
        frequency = torch.rand(width) * 0.5 * slot.size**0.5
        smooth = math.sqrt(2) * torch.cos(2 * math.pi * (rank * frequency + torch.rand(width)))
        rows[slot.lo : slot.hi] = (smooth + 0.3 * rows[slot.lo : slot.hi]) / math.sqrt(1.09)
    return rows * std


def prepare_tokens(codec: FittedCodec, rows: pd.DataFrame) -> dict[str, torch.Tensor]:
    """Token ids (n, T) of canonical rows, their slots (n, T), and the digits (n, H) below the tokens' reach."""
    ids = codec.encode(rows)
    return {
        "ids": torch.from_numpy(ids),
        "slots": torch.from_numpy(codec.slots_of(ids)),
        "tails": torch.from_numpy(codec.tails(rows)),
    }
