"""Noise schedule and solvers: Heun of EDM (Karras et al. 2022, eq. 5 and algorithm 1) and DPM-Solver++(2M).

Both follow the probability-flow ODE dx/dsigma = (x - D(x; sigma)) / sigma from x ~ N(0, sigmas[0]^2).
x (B, Z); sigmas (steps + 1,) falling.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import pairwise

import torch

from difflm.diffusion.loss import Denoise


def karras_sigmas(
    steps: int, low: float = 0.002, high: float = 80.0, rho: float = 7.0, end: float = 0.0
) -> torch.Tensor:
    """`steps` levels from high to low, then `end` (0 is clean data; an `end` above `low` becomes the last level)."""
    low = max(low, end)
    ramp = torch.linspace(0, 1, steps if end < low else steps + 1, dtype=torch.float64)
    sigmas = (high ** (1 / rho) + ramp * (low ** (1 / rho) - high ** (1 / rho))) ** rho
    if end < low:
        sigmas = torch.cat([sigmas, sigmas.new_tensor([end])])
    return sigmas.float()


@torch.no_grad()
def heun(denoise: Denoise, x: torch.Tensor, sigmas: torch.Tensor) -> torch.Tensor:
    """Second order by looking twice: two calls of the denoiser a step."""
    levels = sigmas.tolist()
    for sigma, after in pairwise(levels):
        slope = (x - denoise(x, x.new_full((1,), sigma))) / sigma
        moved = x + (after - sigma) * slope
        if after > 0:
            again = (moved - denoise(moved, x.new_full((1,), after))) / after
            moved = x + (after - sigma) * (slope + again) / 2
        x = moved
    return x


@torch.no_grad()
def dpm_solver(denoise: Denoise, x: torch.Tensor, sigmas: torch.Tensor) -> torch.Tensor:
    """DPM-Solver++(2M) (Lu et al. 2022, algorithm 2): second order by what the step before has seen, one call a step.

    With lambda = -log sigma, x moves towards an estimate of D in the middle of the step: the last two, extrapolated."""
    levels = sigmas.tolist()
    before, taken = None, 0.0
    for sigma, after in pairwise(levels):
        clean = denoise(x, x.new_full((1,), sigma))
        length = math.log(sigma / after) if after > 0 else math.inf
        towards = clean
        if before is not None and after > 0:
            towards = clean + (clean - before) * (length / taken / 2)
        x = x * (after / sigma) + towards * (1 - after / sigma)
        before, taken = clean, length
    return x


Solver = Callable[[Denoise, torch.Tensor, torch.Tensor], torch.Tensor]
SOLVERS: dict[str, Solver] = {"dpm++2m": dpm_solver, "heun": heun}
