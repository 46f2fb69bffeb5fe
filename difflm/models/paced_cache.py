"""A KV cache of `transformers` in which each row has its own length.

Tokens of a step go to the places that the row has reached, in a buffer that grows by doubling: nothing is copied at
each token, and a row that takes one token beside one that takes ten leaves no hole. B rows, L tokens of a step,
H key-value heads, d their width, N keys in use.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from transformers.cache_utils import Cache, DynamicLayer

FIRST_SIZE = 64


class Places:
    """Where the tokens of this step go: `at` (B, L) in the buffers of every layer."""

    def __init__(self) -> None:
        self.at = torch.empty(0, 0, dtype=torch.long)
        self.rows = torch.empty(0, 1, dtype=torch.long)
        self.used = 0

    def put(self, at: torch.Tensor) -> None:
        """The places of the next step; they may overwrite what was written as padding."""
        self.at = at
        self.rows = torch.arange(len(at), device=at.device)[:, None]
        self.used = int(at.max()) + 1

    def mask(self, dtype: torch.dtype) -> torch.Tensor:
        """(B, 1, L, N), 0 where a token may look and the least number elsewhere: at itself and what is before it."""
        seen = torch.arange(self.used, device=self.at.device) <= self.at[:, :, None]
        least = torch.finfo(dtype).min
        return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, least)[:, None]


class PacedLayer(DynamicLayer):
    """Keys and values (B, H, N, d) of one layer, written at the places of the step."""

    def __init__(self, places: Places, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.places = places

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """Buffers for what comes."""
        self.dtype, self.device = key_states.dtype, key_states.device
        self.keys, self.values = (
            one.new_zeros(*one.shape[:2], FIRST_SIZE, one.shape[3]) for one in (key_states, value_states)
        )
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

    def __init__(self) -> None:
        self.places = Places()
        super().__init__(layer_class_to_replicate=partial(PacedLayer, self.places))  # type: ignore[arg-type]

    def keep(self, rows: torch.Tensor) -> None:
        """Go on with some of the rows."""
        for layer in self.layers:
            layer.batch_select_indices(rows)  # type: ignore[union-attr]


def _grown(buffer: torch.Tensor, used: int) -> torch.Tensor:
    size = max(FIRST_SIZE, buffer.shape[2])
    while size < used:
        size *= 2
    bigger = buffer.new_zeros(*buffer.shape[:2], size, buffer.shape[3])
    bigger[:, :, : buffer.shape[2]] = buffer
    return bigger
