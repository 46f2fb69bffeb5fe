"""The compact encoder over fitted tokens.

B rows, T positions, Z latent size.
"""

from __future__ import annotations

import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from difflm.formats.codec import PAD, FittedCodec
from difflm.models.decoder import Batch, Reading, TokenEncoder
from difflm.models.tokens import TokenTable, prepare_tokens
from difflm.models.transformer import Block, scale_residuals


class CompactEncoder(TokenEncoder):
    """Bidirectional Transformer over the row's tokens; one query token per latent slot reads mu and logvar."""

    def __init__(
        self, codec: FittedCodec, width: int, layers: int, heads: int, latent_slots: int, slot_dim: int
    ) -> None:
        super().__init__()
        self.codec, self.state_width = codec, width
        self.table = TokenTable(codec, width, codec.longest)
        self.queries = nn.Parameter(torch.randn(latent_slots, width) * 0.3)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, 2 * slot_dim)
        scale_residuals(self.blocks)
        nn.init.normal_(self.read.weight, std=0.02)
        nn.init.constant_(self.read.bias[slot_dim:], -2.0)

    def prepare(self, rows: pd.DataFrame) -> Batch:
        """What `prepare_tokens` gives."""
        return prepare_tokens(self.codec, rows)

    def read_row(self, batch: Batch) -> Reading:
        """Posterior and states of the fitted tokens of a batch."""
        ids, slots = batch["ids"], batch["slots"]
        b, t = ids.shape
        n = len(self.queries)
        x = self.table.token(ids.clamp(min=0)) + self.table.slot(slots)
        x = x + self.table.place(torch.arange(t, device=ids.device))
        x = torch.cat([self.queries.expand(b, -1, -1), x], dim=1)
        padded = ids == PAD
        mask = F.pad(~padded, (n, 0), value=True)[:, None, None, :] if bool(padded.any()) else None
        for block in self.blocks:
            x = block(x, causal=False, mask=mask)
        mu, logvar = self.read(self.norm(x[:, :n])).float().chunk(2, dim=-1)
        return Reading(mu.reshape(b, -1), logvar.reshape(b, -1).clamp(-12, 4), x[:, n:], ~padded)
