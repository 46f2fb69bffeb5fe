"""An encoder of its own over the tokens of a causal LM: text of a record -> mu, logvar, and states at its tokens.

B rows, T tokens, S latent slots, K dimensions of one, W width, D embedding width of the LM.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import torch
from torch import nn

from difflm.models.decoder import Batch
from difflm.models.token_encoder import Reading, TokenEncoder

if TYPE_CHECKING:
    from difflm.models.causal_lm import CausalLMDecoder

PLACES = 1024
"""Positions with an embedding of their own; later ones share the last."""


class DocumentEncoder(TokenEncoder):
    """Bidirectional Transformer; one query token per latent slot. It starts with what the LM knows of its tokens."""

    def __init__(
        self, decoder: CausalLMDecoder, width: int, layers: int, heads: int, slots: int, slot_dim: int
    ) -> None:
        super().__init__()
        # In a tuple it is no submodule: its weights are the decoder's.
        self._decoder = (decoder,)
        known = decoder.token_rows().detach().float()
        self.token = nn.Embedding.from_pretrained(known * (0.3 / known.std()), freeze=False)
        self.enter = nn.Linear(known.shape[1], width, bias=False)
        nn.init.orthogonal_(self.enter.weight)
        self.place = nn.Parameter(torch.randn(PLACES, width) * 0.05)
        self.add_blocks(width, layers, heads, slots, slot_dim)

    @property
    def decoder(self) -> CausalLMDecoder:
        """Whose tokens it reads."""
        return self._decoder[0]

    @torch.no_grad()
    def token_states(self) -> torch.Tensor:
        """What (V, W) the blocks get of each token alone."""
        states: torch.Tensor = self.enter(self.token.weight)
        return states

    def prepare(self, rows: pd.DataFrame) -> Batch:
        """The decoder's own text_ids and text_mask."""
        return self.decoder.prepare(rows)

    def read_row(self, batch: Batch) -> Reading:
        """Posterior and states; T is that of the longest record of the batch."""
        longest = int(batch["text_mask"].sum(dim=1).max())
        ids, there = batch["text_ids"][:, :longest].long(), batch["text_mask"][:, :longest]
        places = torch.arange(longest, device=ids.device).clamp(max=PLACES - 1)
        return self.read_embedded(self.enter(self.token(ids)) + self.place[places], there)
