"""What every encoder and decoder can do, whatever model is inside (DESIGN section 4).

B rows, Z latent size, P soft tokens, D decoder width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import nn

Batch = dict[str, torch.Tensor]


@dataclass
class Written:
    """Rows as the decoder wrote them: those that parsed, and how many did not, by reason."""

    rows: pd.DataFrame
    index: list[int]
    rejected: dict[str, int] = field(default_factory=dict)


class Encoder(nn.Module, ABC):
    """Maps records to the posterior."""

    @abstractmethod
    def prepare(self, rows: pd.DataFrame) -> Batch:
        """Tensors of canonical rows, first dimension the row; what `forward` reads."""

    @abstractmethod
    def forward(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """mu, logvar (B, Z) in float32."""


class Given(NamedTuple):
    """Details that a decoder is told: inputs (B, T, D) to add at each position, and tail digits (B, H)."""

    inputs: torch.Tensor
    tails: torch.Tensor


class Decoder(nn.Module, ABC):
    """A language model that writes records after a soft prompt."""

    width: int
    soft_tokens: int
    weights: int | None = None
    """Weights that work on each token, where the settings alone do not tell."""
    cache_bytes: int = 0
    """Memory of the KV cache of one row while it is written, 0 where it is not known."""
    part_rows: int = 0
    """Rows that one thread of a CPU writes at once; 0 for the usual number."""

    @abstractmethod
    def prepare(self, rows: pd.DataFrame) -> Batch:
        """Tensors of canonical rows, first dimension the row; what `row_nll` reads."""

    @abstractmethod
    def row_nll(
        self,
        prompt: torch.Tensor,
        batch: Batch,
        word_dropout: torch.Tensor | None = None,
        added: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Nats (B,) that the rows of `batch` cost after `prompt` (B, P, D); `word_dropout` (B, T) blanks input tokens,
        `added` (B, T, D) is what the details say at the position that predicts each token."""

    @abstractmethod
    def null_prompts(self, n: int) -> torch.Tensor:
        """The prompt (n, P, D) that stands for no latent at all: the decoder alone."""

    @abstractmethod
    def write(
        self,
        prompt: torch.Tensor,
        temperature: float,
        generator: torch.Generator,
        only: Mapping[str, Any] | None = None,
        given: Given | None = None,
    ) -> Written:
        """Write one record per prompt under the grammar; temperature 0 is greedy; `only` fixes columns; `given` are
        the details of these very records."""
