"""Frozen layers whose weights are not on the card that computes with them (DESIGN section 4.1: any LM, also one that is
larger than the card).

They stay in main memory, and each layer works with copies. In a training step of several processes every one of them
holds a share of each layer on its own card and gets the others' by the faster way between cards (ZeRO stage 3 of
weights without gradients, Rajbhandari et al. 2020). Nothing that one process does alone needs the others: an
evaluation by rank 0 takes its copies from main memory.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import torch
from torch import nn
from torch.func import functional_call

from difflm import ranks

ALIGNED = 16
"""Bytes of which the place of a weight among the others is a multiple."""


def keep_away(layer: nn.Module, shared: bool) -> None:
    """Leave the weights of `layer` where they are when it is moved: it computes on the device of its input, and what
    it computes with is gone when it is done. With `shared`, several processes have them on their cards, each a part."""
    layer.forward = _Away(layer, shared).on_device
    layer._apply = partial(_stay, layer)  # type: ignore[method-assign]


def is_away(layer: nn.Module) -> bool:
    """Whether this was done to `layer`."""
    return "_apply" in layer.__dict__


class _Away(nn.Module):
    """A layer that computes with copies of its weights."""

    def __init__(self, layer: nn.Module, shared: bool) -> None:
        super().__init__()
        self.layer, self.plain, self.shared = layer, layer.forward, shared
        self.shares: _Shares | None = None

    def forward(self, *given: Any, **named: Any) -> Any:
        return self.plain(*given, **named)

    def on_device(self, x: torch.Tensor, *more: Any, **named: Any) -> Any:
        held = {**dict(self.named_parameters()), **dict(self.named_buffers())}
        if self.shared and ranks.together():
            self.shares = self.shares or _Shares(held, x.device)
            there = self.shares.gathered()
        else:
            there = {name: weight.to(x.device, non_blocking=True) for name, weight in held.items()}
        return functional_call(self, there, (x, *more), named)


class _Shares:
    """The bytes of all weights of a layer one after the other, of which each process holds an equal part."""

    def __init__(self, held: dict[str, torch.Tensor], device: torch.device) -> None:
        self.places: dict[str, tuple[int, int, torch.dtype, torch.Size]] = {}
        parts, at = [], 0
        for name, weight in held.items():
            raw = weight.detach().contiguous().flatten().view(torch.uint8)
            self.places[name] = (at, raw.numel(), weight.dtype, weight.shape)
            parts.append(nn.functional.pad(raw, (0, -raw.numel() % ALIGNED)))
            at += parts[-1].numel()
        count = torch.distributed.get_world_size()
        flat = torch.cat(parts)
        flat = nn.functional.pad(flat, (0, -at % (count * ALIGNED)))
        # A clone: a view would keep all of them.
        self.own = flat.chunk(count)[torch.distributed.get_rank()].clone().to(device)
        self.bytes = flat.numel()

    def gathered(self) -> dict[str, torch.Tensor]:
        """All weights of the layer; every process has to ask at the same time."""
        flat = torch.empty(self.bytes, dtype=torch.uint8, device=self.own.device)
        torch.distributed.all_gather_into_tensor(flat, self.own)
        return {
            name: flat[at : at + length].view(dtype).view(shape)
            for name, (at, length, dtype, shape) in self.places.items()
        }


def _stay(layer: nn.Module, *how: Any, **named: Any) -> nn.Module:
    return layer
