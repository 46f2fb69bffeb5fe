"""A causal LM as it writes: the same weights, made ready for many short steps.

Training sees a weight once for thousands of tokens, writing once for a few dozen: turning float32 weights into bfloat16
for each product, as autocast does, then takes as long as the product.
"""

from __future__ import annotations

import copy

import torch
from torch import nn
from transformers import PreTrainedModel

from difflm.models import step_attention

MOST_WEIGHTS = 2**28
"""Weights of a LM of which a second set is held, in two bytes each."""


def writing_lm(lm: PreTrainedModel) -> PreTrainedModel:
    """`lm` for writing: it shares all weights with `lm`, but under autocast those of products are in the precision that
    autocast gives them, so that the numbers are the same.

    Its layers are not compiled: a cache that grows would have them compiled for each length. An attention that was
    chosen for the LM stays."""
    device = lm.device.type
    made = copy.deepcopy(lm, {id(weight): weight for weight in lm.parameters()})
    if lm.config._attn_implementation != "sdpa":
        return made
    made.set_attn_implementation(step_attention.NAME)
    if (
        torch.is_autocast_enabled(device)
        and sum(weight.numel() for weight in lm.parameters()) <= MOST_WEIGHTS
    ):
        dtype = torch.get_autocast_dtype(device)
        for layer in made.modules():
            if isinstance(layer, nn.Linear) and layer.weight.dtype == torch.float32:
                layer.weight = nn.Parameter(layer.weight.detach().to(dtype), requires_grad=False)
    return made
