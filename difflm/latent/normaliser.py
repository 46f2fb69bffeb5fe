"""Standardisation of latents and its inverse, in one place."""

from __future__ import annotations

import torch


class Normaliser:
    """Per-dimension mean and scale (Z,), estimated on latents (n, Z)."""

    def __init__(self, mean: torch.Tensor, scale: torch.Tensor) -> None:
        self.mean, self.scale = mean, scale

    @classmethod
    def fit(cls, latents: torch.Tensor) -> Normaliser:
        """Statistics of `latents`; a constant dimension keeps scale 1."""
        scale = latents.std(dim=0, correction=0)
        return cls(latents.mean(dim=0), torch.where(scale > 1e-6, scale, torch.ones_like(scale)))

    def apply(self, z: torch.Tensor) -> torch.Tensor:
        """To zero mean and unit variance."""
        return (z - self.mean) / self.scale

    def invert(self, x: torch.Tensor) -> torch.Tensor:
        """Back to the latent space of the VAE."""
        return x * self.scale + self.mean

    def tensors(self) -> dict[str, torch.Tensor]:
        """For safetensors."""
        return {"mean": self.mean.contiguous(), "scale": self.scale.contiguous()}

    @classmethod
    def from_tensors(cls, tensors: dict[str, torch.Tensor]) -> Normaliser:
        """The normaliser of `tensors()`."""
        return cls(tensors["mean"], tensors["scale"])
