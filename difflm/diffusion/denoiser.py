"""The network inside the diffusion prior: residual MLP blocks over z with Fourier features.

B rows, Z latent size, W width. c_noise may be (1,), shared by all rows, as it is while sampling.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from torch import nn

LEVEL = 64
"""Width of the embedding of the noise level."""


class Denoiser(nn.Module):
    """Raw network F(x, c_noise). `fourier` frequencies per dimension let a smooth net see sharp clusters."""

    frequencies: torch.Tensor

    def __init__(self, size: int, width: int, blocks: int, fourier: int) -> None:
        super().__init__()
        self.size, self.fourier = size, fourier
        self.register_buffer(
            "frequencies", math.pi * 2.0 ** torch.linspace(-1, 2.5, max(fourier, 1)), persistent=False
        )
        self.enter = nn.Linear(size * (1 + 2 * fourier), width)
        self.noise = nn.Sequential(nn.Linear(LEVEL, LEVEL), nn.SiLU(), nn.Linear(LEVEL, LEVEL), nn.SiLU())
        self.blocks = nn.ModuleList(_Residual(width) for _ in range(blocks))
        self.norm = nn.LayerNorm(width)
        self.leave = nn.Linear(width, size)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, x: torch.Tensor, c_noise: torch.Tensor) -> torch.Tensor:
        """(B, Z) for scaled input x (B, Z) and c_noise (B,)."""
        waves = torch.exp(torch.linspace(0, math.log(1000.0), LEVEL // 2, device=x.device))
        angles = c_noise[:, None] * waves
        condition = self.noise(torch.cat([angles.sin(), angles.cos()], dim=1))
        features = [x]
        if self.fourier:
            angles = (x[:, :, None] * self.frequencies).flatten(1)
            features += [angles.sin(), angles.cos()]
        h = self.enter(torch.cat(features, dim=1))
        for block in self.blocks:
            h = block(h, condition)
        out: torch.Tensor = self.leave(F.silu(self.norm(h)))
        return out


class _Residual(nn.Module):
    """Pre-norm residual MLP, modulated by the noise level."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.modulate = nn.Linear(LEVEL, 2 * width)
        self.up = nn.Linear(width, 2 * width)
        self.down = nn.Linear(2 * width, width)
        nn.init.zeros_(self.modulate.weight)
        nn.init.zeros_(self.modulate.bias)

    def forward(self, h: torch.Tensor, condition: torch.Tensor) -> torch.Tensor:
        scale, shift = self.modulate(condition).chunk(2, dim=1)
        return h + self.down(F.silu(self.up(self.norm(h) * (1 + scale) + shift)))
