"""Which earlier tokens the layers of a causal LM look at, as masks for passes with a cache.

Some families let all or most layers see a window of tokens only (Mistral, Gemma 2 and 3). A pass without a cache leaves
this to the model; one with a cache of ours says it. B rows, L tokens of a step, N keys in use, M slots of memory.
"""

from __future__ import annotations

from typing import Any

import torch

from difflm.errors import ConfigError

FULL, SLIDING = "full_attention", "sliding_attention"
Masks = torch.Tensor | dict[str, torch.Tensor]


class AttentionMasks:
    """Masks for one model and records of at most so many tokens, whatever is before them included."""

    def __init__(self, config: Any, longest: int) -> None:
        """`config` is the model's; ConfigError for layers that attend in other ways."""
        text = config.get_text_config(decoder=True)
        window: int | None = getattr(text, "sliding_window", None)
        kinds = getattr(text, "layer_types", None) or [SLIDING if window else FULL]
        unknown = sorted(set(kinds) - {FULL, SLIDING})
        if unknown or getattr(text, "attention_chunk_size", None):
            raise ConfigError(
                "a causal LM whose layers attend to all earlier tokens or to a window of them",
                f"{text.model_type} with layers of the kind {', '.join(unknown) or 'chunked_attention'}",
                "take another decoder, such as a Llama, Qwen, Gemma, Mistral, Phi or GPT-2",
            )
        narrow = window is not None and window < longest
        self.windows = {kind: window if kind == SLIDING and narrow else None for kind in set(kinds)}

    def __call__(self, at: torch.Tensor, used: int, memory: int, dtype: torch.dtype) -> Masks:
        """(B, 1, L, N) for tokens at the keys `at` (B, L) of `used`: 0 where a token may look, the least number
        elsewhere. It may look at itself, at what its window holds before it, and at the first `memory` keys. Where
        layers of several kinds see different tokens, a mask for each kind."""
        keys = torch.arange(used, device=at.device)
        before = keys <= at[:, :, None]
        if len(set(self.windows.values())) == 1:
            return _numbers(_narrowed(before, keys, at, memory, next(iter(self.windows.values()))), dtype)
        return {
            kind: _numbers(_narrowed(before, keys, at, memory, window), dtype)
            for kind, window in self.windows.items()
        }


def _narrowed(
    seen: torch.Tensor, keys: torch.Tensor, at: torch.Tensor, memory: int, window: int | None
) -> torch.Tensor:
    if window is None:
        return seen
    return seen & ((keys > at[:, :, None] - window) | (keys < memory))


def _numbers(seen: torch.Tensor, dtype: torch.dtype) -> torch.Tensor:
    least = torch.finfo(dtype).min
    return torch.zeros(seen.shape, dtype=dtype, device=seen.device).masked_fill(~seen, least)[:, None]
