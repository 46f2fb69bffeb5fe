"""The EDM training loss (Karras et al. 2022, table 1 and eq. 2): weighted denoising error.

x (B, Z) clean standardised latents.
"""

from __future__ import annotations

from collections.abc import Callable

import torch

Denoise = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


def edm_loss(
    denoise: Denoise,
    x: torch.Tensor,
    normal: torch.Tensor,
    p_mean: float,
    p_std: float,
    sigma_data: float = 1.0,
) -> torch.Tensor:
    """Mean over rows and dimensions; log sigma ~ N(p_mean, p_std^2). `normal` (B, 1 + Z) are standard normal draws
    for sigma and for the noise."""
    sigma = torch.exp(p_mean + p_std * normal[:, 0])
    denoised = denoise(x + sigma[:, None] * normal[:, 1:], sigma)
    weight = (sigma**2 + sigma_data**2) / (sigma * sigma_data) ** 2
    return (weight[:, None] * (denoised - x).square()).mean()
