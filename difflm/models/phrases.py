"""What phrases mean beyond their tokens: an embedding of each, added where it ends

N-gram embeddings, as in Roy et al. 2022, arXiv 2207.06366, but for frequent phrases only. A small Transformer adds up
what year, month and day say one by one; the weather of one day it would have to keep in weights that are shared by all
days. B rows, T positions, D width, K phrases.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from difflm.formats.codec import FittedCodec
from difflm.formats.phrases import LENGTH


class Phrases(nn.Module):
    """Embeddings (K, D) that begin at zero; a run of tokens that is no phrase adds nothing."""

    keys: torch.Tensor

    def __init__(self, codec: FittedCodec, width: int) -> None:
        super().__init__()
        self.base = codec.vocabulary
        self.register_buffer("keys", self._key(torch.from_numpy(codec.phrases)), persistent=False)
        self.meaning = nn.Parameter(torch.zeros(len(codec.phrases), width))

    def forward(self, ids: torch.Tensor, hidden: torch.Tensor | None = None) -> torch.Tensor:
        """(B, T, D) at the last tokens of phrases in `ids` (B, T); one with a token of `hidden` (B, T) is not seen."""
        early = min(LENGTH - 1, ids.shape[1])
        found = self._find(ids.unfold(1, LENGTH, 1)) if ids.shape[1] >= LENGTH else ids[:, early:]
        if hidden is not None and found.shape[1]:
            found = found.masked_fill(hidden.unfold(1, LENGTH, 1).any(dim=-1), len(self.keys))
        return F.embedding(F.pad(found, (early, 0), value=len(self.keys)), self.rows())

    def rows(self) -> torch.Tensor:
        """(K + 1, D); the last one, of zeros, is what all other runs of tokens mean."""
        return F.pad(self.meaning, (0, 0, 0, 1))

    def step(self, last: torch.Tensor, rows: torch.Tensor) -> torch.Tensor:
        """(B, D) of the run of tokens `last` (B, 3), by `rows()`, which a writer makes once."""
        return F.embedding(self._find(last), rows)

    def _key(self, runs: torch.Tensor) -> torch.Tensor:
        key = torch.zeros_like(runs[..., 0], dtype=torch.long)
        for place in range(LENGTH):
            key = key * self.base + runs[..., place]
        return key

    def _find(self, runs: torch.Tensor) -> torch.Tensor:
        """Numbers (...) of the phrases among runs (..., 3), K for all others."""
        key = self._key(runs)
        at = torch.searchsorted(self.keys, key)
        known = self.keys[at.clamp(max=len(self.keys) - 1)] == key
        return torch.where(known, at, len(self.keys))
