"""What encoders over the decoder's own tokens share: queries that read the latent, and states at the tokens.

B rows, T positions, W width, S latent slots, K dimensions of one, Z = S K.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from difflm.models.decoder import Batch, Encoder
from difflm.models.transformer import Block, scale_residuals


class Reading(NamedTuple):
    """What is known of B rows: mu, logvar (B, Z) in float32, the states (B, T, W) at the tokens, and which positions
    (B, T) hold one."""

    mu: torch.Tensor
    logvar: torch.Tensor
    states: torch.Tensor
    there: torch.Tensor


class TokenEncoder(Encoder):
    """A bidirectional Transformer over tokens, with one query token for each latent slot."""

    state_width: int

    def add_blocks(self, width: int, layers: int, heads: int, slots: int, slot_dim: int) -> None:
        """Queries, blocks and what reads mu and logvar; made after the embeddings of the subclass."""
        self.state_width = width
        self.queries = nn.Parameter(torch.randn(slots, width) * 0.3)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.read = nn.Linear(width, 2 * slot_dim)
        scale_residuals(self.blocks)
        nn.init.normal_(self.read.weight, std=0.02)
        nn.init.constant_(self.read.bias[slot_dim:], -2.0)

    @abstractmethod
    def read_row(self, batch: Batch) -> Reading:
        """Posterior and states of a batch."""

    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """mu, logvar (B, Z) in float32."""
        return self.read_row(batch)[:2]

    def read_embedded(self, x: torch.Tensor, there: torch.Tensor) -> Reading:
        """Posterior and states of embedded tokens (B, T, W), those that are `there` (B, T)."""
        n = len(self.queries)
        x = torch.cat([self.queries.expand(len(x), -1, -1), x], dim=1)
        mask = None if bool(there.all()) else F.pad(there, (n, 0), value=True)[:, None, None, :]
        for block in self.blocks:
            x = block(x, causal=False, mask=mask)
        mu, logvar = self.read(self.norm(x[:, :n])).float().chunk(2, dim=-1)
        return Reading(mu.flatten(1), logvar.flatten(1).clamp(-12, 4), x[:, n:], there)
