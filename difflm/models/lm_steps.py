"""One pass of a causal LM over the next tokens of every slot, with a cache; on a GPU replayed as CUDA graphs.

A step launches hundreds of kernels, most of which run shorter than Python takes to ask for them. A graph asks once for
all, but knows one shape only: steps are widened and the keys in use lengthened to powers of two, so that a few graphs
do. B slots, L tokens of a step, D embedding width, N keys in use, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from transformers import PreTrainedModel

from difflm.models.attention_masks import AttentionMasks
from difflm.models.paced_cache import PacedCache


class LMSteps:
    """Passes of any shape, the cache growing as it fills."""

    fixed = False
    """Whether all slots stay to the end."""
    cache: PacedCache

    def __init__(self, lm: PreTrainedModel, masks: AttentionMasks) -> None:
        self.lm, self.masks = lm, masks

    def begin(self, memory: torch.Tensor | None) -> None:
        """Nothing is read yet; `memory` (B, layers, 2, H, M, d) is seen by every token."""
        self.cache = PacedCache(memory)

    def width(self, tokens: int) -> int:
        """L of a step in which one slot takes so many tokens."""
        return tokens

    def __call__(self, x: torch.Tensor, at: torch.Tensor, positions: torch.Tensor, used: int) -> torch.Tensor:
        """Logits (B, V) after the last of the tokens x (B, L, D), whose keys go to the places `at` (B, L), the tokens
        themselves being at `positions` (B, L) for the LM; `used` places hold a token then."""
        self.cache.places.put(at)
        return self._logits(x, positions)

    def _logits(self, x: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        places = self.cache.places
        out = self.lm(
            inputs_embeds=x,
            attention_mask=self.masks(places.at, places.used, places.first, x.dtype),
            position_ids=positions,
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=1,
        )
        logits: torch.Tensor = out.logits[:, -1]
        return logits


class FixedSteps(LMSteps):
    """Passes of few shapes over a cache that has all its room from the begin. Padding beyond it goes to the last place,
    which no token reaches."""

    fixed = True
    SHORTEST = 64
    """Keys that are looked at in any case."""

    def __init__(self, lm: PreTrainedModel, masks: AttentionMasks, room: int) -> None:
        """`room` places for memory and tokens, and one more."""
        super().__init__(lm, masks)
        self.room, self.slots = room, 0

    def begin(self, memory: torch.Tensor | None) -> None:
        """The cache stays where it is: what it holds of other records is not looked at."""
        if not self.slots:
            self.cache = PacedCache(memory, self.room)
        elif memory is not None:
            self.cache.remember(torch.arange(len(memory), device=memory.device), memory)

    def width(self, tokens: int) -> int:
        """The next power of two."""
        return _power(tokens, 1)

    def __call__(self, x: torch.Tensor, at: torch.Tensor, positions: torch.Tensor, used: int) -> torch.Tensor:
        """As for any shape; the number of slots is always that of the first pass."""
        self.slots = self.slots or len(x)
        keys = min(_power(used + self.cache.places.first, self.SHORTEST), self.room)
        return self._fixed(x, at.clamp(max=self.room - 1 - self.cache.places.first), positions, keys)

    def _fixed(self, x: torch.Tensor, at: torch.Tensor, positions: torch.Tensor, keys: int) -> torch.Tensor:
        self.cache.places.put(at, keys)
        return self._logits(x, positions)


class Graph(NamedTuple):
    """A captured pass, what it reads, and what it leaves."""

    graph: torch.cuda.CUDAGraph
    x: torch.Tensor
    at: torch.Tensor
    positions: torch.Tensor
    logits: torch.Tensor


class GraphedSteps(FixedSteps):
    """Each shape is captured when it first comes, and replayed from then on."""

    def __init__(self, lm: PreTrainedModel, masks: AttentionMasks, room: int) -> None:
        super().__init__(lm, masks, room)
        self.graphs: dict[tuple[int, int], Graph] = {}
        self.pool = torch.cuda.graph_pool_handle()

    def _fixed(self, x: torch.Tensor, at: torch.Tensor, positions: torch.Tensor, keys: int) -> torch.Tensor:
        shape = (x.shape[1], keys)
        if shape not in self.graphs:
            self.graphs[shape] = self._captured(x, at, positions, keys)
        graph = self.graphs[shape]
        graph.x.copy_(x)
        graph.at.copy_(at)
        graph.positions.copy_(positions)
        graph.graph.replay()
        return graph.logits

    def _captured(self, x: torch.Tensor, at: torch.Tensor, positions: torch.Tensor, keys: int) -> Graph:
        x, at, positions = x.clone(), at.clone(), positions.clone()
        # What is allocated once (the cache, workspaces of libraries) must not be part of the graph. The same tokens
        # are written to the same places each time.
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            super()._fixed(x, at, positions, keys)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self.pool):
            logits = super()._fixed(x, at, positions, keys)
        return Graph(graph, x, at, positions, logits)


def _power(number: int, least: int) -> int:
    return max(least, 1 << (number - 1).bit_length())
