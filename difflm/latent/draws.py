"""Draws that cover their range evenly: each one as from its distribution, all of them together less uneven than chance.

A generated table is as large as it is, and independent draws alone put its columns about a percent off. Drawn evenly, a
set of rows comes closer to what the model knows, at no cost (Owen 2013, chapters 8 and 17). n draws, Z dimensions.
"""

from __future__ import annotations

import torch

TAIL = 1e-6
"""Nearest that a uniform draw comes to 0 or 1 before it becomes a normal one: 4.8 standard deviations."""


def even_uniform(n: int, generator: torch.Generator) -> torch.Tensor:
    """(n,) in [0, 1), one in each n-th of it, in random order."""
    device = generator.device
    order = torch.randperm(n, generator=generator, device=device)
    return (order + torch.rand(n, generator=generator, device=device)) / n


def even_normal(n: int, size: int, generator: torch.Generator) -> torch.Tensor:
    """(n, Z) standard normal: a scrambled Sobol sequence through the inverse of the distribution function."""
    seed = int(torch.randint(2**31, (1,), generator=generator))
    uniform = torch.quasirandom.SobolEngine(size, scramble=True, seed=seed).draw(n, dtype=torch.float64)
    # Points of a Sobol sequence come in an order of their own: rows that follow each other lie far apart.
    shuffled = uniform[torch.randperm(n, generator=generator)]
    return torch.special.ndtri(shuffled.clamp(TAIL, 1 - TAIL)).float()


def even_choice(weights: torch.Tensor, generator: torch.Generator) -> torch.Tensor:
    """One entry (B,) for each row of weights (B, V), with even draws over the rows; never one of weight 0."""
    reach = weights.cumsum(dim=-1)
    total = reach[:, -1]
    at = even_uniform(len(weights), generator).to(weights) * total
    # Rounding may not reach the total: what lies beyond the last entry with a weight has none.
    at = torch.minimum(at, torch.nextafter(total, torch.zeros_like(total)))
    return torch.searchsorted(reach, at[:, None], right=True)[:, 0]
