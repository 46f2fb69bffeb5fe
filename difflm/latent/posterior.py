"""The diagonal Gaussian posterior q(z | x). Shapes: mu, logvar, eps (B, Z)."""

from __future__ import annotations

import torch

ACTIVE_NATS = 0.02


def reparameterise(mu: torch.Tensor, logvar: torch.Tensor, eps: torch.Tensor) -> torch.Tensor:
    """z = mu + exp(logvar / 2) * eps (DiffLM eq. 1)."""
    return mu + torch.exp(logvar / 2) * eps


def kl_per_dimension(mu: torch.Tensor, logvar: torch.Tensor) -> torch.Tensor:
    """KL(q || N(0, 1)) of each dimension (B, Z), in nats (Kingma & Welling 2014, appendix B)."""
    return 0.5 * (mu.square() + logvar.exp() - 1 - logvar)


def active_dimensions(kl: torch.Tensor) -> int:
    """Dimensions whose mean KL over records, kl (B, Z), is above ACTIVE_NATS."""
    return int((kl.mean(dim=0) > ACTIVE_NATS).sum())
