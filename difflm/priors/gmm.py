"""The Gaussian-mixture prior (scikit-learn's EM, full covariances). Latents (n, Z), C components."""

from __future__ import annotations

from pathlib import Path
from typing import final

import torch
from safetensors.torch import load_file, save_file

from difflm.priors.base import Prior


@final
class MixturePrior(Prior):
    """weights (C,), means (C, Z), factors (C, Z, Z) lower triangular."""

    kind = "gmm"

    def __init__(self, weights: torch.Tensor, means: torch.Tensor, factors: torch.Tensor) -> None:
        self.weights, self.means, self.factors = weights, means, factors

    @classmethod
    def fit(cls, latents: torch.Tensor, components: int, seed: int) -> MixturePrior:
        """EM on at most 50,000 latents; small tables get fewer components than asked for."""
        from sklearn.mixture import GaussianMixture

        chosen = latents[:50_000].double().numpy()
        components = max(1, min(components, len(chosen) // (4 * latents.shape[1]) or 1))
        mixture = GaussianMixture(components, reg_covar=1e-4, random_state=seed, max_iter=60).fit(chosen)
        factors = torch.linalg.cholesky(torch.from_numpy(mixture.covariances_))
        return cls(
            torch.from_numpy(mixture.weights_).float(),
            torch.from_numpy(mixture.means_).float(),
            factors.float(),
        )

    def sample(self, n: int, generator: torch.Generator, noise: float = 0.0) -> torch.Tensor:
        picked = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        draws = torch.randn(n, self.means.shape[1], generator=generator)
        z = self.means[picked] + torch.einsum("nij,nj->ni", self.factors[picked], draws)
        return z + noise * self.scale * torch.randn(n, self.means.shape[1], generator=generator)

    @property
    def scale(self) -> torch.Tensor:
        """Standard deviation of each dimension (Z,) over the whole mixture."""
        second = self.factors.square().sum(dim=2) + self.means.square()
        return (self.weights @ second - (self.weights @ self.means).square()).sqrt()

    def log_density(self, latents: torch.Tensor) -> torch.Tensor:
        """log p(z) (n,) in nats."""
        parts = torch.distributions.MultivariateNormal(self.means, scale_tril=self.factors)
        return torch.logsumexp(parts.log_prob(latents[:, None]) + self.weights.log(), dim=1)

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {"weights": self.weights, "means": self.means, "factors": self.factors.contiguous()}
        save_file(tensors, folder / "gmm.safetensors")

    @classmethod
    def load(cls, folder: Path) -> MixturePrior:
        tensors = load_file(folder / "gmm.safetensors")
        return cls(tensors["weights"], tensors["means"], tensors["factors"])
