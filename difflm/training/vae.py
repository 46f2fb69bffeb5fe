"""Stage 1: encoder and injector (and the decoder, when it is trained along) learn the latent.

Loss: (rec + beta * kl) / mean tokens, rec and kl in nats per record. Three kinds of rows share a batch:
clean z, z with Gaussian noise of a level that the injector is told, and no latent at all, so that one
decoder is sharp on the map, robust to the prior's small errors, and still the plain LM.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from accelerate import Accelerator

from difflm.config import Config
from difflm.latent.beta import make_schedule
from difflm.latent.posterior import active_dimensions
from difflm.models.decoder import Batch
from difflm.models.vae import LatentLM
from difflm.precision import mixed
from difflm.training.host import Host
from difflm.training.loop import Loop, Plan, seeded

NULL_SHARE = 0.1
COLLAPSE_NATS = 0.5


def train_vae(
    config: Config,
    plan: Plan,
    model: LatentLM,
    train: Batch,
    validation: Batch,
    host: Host,
    accelerator: Accelerator,
    tokens_per_row: float,
    nats_per_row: float,
    look: Callable[[], dict[str, Any]] | None = None,
) -> None:
    """Train `model` on `train`; the validation ELBO (at the last beta) decides when to stop.

    Below a floor the mean KL costs nothing (a budget, as in free bits, Kingma et al. 2016): without it the
    latent of a small table collapses before it has become useful. `nats_per_row` is what a held-out row
    costs the decoder alone. `look` adds figures to each evaluation, such as the accuracy of reconstructed cells."""
    settings, size = config.vae, config.latent.size
    beta = make_schedule(config.beta)
    device = accelerator.device
    joint = config.decoder.training == "joint"
    floor = min(config.beta.floor, nats_per_row / 3)

    def noise_levels(n: int, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor]:
        """sigma (n,), 0 for clean rows, and which rows go without a latent (n,)."""
        draws = torch.rand(3, n, generator=generator)
        sigma = torch.where(draws[0] < settings.noise_share, settings.noise_max * draws[1] ** 1.5, 0.0)
        return sigma.to(device), ((draws[2] < NULL_SHARE) & joint).to(device)

    def step_loss(
        rows: torch.Tensor, progress: float, generator: torch.Generator
    ) -> tuple[torch.Tensor, dict[str, float]]:
        batch = {k: v[rows].to(device) for k, v in train.items()}
        n = len(rows)
        sigma, null = noise_levels(n, generator)
        eps = torch.randn(2, n, size, generator=generator).to(device)
        hidden = None
        if settings.word_dropout and "ids" in batch:
            hidden = (torch.rand(batch["ids"].shape, generator=generator) < settings.word_dropout).to(device)
        with mixed(device):
            rec, kl, _ = model(batch, eps, sigma, null if joint else None, hidden)
        weight = beta.value(progress)
        loss = (rec.mean() + weight * kl.sum(dim=1).mean().clamp(min=floor)) / tokens_per_row
        clean = (sigma == 0) & ~null
        logs = {
            "reconstruction": (rec * clean).sum().item() / max(int(clean.sum()), 1),
            "kl": kl.sum(dim=1).mean().item(),
            "beta": weight,
            "active": active_dimensions(kl.detach()),
        }
        return loss, logs

    @torch.no_grad()
    def evaluate() -> dict[str, Any]:
        rec, kl = evaluate_elbo(model, validation, seeded(plan.seed, "vae"), device)
        beta.on_evaluation(rec.mean().item())
        weight = beta.value(1.0)
        kl_mean = kl.sum(dim=1).mean().item()
        if kl_mean < COLLAPSE_NATS:
            text = f"the latent carries {kl_mean:.2f} nats: posterior collapse; lower beta.end"
            host.on_progress({"event": "warning", "stage": "vae", "text": text})
        seen = look() if look else {}
        score = rec.mean().item() + weight * max(kl_mean, floor)
        if settings.select == "reconstruction" and "accuracy" in seen:
            score = -seen["accuracy"]
        return {
            "reconstruction": rec.mean().item(),
            "kl": kl_mean,
            "beta": weight,
            "active": active_dimensions(kl),
            **seen,
            "score": score,
        }

    Loop(plan, model, len(next(iter(train.values()))), step_loss, evaluate, host, accelerator, beta).run()


@torch.no_grad()
def evaluate_elbo(
    model: LatentLM, batch: Batch, generator: torch.Generator, device: torch.device, chunk: int = 1024
) -> tuple[torch.Tensor, torch.Tensor]:
    """rec (n,) and kl (n, Z) of held-out rows, z drawn once from the posterior."""
    recs, kls = [], []
    n = len(next(iter(batch.values())))
    for first in range(0, n, chunk):
        part = {k: v[first : first + chunk].to(device) for k, v in batch.items()}
        rows = len(next(iter(part.values())))
        with mixed(device):
            mu, _ = model.encode(part)
            eps = torch.randn(2, rows, mu.shape[1], generator=generator).to(device)
            out = model(part, eps, torch.zeros(rows, device=device))
        recs.append(out.rec.float())
        kls.append(out.kl.float())
    return torch.cat(recs), torch.cat(kls)
