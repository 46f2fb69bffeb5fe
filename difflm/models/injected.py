"""What enters a decoder beside the record itself, whatever the injection (DESIGN section 1.3).

B rows, P soft tokens, D decoder width, L layers, H key-value heads, M slots of memory, d width of a head.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch

STD = 0.3
"""Standard deviation with which all of it begins; a decoder brings it to that of its own embeddings, keys, values."""


class MemoryShape(NamedTuple):
    """Keys and values that a decoder keeps of one token: L layers, H heads, d."""

    layers: int
    heads: int
    size: int


@dataclass(frozen=True, eq=False)
class Injected:
    """Three ways into a decoder, of which an injection takes one, and a push behind it; the others stay empty.

    `prompt` (B, P, D) stands before BOS, P may be 0; `memory` (B, L, 2, H, M, d) are keys and values that every token
    sees in every layer; `shift` (B, D) is added to the embedding of every token of the record,
    `push` (B, V) to the logits of each."""

    prompt: torch.Tensor
    memory: torch.Tensor | None = None
    shift: torch.Tensor | None = None
    push: torch.Tensor | None = None

    def __len__(self) -> int:
        return len(self.prompt)

    def __getitem__(self, rows: slice | torch.Tensor) -> Injected:
        """Some of the rows."""
        return self.changed(lambda one: one[rows])

    def changed(self, change: Callable[[torch.Tensor], torch.Tensor]) -> Injected:
        """`change` of all that enters."""
        others = (self.memory, self.shift, self.push)
        return Injected(change(self.prompt), *(None if one is None else change(one) for one in others))

    def where(self, mask: torch.Tensor, other: Injected) -> Injected:
        """Rows of `other` where `mask` (B,), these elsewhere; where `other` has nothing, zeros enter."""

        def mixed(mine: torch.Tensor | None, theirs: torch.Tensor | None) -> torch.Tensor | None:
            if mine is None:
                return None
            theirs = torch.zeros_like(mine) if theirs is None else theirs.to(mine.dtype)
            return torch.where(mask.view(-1, *[1] * (mine.ndim - 1)), theirs, mine)

        prompt = mixed(self.prompt, other.prompt)
        assert prompt is not None
        pairs = ((self.memory, other.memory), (self.shift, other.shift), (self.push, other.push))
        return Injected(prompt, *(mixed(*pair) for pair in pairs))
