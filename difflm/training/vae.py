"""Stage 1: encoder and injector (and the decoder, when it is trained along) learn the latent.

Loss: (rec + beta * kl) / mean tokens, rec and kl in nats per record. Four kinds of rows share a batch:
clean z, z with Gaussian noise of a level that the injector is told, no latent at all, and clean z with the
details of the second level, so that one decoder is sharp on the map, robust to the prior's small errors, still
the plain LM, and exact where a record itself is wanted.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from accelerate import Accelerator

from difflm.config import Config
from difflm.latent.beta import make_schedule
from difflm.latent.posterior import active_dimensions
from difflm.models.compact import CompactDecoder
from difflm.models.compact_encoder import CompactEncoder
from difflm.models.decoder import Batch
from difflm.models.vae import LatentLM, Output
from difflm.precision import mixed
from difflm.ranks import Ranks
from difflm.seeding import seeded
from difflm.training.host import Host
from difflm.training.jitter import USUAL, Jitter
from difflm.training.loop import Loop
from difflm.training.optim import schedule
from difflm.training.stage import Plan

NULL_SHARE = 0.1
COLLAPSE_NATS = 0.5
WORD_DROPOUT = 0.1
FADING = "numbers follow from each other: they are moved less and less (vae.jitter)"
PARTS = 4
"""Parts of like length that a batch of texts is cut into."""


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
) -> float:
    """Train `model` on `train` and return the share of the stage left over; the validation ELBO (at the last beta)
    tells when to stop.

    Below a floor the mean KL costs nothing (a budget, as in free bits, Kingma et al. 2016): without it the
    latent of a small table collapses before it has become useful. `nats_per_row` is what a held-out row
    costs the decoder alone. `look` adds figures to each evaluation, such as the accuracy of reconstructed cells."""
    settings, size = config.vae, config.latent.size
    ranks = Ranks(accelerator)
    beta = make_schedule(config.beta)
    device = accelerator.device
    joint = config.decoder.joint
    hidden_share = settings.word_dropout
    if hidden_share is None:
        hidden_share = WORD_DROPOUT if config.decoder.kind == "compact" else 0.0
    floor = min(config.beta.floor, nats_per_row / 3)
    jitter = None
    # Whoever reads text would be told another number than the decoder has to write.
    shared = isinstance(model.decoder, CompactDecoder) and isinstance(model.encoder, CompactEncoder)
    fading = False
    if settings.jitter != 0 and shared:
        assert isinstance(model.decoder, CompactDecoder)
        codec, ids = model.decoder.codec, train["ids"]
        jitter = made = Jitter(codec, ids, settings.jitter or USUAL)
        fading = settings.jitter is None and ranks.decided(lambda: made.undoes(codec, ids))
    if fading:
        host.on_progress({"event": "note", "stage": "vae", "text": FADING})

    def draw(rows: torch.Tensor, generator: torch.Generator) -> Batch:
        n = len(rows)
        uniform = torch.rand(3, n, generator=generator)
        batch = {k: v[rows] for k, v in train.items()}
        if jitter:
            share = schedule(loop.course, 0.0) if fading else 1.0
            batch["ids"] = jitter.moved(batch["ids"], generator, share)
        written = batch["text_ids" if "text_ids" in batch else "ids"]
        null = (uniform[2] < NULL_SHARE) & joint
        detailed = uniform[2] > 1 - settings.detail_share
        noised = (uniform[0] < settings.noise_share) & ~detailed
        batch["sigma"] = torch.where(noised, settings.noise_max * uniform[1] ** 1.5, 0.0)
        batch["null"], batch["detailed"] = null, detailed
        batch["eps"] = torch.randn(n, 2, size, generator=generator)
        if model.details is not None:
            positions = written.shape[1] + model.details.tail_slots
            batch["detail_eps"] = torch.randn(n, positions, model.details.size, generator=generator)
        if hidden_share:
            batch["hidden"] = torch.rand(written.shape, generator=generator) < hidden_share
        return batch

    def forward(batch: Batch) -> Output:
        null = batch["null"] if joint else None
        eps, drawn = batch["eps"].unbind(1), batch.get("detail_eps")
        out: Output = model(batch, eps, batch["sigma"], null, batch.get("hidden"), batch["detailed"], drawn)
        return out

    def loss_of(batch: Batch, progress: float) -> tuple[torch.Tensor, dict[str, float]]:
        parts = by_length({k: v.to(device) for k, v in batch.items()})
        with mixed(device, cache=False):
            done = [forward(part) for part in parts]
        rec, told, kl, _, detail_kl = (torch.cat(one) for one in zip(*done, strict=True))
        sigma, null, detailed = (torch.cat([p[k] for p in parts]) for k in ("sigma", "null", "detailed"))
        weight = beta.value(progress)
        mean_kl = ranks.mean(kl.sum(dim=1).mean(), len(kl))
        cost = weight * mean_kl.clamp(min=floor) + config.beta.detail * detail_kl.mean()
        loss = (told.mean() + cost) / tokens_per_row
        clean = (sigma == 0) & ~null & ~detailed
        sums = ranks.sums((rec * clean).sum(), clean.sum(), detail_kl.sum(), detailed.sum())
        # A small batch may have no row of a kind: it says nothing of it then, rather than nought.
        rows_of = {"reconstruction": int(sums[1]), "detail_kl": int(sums[3])}
        logs = {
            "reconstruction": sums[0].item() / max(rows_of["reconstruction"], 1),
            "kl": mean_kl.item(),
            "detail_kl": sums[2].item() / max(rows_of["detail_kl"], 1),
            "beta": weight,
            "active": active_dimensions(ranks.mean(kl.detach().mean(dim=0), len(kl))[None]),
        }
        return loss, {name: value for name, value in logs.items() if rows_of.get(name, 1)}

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

    rows = len(next(iter(train.values())))
    threads = 1 if settings.dropout else None  # dropout draws from a generator that threads would share
    loop = Loop(plan, model, rows, draw, loss_of, evaluate, host, accelerator, beta, threads)
    loop.run()
    return loop.left


def by_length(batch: Batch) -> list[Batch]:
    """A batch of texts in parts of like length, so that short ones are not padded to the longest; others whole."""
    if "text_mask" not in batch or len(batch["text_mask"]) < 2 * PARTS:
        return [batch]
    order = batch["text_mask"].sum(dim=1).argsort(stable=True)
    return [{k: v[rows] for k, v in batch.items()} for rows in order.tensor_split(PARTS)]


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
            eps = torch.randn(2, rows, model.injector.size, generator=generator).to(device)
            out = model(part, (eps[0], eps[1]), torch.zeros(rows, device=device))
        recs.append(out.rec.float())
        kls.append(out.kl.float())
    return torch.cat(recs), torch.cat(kls)
