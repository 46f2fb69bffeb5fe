"""How the layers of a causal LM are computed: compiled, once more for the gradient, or with weights that are kept
elsewhere (models/kept_layers.py)."""

from __future__ import annotations

from collections.abc import Iterator

from torch import nn
from transformers import PreTrainedModel
from transformers.modeling_layers import GradientCheckpointingLayer

from difflm.models.kept_layers import is_away, keep_away
from difflm.sections import DecoderConfig


def set_up_layers(lm: PreTrainedModel, settings: DecoderConfig) -> None:
    """What the settings say of the layers of `lm`, which is on a CPU still."""
    if settings.checkpointing or settings.away:
        # Those that are kept away too: what autograd keeps of a layer would be all its weights. Older releases of
        # transformers have the second name only, later ones the first.
        enable = getattr(lm, "activation_checkpointing_enable", None) or lm.gradient_checkpointing_enable
        enable({"use_reentrant": False})
    if settings.compile:
        compile_layers(lm)
    if settings.away:
        for layer in layers_of(lm):
            keep_away(layer, settings.shard)


def layers_of(lm: nn.Module) -> Iterator[GradientCheckpointingLayer]:
    """The layers of an LM."""
    return (layer for layer in lm.modules() if isinstance(layer, GradientCheckpointingLayer))


def compile_layers(lm: nn.Module, backend: str = "inductor") -> None:
    """Compile the layers of `lm` where they are, for batches of any shape. They share their code, so the first one is
    compiled and the others find it made."""
    for layer in layers_of(lm):
        layer.compile(dynamic=True, backend=backend)


def are_away(lm: nn.Module) -> bool:
    """Whether the weights of its layers are kept elsewhere."""
    return any(is_away(layer) for layer in layers_of(lm))
