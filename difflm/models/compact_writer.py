"""Step-by-step decoding of the compact decoder with a KV cache, where all rows move together.

B rows, D width, T positions.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F

from difflm.formats.phrases import LENGTH
from difflm.models.injected import Injected
from difflm.models.transformer import Block

if TYPE_CHECKING:
    from difflm.models.compact import CompactDecoder


class Writer:
    """Step-by-step decoding with a KV cache; `hidden` is the state (B, D) that predicts the next token."""

    def __init__(
        self, decoder: CompactDecoder, injected: Injected, added: torch.Tensor | None = None
    ) -> None:
        self.decoder, self.added, self.shift = decoder, added, injected.shift
        prompt = injected.prompt
        b, p, d = prompt.shape
        heads, slots = decoder.heads, 0 if injected.memory is None else injected.memory.shape[4]
        shape = (2, b, heads, slots + p + decoder.codec.longest, d // heads)
        device = prompt.device.type
        dtype = torch.get_autocast_dtype(device) if torch.is_autocast_enabled(device) else decoder.bos.dtype
        self.caches = [torch.empty(shape, device=prompt.device, dtype=dtype) for _ in decoder.blocks]
        for cache, memory in zip(self.caches, decoder.remembered(injected.memory), strict=True):
            if memory is not None:
                cache[:, :, :, :slots] = memory
        self.at, self.position = slots, 0
        self.rows = decoder.table.token.rows()
        self.phrases = None if decoder.phrases is None else decoder.phrases.rows()
        self.last: list[torch.Tensor] = []
        first = decoder.bos + decoder.table.slot.weight[0] + decoder.table.place.weight[0]
        self.hidden = self._run(torch.cat([prompt, self._told(first.expand(b, d))[:, None]], dim=1))

    def write(self, ids: torch.Tensor, next_slot: torch.Tensor | int) -> None:
        """Take token ids (B,) and prepare the position after them, which is at `next_slot`."""
        table = self.decoder.table
        self.position += 1
        slot = table.slot.weight[next_slot] if isinstance(next_slot, int) else table.slot(next_slot)
        x = F.embedding(ids, self.rows) + slot + table.place.weight[self.position]
        if self.decoder.phrases is not None and self.phrases is not None:
            self.last = [*self.last, ids.long()][-LENGTH:]
            if len(self.last) == LENGTH:
                x = x + self.decoder.phrases.step(torch.stack(self.last, dim=1), self.phrases)
        self.hidden = self._run(self._told(x)[:, None])

    def _told(self, x: torch.Tensor) -> torch.Tensor:
        """Inputs (B, D) of this position with its details; a text may run on after the last of them."""
        if self.shift is not None:
            x = x + self.shift
        if self.added is None or self.position >= self.added.shape[1]:
            return x
        return x + self.added[:, self.position]

    def _run(self, x: torch.Tensor) -> torch.Tensor:
        for block, cache in zip(self.decoder.blocks, self.caches, strict=True):
            assert isinstance(block, Block)
            x = block.step(x, cache, self.at)
        self.at += x.shape[1]
        return self.decoder.norm(x[:, -1])
