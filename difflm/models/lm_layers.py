"""How the layers of a causal LM are computed: compiled, once more for the gradient, or with weights that stay in main
memory (DESIGN section 4.1: any LM, also one that is larger than the card)."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch
from torch import nn
from torch.func import functional_call
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from difflm.sections import DecoderConfig


def set_up_layers(lm: PreTrainedModel, settings: DecoderConfig) -> None:
    """What the settings say of the layers of `lm`, which is on a CPU still."""
    if settings.checkpointing or settings.offload:
        # Offloaded ones too: what autograd keeps of a layer would be all its weights. Older releases of transformers
        # have the second name only, later ones the first.
        enable = getattr(lm, "activation_checkpointing_enable", None) or lm.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    if settings.compile:
        compile_layers(lm)
    if settings.offload:
        offload_layers(lm)


def layers_of(lm: nn.Module) -> Iterator[GradientCheckpointingLayer]:
    """The layers of an LM."""
    return (layer for layer in lm.modules() if isinstance(layer, GradientCheckpointingLayer))


def compile_layers(lm: nn.Module, backend: str = "inductor") -> None:
    """Compile the layers of `lm` where they are, for batches of any shape. They share their code, so the first one is
    compiled and the others find it made."""
    for layer in layers_of(lm):
        layer.compile(dynamic=True, backend=backend)


def offload_layers(lm: nn.Module) -> None:
    """Leave the weights of the layers of `lm` where they are when it is moved: each layer works with copies on the
    device of its input, which are gone when it is done."""
    for layer in layers_of(lm):
        layer.forward = _Offloaded(layer).on_device
        layer._apply = partial(_stay, layer)  # type: ignore[method-assign]


def is_offloaded(lm: nn.Module) -> bool:
    """Whether its layers stay in main memory."""
    return any("_apply" in layer.__dict__ for layer in layers_of(lm))


class _Offloaded(nn.Module):
    """A layer that computes with copies of its weights."""

    def __init__(self, layer: nn.Module) -> None:
        super().__init__()
        self.layer, self.plain = layer, layer.forward

    def forward(self, *given: Any, **named: Any) -> Any:
        return self.plain(*given, **named)

    def on_device(self, x: torch.Tensor, *more: Any, **named: Any) -> Any:
        held = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        there = {name: weight.to(x.device, non_blocking=True) for name, weight in held.items()}
        return functional_call(self, there, (x, *more), named)


def _stay(layer: nn.Module, *how: Any, **named: Any) -> nn.Module:
    return layer
