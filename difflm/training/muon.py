"""Muon (Jordan et al. 2024) over stacks of equal matrices.

The same step as torch.optim.Muon, with the Newton-Schulz iteration done once for all matrices of a shape:
a small Transformer has dozens of them, and one by one they cost a sixth of the training time on a CPU.
L matrices of (m, n).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import torch
from torch import nn

from difflm.precision import native_bfloat16

COEFFICIENTS = (3.4445, -4.775, 2.0315)
ITERATIONS = 5


class Muon(torch.optim.Optimizer):
    """Momentum whose direction is made orthogonal; for matrices only.

    Update: W -= lr * max(1, m / n) ** .5 * orthogonal(nesterov momentum), with decoupled weight decay."""

    def __init__(
        self,
        params: Iterable[nn.Parameter],
        lr: float = 0.02,
        momentum: float = 0.95,
        weight_decay: float = 0.0,
    ) -> None:
        super().__init__(params, {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: Callable[[], Any] | None = None) -> None:  # type: ignore[override]
        """One update of all matrices that have a gradient."""
        for group in self.param_groups:
            stacks: dict[tuple[int, int], list[nn.Parameter]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    m, n = parameter.shape
                    stacks.setdefault((min(m, n), max(m, n)), []).append(parameter)
            for same in stacks.values():
                self._update(same, group["lr"], group["momentum"], group["weight_decay"])

    def _update(self, same: list[nn.Parameter], lr: float, momentum: float, decay: float) -> None:
        directions = []
        for parameter in same:
            assert parameter.grad is not None
            state = self.state[parameter]
            if "momentum_buffer" not in state:
                state["momentum_buffer"] = torch.zeros_like(parameter.grad)
            buffer = state["momentum_buffer"].lerp_(parameter.grad, 1 - momentum)
            ahead = parameter.grad.lerp(buffer, momentum)
            directions.append(ahead.t() if parameter.shape[0] > parameter.shape[1] else ahead)
        for parameter, direction in zip(same, orthogonal(torch.stack(directions)), strict=True):
            m, n = parameter.shape
            parameter.mul_(1 - lr * decay)
            parameter.add_(direction.t() if m > n else direction, alpha=-lr * max(1.0, m / n) ** 0.5)


def orthogonal(x: torch.Tensor) -> torch.Tensor:
    """About U V' of each x = U S V' (L, m, n), m <= n: the quintic Newton-Schulz iteration, which needs no more
    than bfloat16."""
    a, b, c = COEFFICIENTS
    y = x.bfloat16() if native_bfloat16(x.device) else x
    y = y / y.norm(dim=(1, 2), keepdim=True).clamp_min(1e-7)
    for _ in range(ITERATIONS):
        gram = torch.bmm(y, y.transpose(1, 2))
        step = torch.baddbmm(gram, gram, gram, beta=b, alpha=c)
        step.diagonal(dim1=1, dim2=2).add_(a)
        y = torch.bmm(step, y)
    return y.to(x.dtype)
