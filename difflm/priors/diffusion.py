"""The diffusion prior: an EDM denoiser over standardised latents (DESIGN section 1.6). Latents (n, Z)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import final

import torch
from safetensors.torch import load_file, save_file

from difflm.diffusion.denoiser import Denoiser
from difflm.diffusion.precond import Precond
from difflm.diffusion.sampler import SOLVERS, karras_sigmas
from difflm.latent.draws import even_normal
from difflm.latent.normaliser import Normaliser
from difflm.precision import mixed
from difflm.priors.base import Prior
from difflm.stage_sections import PriorConfig


@final
class DiffusionPrior(Prior):
    """A trained denoiser with the statistics that its latents were standardised by."""

    kind = "diffusion"

    def __init__(
        self, denoise: Precond, normaliser: Normaliser, config: PriorConfig, steps: int, solver: str
    ) -> None:
        self.denoise, self.normaliser, self.config = denoise.eval(), normaliser, config
        self.steps, self.solver = steps, solver

    def sample(self, n: int, generator: torch.Generator, noise: float = 0.0) -> torch.Tensor:
        """Diffusion ends at sigma = `noise`: the last stretch, which only removes it, is left out."""
        device = next(self.denoise.parameters()).device
        sigmas = karras_sigmas(self.steps, high=self.config.sigma_max, end=noise)
        start = even_normal(n, self.normaliser.mean.shape[0], generator)
        # Standardised latents with noise of the first sigma have this scale.
        start = start * torch.sqrt(1 + sigmas[0] ** 2)
        with mixed(device):
            x = SOLVERS[self.solver](self.denoise, start.to(device), sigmas)
        return self.normaliser.invert(x.cpu())

    def save(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        tensors = {f"denoiser.{k}": v.contiguous() for k, v in self.denoise.network.state_dict().items()}
        save_file({**tensors, **self.normaliser.tensors()}, folder / "diffusion.safetensors")
        settings = {"steps": self.steps, "solver": self.solver, "prior": self.config.model_dump()}
        (folder / "diffusion.json").write_text(json.dumps(settings, indent=1))

    @classmethod
    def load(cls, folder: Path) -> DiffusionPrior:
        settings = json.loads((folder / "diffusion.json").read_text())
        config = PriorConfig.model_validate(settings["prior"])
        tensors = load_file(folder / "diffusion.safetensors")
        normaliser = Normaliser.from_tensors(tensors)
        net = Denoiser(len(normaliser.mean), config.width, config.blocks, config.fourier)
        net.load_state_dict(
            {k.removeprefix("denoiser."): v for k, v in tensors.items() if k.startswith("denoiser.")}
        )
        # Priors of before there was a choice.
        return cls(Precond(net), normaliser, config, settings["steps"], settings.get("solver", "heun"))
