"""Optimisers: Muon for the matrices of Transformer blocks, AdamW for all else.

RECIPE: the same reconstruction in a third of the time of AdamW alone.
"""

from __future__ import annotations

import torch
from torch import nn

from difflm.training.muon import Muon


def make_optimizers(
    module: nn.Module, lr: float, muon_lr: float | None, weight_decay: float
) -> list[torch.optim.Optimizer]:
    """One or two optimisers over the trainable parameters of `module`; each group keeps its peak in `peak`."""
    matrices: list[nn.Parameter] = []
    rest: list[nn.Parameter] = []
    for name, parameter in module.named_parameters():
        if parameter.requires_grad:
            in_block = "blocks." in name and parameter.ndim == 2
            (matrices if in_block and muon_lr else rest).append(parameter)
    made: list[torch.optim.Optimizer] = []
    if rest:
        made.append(torch.optim.AdamW(rest, lr=lr, betas=(0.9, 0.99), weight_decay=weight_decay, fused=True))
    if matrices and muon_lr:
        made.append(Muon(matrices, lr=muon_lr, weight_decay=weight_decay))
    for optimizer, peak in zip(made, [lr, muon_lr] if rest else [muon_lr], strict=False):
        for group in optimizer.param_groups:
            group["peak"] = peak
    return made


def schedule(progress: float, warmup: float) -> float:
    """Share of the peak learning rate: linear warm-up, a plateau to 40 %, then linearly to zero."""
    if progress < warmup:
        return progress / warmup
    return min(1.0, max(0.0, 1.0 - progress) / 0.6)


class Average:
    """Moving average of weights (EMA); the decay starts low, so that early weights leave quickly."""

    def __init__(self, module: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self.weights = {n: p.detach().clone() for n, p in module.named_parameters() if p.requires_grad}

    @torch.no_grad()
    def update(self, module: nn.Module) -> None:
        """Take one step towards the current weights."""
        self.steps += 1
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        parameters = dict(module.named_parameters())
        targets = [parameters[n].detach() for n in self.weights]
        torch._foreach_lerp_(list(self.weights.values()), targets, 1 - decay)

    @torch.no_grad()
    def swap(self, module: nn.Module) -> None:
        """Exchange averaged and current weights; call again to undo."""
        parameters = dict(module.named_parameters())
        for name, average in self.weights.items():
            current = parameters[name].detach().clone()
            parameters[name].copy_(average)
            average.copy_(current)
