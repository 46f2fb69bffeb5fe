"""The compact encoder over fitted tokens.

B rows, T positions, Z latent size.
"""

from __future__ import annotations

import pandas as pd
import torch

from difflm.formats.codec import PAD, FittedCodec
from difflm.models.decoder import Batch
from difflm.models.token_encoder import Reading, TokenEncoder
from difflm.models.tokens import TokenTable, prepare_tokens


class CompactEncoder(TokenEncoder):
    """Bidirectional Transformer over the row's tokens; one query token per latent slot reads mu and logvar."""

    def __init__(
        self, codec: FittedCodec, width: int, layers: int, heads: int, latent_slots: int, slot_dim: int
    ) -> None:
        super().__init__()
        self.codec = codec
        self.table = TokenTable(codec, width, codec.longest)
        self.add_blocks(width, layers, heads, latent_slots, slot_dim)

    def prepare(self, rows: pd.DataFrame) -> Batch:
        """What `prepare_tokens` gives."""
        return prepare_tokens(self.codec, rows)

    def read_row(self, batch: Batch) -> Reading:
        """Posterior and states of the fitted tokens of a batch."""
        ids, slots = batch["ids"], batch["slots"]
        x = self.table.token(ids.clamp(min=0)) + self.table.slot(slots)
        x = x + self.table.place(torch.arange(ids.shape[1], device=ids.device))
        return self.read_embedded(x, ids != PAD)
