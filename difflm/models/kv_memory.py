"""Keys and values that enter a causal LM through its cache, before any token (DESIGN section 1.3).

They are not rotated and take no position: tokens are numbered as they would be without them, in one pass and step by
step. B rows, T tokens, L layers, H key-value heads, M slots of memory, d width of a head, V vocabulary.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer

from difflm.errors import ConfigError
from difflm.models.injected import MemoryShape

PROBE = 64
"""Tokens of the vocabulary that a model's keys and values are measured on."""


class Measured(NamedTuple):
    """Keys and values that a model makes itself: their shape, and their standard deviations (L, 2)."""

    shape: MemoryShape
    spread: torch.Tensor


@torch.no_grad()
def measure_keys(lm: PreTrainedModel) -> Measured:
    """What `lm` writes into its own cache. No config says it for all families: heads may be shared between queries,
    and their width need not be that of the model divided by their number."""
    table: Any = lm.get_input_embeddings().weight
    ids = torch.linspace(0, len(table) - 1, min(PROBE, len(table)), device=table.device).long()[None]
    cache = lm(input_ids=ids, use_cache=True).past_key_values
    kept = [(layer.keys, layer.values) for layer in getattr(cache, "layers", [])]
    tensors = [one for pair in kept for one in pair if isinstance(one, torch.Tensor) and one.ndim == 4]
    shapes = {(one.shape[1], one.shape[3]) for one in tensors}
    layers = lm.config.get_text_config().num_hidden_layers
    if len(tensors) != 2 * layers or len(shapes) != 1:
        raise ConfigError(
            "a causal LM whose layers all keep keys and values of one shape, for injection.kind=kv_memory",
            f"{type(lm).__name__} with {layers} layers and {len(shapes)} shapes in {len(tensors)} tensors",
            "set injection.kind=soft_prompt",
        )
    heads, size = shapes.pop()
    spread = torch.stack([one.float().std() for one in tensors]).view(layers, 2)
    return Measured(MemoryShape(layers, heads, size), spread)


class Remembered(Cache):
    """A cache for one pass that begins with a memory (B, L, 2, H, M, d); gradients reach it."""

    def __init__(self, memory: torch.Tensor) -> None:
        super().__init__(layers=[_Layer(*one) for one in memory.permute(1, 2, 0, 3, 4, 5)])


class _Layer(DynamicLayer):
    """Keys and values (B, H, M + T, d) of one layer."""

    def __init__(self, keys: torch.Tensor, values: torch.Tensor) -> None:
        super().__init__()
        self.first = keys, values

    def lazy_initialization(self, key_states: torch.Tensor, value_states: torch.Tensor) -> None:
        """The memory in the precision that the model's own keys come in: under autocast it is not the weights'."""
        super().lazy_initialization(key_states, value_states)
        self.keys, self.values = (one.to(key_states.dtype) for one in self.first)
