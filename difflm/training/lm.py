"""Stage 0: the compact LM learns the records, and to copy from its prefix.

A decoder that can copy is steerable by soft prompts even when it is frozen afterwards (RECIPE point 4).
B rows, T positions, D width.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator

from difflm.config import Config
from difflm.models.compact import CompactDecoder
from difflm.models.decoder import Batch
from difflm.models.injected import Injected
from difflm.precision import mixed
from difflm.training.host import Host
from difflm.training.loop import Loop, Plan, seeded


def copy_prefix(
    decoder: CompactDecoder, batch: Batch, noise: float, generator: torch.Generator
) -> torch.Tensor:
    """The row's own token embeddings (B, T, D) in shuffled order, each row with noise of its own size."""
    ids, slots = batch["ids"], batch["slots"]
    own = decoder.table.token(ids.clamp(min=0)) + decoder.table.slot(slots)
    order = torch.rand(ids.shape, generator=generator).argsort(dim=1).to(ids.device)
    own = own.gather(1, order[:, :, None].expand_as(own))
    size = torch.rand(len(ids), 1, 1, generator=generator) * noise
    draws = torch.randn(own.shape, generator=generator) * size
    return own + draws.to(own.device) * own.detach().std()


def train_lm(
    config: Config,
    plan: Plan,
    decoder: CompactDecoder,
    train: Batch,
    validation: Batch,
    host: Host,
    accelerator: Accelerator,
) -> None:
    """Fit the decoder to the rows of `train`; nats per record are reported."""
    settings = config.lm

    def losses(batch: Batch, generator: torch.Generator) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Nats of plain rows (B1,) and of rows with a copy prefix (B2,)."""
        n = len(batch["ids"])
        copied = int(n * settings.copy_share)
        plain = {k: v[copied:] for k, v in batch.items()}
        with mixed(accelerator.device, cache=False):
            own = decoder.row_nll(decoder.null(n - copied), plain)
            if not copied:
                return own, None
            batch = {k: v[:copied] for k, v in batch.items()}
            prefix = copy_prefix(decoder, batch, settings.copy_noise, generator)
            return own, decoder.row_nll(Injected(prefix), batch)

    def draw(rows: torch.Tensor, generator: torch.Generator) -> Batch:
        # Noise has the size of all embeddings: each part of the batch draws its own from the first seed it gets.
        seeds = torch.randint(2**31, (len(rows),), generator=generator)
        return {**{k: v[rows] for k, v in train.items()}, "seed": seeds}

    def loss_of(batch: Batch, progress: float) -> tuple[torch.Tensor, dict[str, float]]:
        generator = torch.Generator().manual_seed(int(batch.pop("seed")[0]))
        batch = {k: v.to(accelerator.device) for k, v in batch.items()}
        own, copied = losses(batch, generator)
        total = own.sum() if copied is None else own.sum() + copied.sum()
        logs = {"loss": own.mean().item()} | ({} if copied is None else {"copy_loss": copied.mean().item()})
        return total / batch["ids"].numel(), logs

    @torch.no_grad()
    def evaluate() -> dict[str, Any]:
        own, copied = losses(
            {k: v.to(accelerator.device) for k, v in validation.items()}, seeded(plan.seed, "lm")
        )
        values = {"loss": own.mean().item()} | ({} if copied is None else {"copy_loss": copied.mean().item()})
        return {**values, "score": sum(values.values())}

    threads = 1 if config.vae.dropout else None
    Loop(plan, decoder, len(train["ids"]), draw, loss_of, evaluate, host, accelerator, threads=threads).run()
