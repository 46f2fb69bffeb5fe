"""The prior: where real records lie in the latent space. Latents (n, Z) float32 on the CPU side."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

import torch


class Prior(ABC):
    """Fit on latents, sample new ones, save and load as safetensors plus JSON."""

    kind: str

    @abstractmethod
    def sample(self, n: int, generator: torch.Generator, noise: float = 0.0) -> torch.Tensor:
        """n latents (n, Z) of the fitted distribution with Gaussian noise of `noise` standard deviations."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write everything that `load` needs into `folder`."""

    @classmethod
    @abstractmethod
    def load(cls, folder: Path) -> Prior:
        """Read what `save` wrote."""
