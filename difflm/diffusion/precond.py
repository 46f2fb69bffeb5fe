"""EDM preconditioning (Karras et al. 2022, table 1) around a raw network F.

x (B, Z) noisy latents, sigma (B,) noise levels, or (1,) for all rows alike. The network may run in
bfloat16 (`mixed` by the caller); what surrounds it stays float32.
"""

from __future__ import annotations

import torch
from torch import nn


class Precond(nn.Module):
    """D(x; sigma) = c_skip x + c_out F(c_in x; c_noise): the denoised estimate (eq. 7)."""

    def __init__(self, network: nn.Module, sigma_data: float = 1.0) -> None:
        super().__init__()
        self.network, self.sigma_data = network, sigma_data

    def forward(self, x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Denoised latents (B, Z)."""
        s, d = sigma[:, None], self.sigma_data
        total = s**2 + d**2
        raw = self.network(x / total.sqrt(), sigma.log() / 4).float()
        denoised: torch.Tensor = d**2 / total * x + s * d / total.sqrt() * raw
        return denoised
