"""The Gaussian prior: the full covariance of the training latents. Latents (n, Z)."""

from __future__ import annotations

from pathlib import Path
from typing import final

import torch
from safetensors.torch import load_file, save_file

from difflm.latent.draws import even_normal
from difflm.priors.base import Prior


@final
class GaussianPrior(Prior):
    """N(mean (Z,), factor factor^T (Z, Z))."""

    kind = "gaussian"

    def __init__(self, mean: torch.Tensor, factor: torch.Tensor) -> None:
        self.mean, self.factor = mean, factor

    @classmethod
    def fit(cls, latents: torch.Tensor) -> GaussianPrior:
        """Mean and covariance; a little diagonal keeps constant dimensions, and fewer latents than dimensions,
        harmless."""
        centred = (latents - latents.mean(dim=0)).double()
        covariance = centred.T @ centred / len(latents)
        little = 1e-6 * (1 + covariance.diagonal().mean())
        covariance += little * torch.eye(latents.shape[1], dtype=torch.float64)
        return cls(latents.mean(dim=0), torch.linalg.cholesky(covariance).to(latents.dtype))

    def sample(self, n: int, generator: torch.Generator, noise: float = 0.0) -> torch.Tensor:
        z = self.mean + even_normal(n, len(self.mean), generator) @ self.factor.T
        scale = self.factor.square().sum(dim=1).sqrt()
        return z + noise * scale * torch.randn(n, len(self.mean), generator=generator)

    def log_density(self, latents: torch.Tensor) -> torch.Tensor:
        """log p(z) (n,) in nats."""
        return torch.distributions.MultivariateNormal(self.mean, scale_tril=self.factor).log_prob(latents)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        save_file({"mean": self.mean, "factor": self.factor.contiguous()}, folder / "gaussian.safetensors")

    @classmethod
    def load(cls, folder: Path) -> GaussianPrior:
        tensors = load_file(folder / "gaussian.safetensors")
        return cls(tensors["mean"], tensors["factor"])
