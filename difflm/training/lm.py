"""Stage 0: the compact LM learns the records, and to copy from its prefix.

A decoder that can copy is steerable by soft prompts even when it is frozen afterwards (RECIPE point 4).
B rows, T positions, D width.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Any, NamedTuple

import torch
from accelerate import Accelerator

from difflm.config import Config
from difflm.models.compact import CompactDecoder
from difflm.models.decoder import Batch
from difflm.models.injected import Injected
from difflm.precision import mixed
from difflm.ranks import Ranks
from difflm.seeding import seeded
from difflm.training.host import Host
from difflm.training.loop import Loop
from difflm.training.stage import Plan


class CopyDraws(NamedTuple):
    """What is random in a copy prefix: order (B, T), size of the noise (B, 1, 1) and noise (B, T, D)."""

    order: torch.Tensor
    size: torch.Tensor
    noise: torch.Tensor

    @classmethod
    def draw(cls, rows: int, places: int, width: int, generator: torch.Generator) -> CopyDraws:
        """Of so many rows."""
        order = torch.rand(rows, places, generator=generator)
        size = torch.rand(rows, 1, 1, generator=generator)
        return cls(order, size, torch.randn(rows, places, width, generator=generator))


def copy_prefix(
    decoder: CompactDecoder, batch: Batch, noise: float, draws: CopyDraws, ranks: Ranks
) -> torch.Tensor:
    """The row's own token embeddings (B, T, D) in shuffled order, each row with noise of its own size."""
    ids, slots = batch["ids"], batch["slots"]
    own = decoder.table.token(ids.clamp(min=0)) + decoder.table.slot(slots)
    order = draws.order.argsort(dim=1).to(ids.device)
    own = own.gather(1, order[:, :, None].expand_as(own))
    made = draws.noise * (draws.size * noise)
    return own + made.to(own.device) * ranks.deviation(own)


def train_lm(
    config: Config,
    plan: Plan,
    decoder: CompactDecoder,
    train: Batch,
    validation: Batch,
    host: Host,
    accelerator: Accelerator,
) -> float:
    """Fit the decoder to the rows of `train`; nats per record are reported. How many times as fast as planned its steps
    were comes back (Pace.faster)."""
    settings, device, ranks = config.lm, accelerator.device, Ranks(accelerator)
    places, width = train["ids"].shape[1], decoder.width

    def losses(
        plain: Batch, copied: Batch, draws: CopyDraws | None, ranks: Ranks
    ) -> tuple[torch.Tensor, torch.Tensor | None]:
        """Nats of plain rows (B1,) and of rows with a copy prefix (B2,)."""
        with mixed(device, cache=False):
            own = decoder.row_nll(decoder.null(len(plain["ids"])), plain)
            if draws is None:
                return own, None
            prefix = copy_prefix(decoder, copied, settings.copy_noise, draws, ranks)
            return own, decoder.row_nll(Injected(prefix), copied) if len(prefix) else own[:0]

    def draw(rows: torch.Tensor, generator: torch.Generator) -> Batch:
        # Each part of the batch draws from the first seed it gets, whoever trains its rows.
        n, bounds = len(rows), loop.shards.bounds(len(rows))
        seeds = torch.randint(2**31, (n,), generator=generator)
        copied = torch.zeros(n, dtype=torch.bool)
        drawn = CopyDraws(torch.empty(n, places), torch.empty(n, 1, 1), torch.empty(n, places, width))
        for first, end in pairwise(bounds):
            own = slice(first, first + int((end - first) * settings.copy_share))
            copied[own] = True
            part = torch.Generator().manual_seed(int(seeds[first]))
            for whole, made in zip(
                drawn, CopyDraws.draw(own.stop - own.start, places, width, part), strict=True
            ):
                whole[own] = made
        batch = {**{k: v[rows] for k, v in train.items()}, "copied": copied}
        return {**batch, **drawn._asdict()} if copied.any() else batch

    def loss_of(batch: Batch, progress: float) -> tuple[torch.Tensor, dict[str, float]]:
        copied, draws = batch["copied"], None
        if "noise" in batch:
            draws = CopyDraws(*(batch[name][copied] for name in CopyDraws._fields))
        own_rows, copies = ({k: batch[k][where].to(device) for k in train} for where in (~copied, copied))
        own, made = losses(own_rows, copies, draws, ranks)
        total = own.sum() if made is None else own.sum() + made.sum()
        logs = {"loss": mean(own)} | ({} if made is None else {"copy_loss": mean(made)})
        return total / batch["ids"].numel(), logs

    def mean(nats: torch.Tensor) -> float:
        """Over the rows of all processes; one may have none of a kind."""
        own = nats.detach().mean() if len(nats) else nats.new_zeros(())
        return ranks.mean(own, len(nats)).item()

    @torch.no_grad()
    def evaluate() -> dict[str, Any]:
        whole = {k: v.to(device) for k, v in validation.items()}
        n, generator = len(whole["ids"]), seeded(plan.seed, "lm")
        at = int(n * settings.copy_share)
        draws = CopyDraws.draw(at, whole["ids"].shape[1], width, generator) if at else None
        plain, copies = ({k: v[where] for k, v in whole.items()} for where in (slice(at, n), slice(at)))
        own, copied = losses(plain, copies, draws, Ranks.alone(device))
        values = {"loss": own.mean().item()} | ({} if copied is None else {"copy_loss": copied.mean().item()})
        return {**values, "score": sum(values.values())}

    threads = 1 if config.vae.dropout else None
    loop = Loop(plan, decoder, len(train["ids"]), draw, loss_of, evaluate, host, accelerator, threads=threads)
    loop.run()
    return loop.pace.faster
