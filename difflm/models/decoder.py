"""What every encoder and decoder can do, whatever model is inside (DESIGN section 4).

B rows, T tokens, Z latent size, P soft tokens, D decoder width, L layers, H key-value heads, M slots of memory, d width
of a head.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import pandas as pd
import torch
from torch import nn

from difflm.models.injected import STD, Injected, MemoryShape

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
    """A language model that writes records by what is injected into it."""

    width: int
    soft_tokens: int
    """P, of the injection that it was made for."""
    null_prompt: nn.Parameter
    null_memory: nn.Parameter | None
    weights: int | None = None
    """Weights that work on each token, where the settings alone do not tell."""
    cache_bytes: int = 0
    """Memory of the KV cache of one row while it is written, 0 where it is not known."""
    first_rows: int = 64
    """Rows of the first batch of a generation; each next one is twice as large, so that a few rows come at once."""
    part_rows: int = 0
    """Rows that one thread of a CPU writes at once; 0 for the usual number."""

    @property
    @abstractmethod
    def device(self) -> torch.device:
        """Where the language model is."""

    @abstractmethod
    def prepare(self, rows: pd.DataFrame) -> Batch:
        """Tensors of canonical rows, first dimension the row; what `row_nll` reads."""

    @abstractmethod
    def row_nll(
        self,
        injected: Injected,
        batch: Batch,
        word_dropout: torch.Tensor | None = None,
        added: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Nats (B,) that the rows of `batch` cost given what is `injected`; `word_dropout` (B, T) blanks input tokens,
        `added` (B, T, D) is what the details say at the position that predicts each token."""

    @abstractmethod
    def memory_shape(self) -> MemoryShape:
        """Keys and values of one token; ConfigError where they are not the same in every layer."""

    @abstractmethod
    def instruction(self, text: str, tokens: int) -> torch.Tensor:
        """Embeddings (tokens, D) that a learned prefix begins as, in the scale of an injector."""

    def add_null(self, soft_tokens: int, memory_slots: int) -> None:
        """Make what stands for no latent: a learned prompt, or a learned memory whose values say nothing at first."""
        self.soft_tokens = soft_tokens
        self.null_prompt = nn.Parameter(torch.randn(soft_tokens, self.width) * STD)
        self.null_memory = None
        if memory_slots:
            layers, heads, size = self.memory_shape()
            memory = torch.randn(layers, 2, heads, memory_slots, size) * STD
            memory[:, 1] = 0.0
            self.null_memory = nn.Parameter(memory)

    def null(self, n: int) -> Injected:
        """What enters n rows that have no latent at all: the decoder alone."""
        memory = None if self.null_memory is None else self.null_memory.expand(n, -1, -1, -1, -1, -1)
        return Injected(self.null_prompt.expand(n, -1, -1), memory)

    def nlls(
        self,
        injected: Injected,
        batch: Batch,
        word_dropout: torch.Tensor | None = None,
        added: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Nats (B,) as `row_nll` has them, and what training minimises in their place: more where tokens count more."""
        nats = self.row_nll(injected, batch, word_dropout, added)
        return nats, nats

    @abstractmethod
    def write(
        self,
        injected: Injected,
        temperature: float,
        generator: torch.Generator,
        only: Mapping[str, Any] | None = None,
        given: Given | None = None,
    ) -> Written:
        """Write one record for each row of `injected` under the grammar; temperature 0 is greedy; `only` fixes
        columns; `given` are the details of these very records."""
