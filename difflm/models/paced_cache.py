"""A KV cache of `transformers` in which each row has its own length.

Tokens of a step go to the places that the row has reached, in a buffer that grows by doubling: nothing is copied at
each token, and a row that takes one token beside one that takes ten leaves no hole. A memory, where there is one, is
before the first token. B rows, L tokens of a step, H key-value heads, d their width, N keys in use, M slots of memory.
"""

from __future__ import annotations

from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

FIRST_SIZE = 64


class Places:
    """Where the tokens of this step go: `at` (B, L) in the buffers of every layer, `first` (M) after their begin."""

    def __init__(self, first: int = 0) -> None:
        self.first = first
        self.at = torch.empty(0, 0, dtype=torch.long)
        self.rows = torch.empty(0, 1, dtype=torch.long)
        self.used = 0

    def put(self, positions: torch.Tensor, used: int | None = None) -> None:
        """The positions (B, L) of the next tokens; they may overwrite what was written as padding. So many places count
        as in use, by default those up to the last of these."""
        self.at = positions + self.first
        self.rows = torch.arange(len(positions), device=positions.device)[:, None]
        self.used = int(self.at.max()) + 1 if used is None else used


class PacedLayer(DynamicLayer):
    """Keys and values (B, H, N, d) of one layer, written at the places of the step."""

    def __init__(self, places: Places, memory: torch.Tensor | None, room: int | None) -> None:
        """`memory` (2, B, H, M, d) are keys and values that are there from the begin."""
        super().__init__()
        self.places, self.memory, self.room = places, memory, room

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Buffers for what comes, in the precision that it comes in."""
        self.dtype, self.device = key_states.dtype, key_states.device
        size = self.room or _size(FIRST_SIZE, self.places.used)
        self.keys, self.values = (
            one.new_zeros(*one.shape[:2], size, one.shape[3]) for one in (key_states, value_states)
        )
        if self.memory is not None:
            self.keys[:, :, : self.places.first], self.values[:, :, : self.places.first] = self.memory
        self.is_initialized = True

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Write (B, H, L, d) at their places; gives all that is in use."""
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        assert self.keys is not None and self.values is not None
        rows, at, used = self.places.rows, self.places.at, self.places.used
        if used > self.keys.shape[2]:
            self.keys, self.values = _grown(self.keys, used), _grown(self.values, used)
        self.keys[rows, :, at] = key_states.transpose(1, 2)
        self.values[rows, :, at] = value_states.transpose(1, 2)
        return self.keys[:, :, :used], self.values[:, :, :used]

    def remember(self, rows: torch.Tensor, memory: torch.Tensor) -> None:
        """Another memory (n, 2, H, M, d) for some rows."""
        assert self.keys is not None and self.values is not None
        first, new = self.places.first, memory.to(self.keys.dtype)
        self.keys[rows, :, :first], self.values[rows, :, :first] = new.unbind(1)

    def get_seq_length(self) -> int:
        """N."""
        return self.places.used if self.is_initialized else 0

    def batch_select_indices(self, indices: torch.Tensor) -> None:
        """Go on with some of the rows."""
        assert self.keys is not None and self.values is not None
        used = self.places.used
        self.keys, self.values = self.keys[:, :, :used][indices], self.values[:, :, :used][indices]


class PacedCache(Cache):
    """The cache that a causal LM is handed; call `places.put` before each step."""

    def __init__(self, memory: torch.Tensor | None = None, room: int | None = None) -> None:
        """`memory` (B, layers, 2, H, M, d) is seen by every token; with `room` there are so many places from the begin,
        and never more."""
        self.memory, self.room = memory, room
        self.places = Places(0 if memory is None else memory.shape[4])
        super().__init__(layer_class_to_replicate=self._next_layer)  # type: ignore[arg-type]

    def _next_layer(self) -> PacedLayer:
        own = None if self.memory is None else self.memory[:, len(self.layers)].transpose(0, 1)
        return PacedLayer(self.places, own, self.room)

    def remember(self, rows: torch.Tensor, memory: torch.Tensor) -> None:
        """Another memory (n, layers, 2, H, M, d) for some rows, which begin anew."""
        for number, layer in enumerate(self.layers):
            assert isinstance(layer, PacedLayer)
            layer.remember(rows, memory[:, number])

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with some of the rows."""
        for layer in self.layers:
            layer.batch_select_indices(rows)  # type: ignore[union-attr]


def _size(size: int, used: int) -> int:
    while size < used:
        size *= 2
    return size


def _grown(buffer: torch.Tensor, used: int) -> torch.Tensor:
    size = _size(max(FIRST_SIZE, buffer.shape[2]), used)
    bigger = buffer.new_zeros(*buffer.shape[:2], size, buffer.shape[3])
    bigger[:, :, : buffer.shape[2]] = buffer
    return bigger
