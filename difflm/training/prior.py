"""Stage 2: fit the prior to latents drawn from the posterior of the training rows (mu, logvar (n, Z))."""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator

from difflm.config import Config
from difflm.diffusion.denoiser import Denoiser
from difflm.diffusion.loss import edm_loss
from difflm.diffusion.precond import Precond
from difflm.latent.normaliser import Normaliser
from difflm.latent.posterior import reparameterise
from difflm.precision import mixed
from difflm.priors.base import Prior
from difflm.priors.diffusion import DiffusionPrior
from difflm.priors.gaussian import GaussianPrior
from difflm.priors.gmm import MixturePrior
from difflm.ranks import Ranks
from difflm.seeding import seeded
from difflm.training.host import Host
from difflm.training.loop import Loop
from difflm.training.stage import Plan

Latents = tuple[torch.Tensor, torch.Tensor]


def train_prior(
    config: Config, plan: Plan, train: Latents, validation: Latents, host: Host, accelerator: Accelerator
) -> Prior:
    """The prior that `config.prior.kind` names, fitted to `train`."""
    generator = seeded(plan.seed, "prior")
    drawn = reparameterise(*train, torch.randn(train[0].shape, generator=generator))
    held = reparameterise(*validation, torch.randn(validation[0].shape, generator=generator))
    if config.prior.kind != "diffusion":
        prior: Prior = (
            GaussianPrior.fit(drawn)
            if config.prior.kind == "gaussian"
            else MixturePrior.fit(drawn, config.prior.components, plan.seed)
        )
        row = {"stage": "prior", "kind": prior.kind, "step": 1, "of": 1, "seconds": round(host.seconds, 2)}
        for split, latents in (("train", drawn), ("validation", held)):
            host.on_progress({**row, "split": split, "loss": -prior.log_density(latents).mean().item()})  # type: ignore[attr-defined]
        return prior
    return train_diffusion(config, plan, train, held, Normaliser.fit(drawn), host, accelerator)


def train_diffusion(
    config: Config,
    plan: Plan,
    train: Latents,
    held: torch.Tensor,
    normaliser: Normaliser,
    host: Host,
    accelerator: Accelerator,
) -> DiffusionPrior:
    """Fit the denoiser with the EDM loss; every step draws new z from the posterior."""
    settings, device = config.prior, accelerator.device
    ranks = Ranks(accelerator)
    torch.manual_seed(plan.seed)
    net = Denoiser(config.latent.size, settings.width, settings.blocks, settings.fourier)
    denoise = Precond(net).to(device)
    clean = normaliser.apply(held)

    def draw(rows: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        mu, logvar = train[0][rows], train[1][rows]
        z = reparameterise(mu, logvar, torch.randn(mu.shape, generator=generator))
        noise = torch.randn(len(z), 1 + z.shape[1], generator=generator)
        return {"z": normaliser.apply(z), "noise": noise}

    def loss_of(batch: dict[str, torch.Tensor], progress: float) -> tuple[torch.Tensor, dict[str, float]]:
        z, noise = batch["z"].to(device), batch["noise"].to(device)
        with mixed(device, cache=False):
            loss = edm_loss(denoise, z, noise, settings.p_mean, settings.p_std)
        return loss, {"loss": ranks.mean(loss.detach(), len(z)).item()}

    @torch.no_grad()
    def evaluate() -> dict[str, Any]:
        generator = seeded(plan.seed, "prior", "validation")
        repeated = clean.repeat(max(1, 8192 // len(clean)), 1).to(device)
        noise = torch.randn(len(repeated), 1 + repeated.shape[1], generator=generator).to(device)
        loss = edm_loss(denoise, repeated, noise, settings.p_mean, settings.p_std)
        return {"loss": loss.item(), "kind": "diffusion", "score": loss.item()}

    Loop(plan, denoise, len(train[0]), draw, loss_of, evaluate, host, accelerator).run()
    sample = config.sample
    return DiffusionPrior(denoise, normaliser, config.prior, sample.diffusion_steps, sample.solver)
