"""Attention for the short steps of writing, where the fused kernel of torch is slow.

A step has few queries and many keys: on a CPU the fused kernel takes five times as long as plain products, and with a
mask it wants keys and values repeated for grouped heads. B rows, H heads of which G share keys and values, L tokens a
step, N keys, width d.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import nn
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.integrations.sdpa_attention import sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

NAME = "difflm_steps"
LONGEST_STEP = 16
"""Queries beyond which the fused kernel is at least as fast."""


def step_attention(
    module: nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    dropout: float = 0.0,
    scaling: float | None = None,
    **others: Any,
) -> tuple[torch.Tensor, None]:
    """(B, L, H, d) from `query` (B, H, L, d), `key` and `value` (B, H / G, N, d) and a mask (B, 1, L, N) that is added.

    What a family adds to this (caps, sinks, biases), long steps and passes without a mask go to torch's kernel."""
    plain = all(others.get(name) is None for name in ("softcap", "s_aux", "position_bias", "cache"))
    if (
        not plain
        or attention_mask is None
        or attention_mask.dtype == torch.bool
        or query.shape[2] > LONGEST_STEP
    ):
        return sdpa_attention_forward(module, query, key, value, attention_mask, dropout, scaling, **others)
    (b, heads, steps, width), shared = query.shape, key.shape[1]
    grouped = query.reshape(b, shared, heads // shared * steps, width)
    factor = width**-0.5 if scaling is None else scaling
    scores = torch.matmul(grouped, key.transpose(2, 3)).float() * factor
    scores = scores.view(b, shared, -1, steps, scores.shape[3]) + attention_mask[:, :, None].float()
    shares = scores.softmax(dim=-1).to(value.dtype).flatten(2, 3)
    out = torch.matmul(shares, value).view(b, heads, steps, value.shape[3])
    return out.transpose(1, 2).contiguous(), None


AttentionInterface.register(NAME, step_attention)
AttentionMaskInterface.register(NAME, sdpa_mask)
