"""The three stages in order, from typed rows to a trained model and prior.

A stage that is done leaves its state behind, so a second call goes on where the first one stopped.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
import pandas as pd
import torch
from accelerate import Accelerator
from numpy.typing import NDArray

from difflm import ranks
from difflm.config import Config
from difflm.estimates import step_rows
from difflm.formats.codec import FittedCodec
from difflm.formats.registry import make_format
from difflm.models.build import build_model
from difflm.models.compact import CompactDecoder
from difflm.models.compact_encoder import CompactEncoder
from difflm.models.decoder import Batch
from difflm.models.transformer import set_dropout
from difflm.models.vae import LatentLM
from difflm.precision import mixed
from difflm.priors.base import Prior
from difflm.priors.gmm import MixturePrior
from difflm.schema import Schema
from difflm.training.calibrate import fit_tilt
from difflm.training.costs import Size, latent_rows
from difflm.training.host import Host, Stopped
from difflm.training.lm import train_lm
from difflm.training.look import LOOKED_AT, Look
from difflm.training.plan import LEAST_BATCH, make_plans, with_leftover
from difflm.training.prior import Latents, train_prior
from difflm.training.speed import speed_seen
from difflm.training.vae import train_vae

HELD_OUT = 2048
"""Most held-out rows that an evaluation during training takes."""
HELD_TOKENS, HELD_DOCUMENT_TOKENS = 2**16, 2**14
"""And most tokens of these rows, and of documents."""
ENCODED_TOKENS = 2**16
"""Tokens that go through the encoder at once."""
ALONE_TOKENS, LEAST_LOOKED = 2**15, 64
"""Tokens of the rows that the decoder alone is asked about, and so many rows at least."""
NO_TIME = "the time limit has no room for stage 0; its time goes to stage 1"
FASTER = "steps take less time than was reckoned: {now} instead of {before} of stage 1"
CHECKED = 64
"""Records whose tokens are counted before a language model is loaded."""


@dataclass
class Trained:
    """What training leaves: `stopped` names the stage that was cut short, if any.

    The latents are those of the rows `train_rows` (sorted) and of the first validation rows."""

    model: LatentLM
    codec: FittedCodec
    prior: Prior
    train_latents: Latents
    train_rows: NDArray[np.intp]
    validation_latents: Latents
    stopped: str | None
    tilt: torch.Tensor | None = None
    """Of generated rows, towards the frequencies of the training rows."""


def train_all(
    config: Config,
    codec: FittedCodec,
    train: pd.DataFrame,
    validation: pd.DataFrame,
    host: Host,
    speed: float = 1.0,
) -> Trained:
    """Stages 0-2 on canonical rows, planned for a machine of this `speed`. A stop leaves the best weights and a
    quickly fitted prior."""
    accelerator = ranks.accelerator()
    if config.decoder.kind == "causal_lm":
        check_decoder(config, codec.schema, train.iloc[:CHECKED])
    model = build_model(config, codec).to(accelerator.device)
    batch = prepare(model, train)
    if isinstance(model.decoder, CompactDecoder):
        model.decoder.begin_with(batch["ids"])
    if model.topics is not None:
        model.topics.begin_with(batch["text_ids"], batch["text_mask"])
    set_dropout(model, config.vae.dropout)
    tokens = mean_tokens(batch)
    most = HELD_TOKENS if config.decoder.kind == "compact" else HELD_DOCUMENT_TOKENS
    held = prepare(model, validation.iloc[: min(HELD_OUT, int(most / tokens) + 1)])
    fitting = config.vae.model_copy(update={"batch_size": step_rows(config, tokens)})
    size = Size(len(train), tokens, model.decoder.weights)
    encoded = some_rows(len(train), latent_rows(config, size, speed), config.seed)
    device = accelerator.device.type
    planned = partial(make_plans, config.model_copy(update={"vae": fitting}), size, device=device)
    plans = planned(speed)
    if config.decoder.shard:
        # As many rows in every process: their passes through the layers go together.
        plans["vae"].batch_size -= plans["vae"].batch_size % (ranks.launched() * config.vae.accumulation)
    if config.decoder.kind == "causal_lm":
        check_batch(config, plans["vae"].batch_size, tokens)
    stage = "lm"
    try:
        if isinstance(model.decoder, CompactDecoder):
            if plans["lm"].steps:
                faster = train_lm(config, plans["lm"], model.decoder, batch, held, host, accelerator)
                speed = _seen(config, size, speed, faster, host, accelerator)
                before, plans = plans, planned(speed)
                if plans["vae"].steps > before["vae"].steps:
                    text = FASTER.format(now=plans["vae"].steps, before=before["vae"].steps)
                    host.on_progress({"event": "note", "stage": stage, "text": text})
            elif config.lm.share:
                host.on_progress({"event": "note", "stage": stage, "text": NO_TIME})
            model.decoder.requires_grad_(config.decoder.joint)
            model.decoder.stress(codec.schema.target, config.vae.target_weight)
        stage = "vae"
        nats = ranks.Ranks(accelerator).agreed(decoder_alone_nats(model, held))
        look = Look(model, codec.schema, train, validation, held, encode_batch, host, config.sample.noise)
        left = train_vae(config, plans["vae"], model, batch, held, host, accelerator, tokens, nats, look)
        latents = [encode_batch(model, batch, encoded), encode_batch(model, held)]
        stage = "prior"
        plan = with_leftover(plans, left)
        prior = train_prior(config, plan, latents[0], latents[1], host, accelerator)
        tilt = ranks.Ranks(accelerator).decided(lambda: fit_tilt(config, model, prior, batch, size, speed))
    except Stopped:
        latents = [encode_batch(model, batch, encoded), encode_batch(model, held)]
        quick = MixturePrior.fit(latents[0][0], config.prior.components, config.seed)
        return Trained(model.eval(), codec, quick, latents[0], encoded, latents[1], stage)
    return Trained(model.eval(), codec, prior, latents[0], encoded, latents[1], None, tilt)


def _seen(
    config: Config, size: Size, speed: float, faster: float, host: Host, accelerator: Accelerator
) -> float:
    """The speed for stages 1 and 2 after a stage 0 whose steps went `faster` times as fast as `speed` had promised."""
    work = f"{size.rows} rows of {size.tokens:.0f} tokens, {config.decoder.width} x {config.decoder.layers}"
    if ranks.launched() > 1:
        work += f", {ranks.launched()} processes"  # `speed` is that of all together
    seen = partial(speed_seen, accelerator.device, work, speed, faster, host.state)
    return ranks.Ranks(accelerator).decided(seen)


def check_decoder(config: Config, schema: Schema, rows: pd.DataFrame) -> None:
    """ResourceError before a causal LM is loaded that could not even be trained in the smallest batches."""
    from difflm.models.causal_loading import check_room
    from difflm.models.lm_texts import token_counts

    counts = token_counts(str(config.decoder.path), make_format(schema, config.format.text).write_rows(rows))
    tokens = config.injection.soft_tokens + 1 + sum(counts) / max(len(counts), 1)
    check_room(config.decoder, min(LEAST_BATCH, config.vae.batch_size), tokens)


def check_batch(config: Config, rows: int, tokens: float) -> None:
    """ResourceError before the first step where the planned batch does not fit beside the causal LM."""
    from difflm.models.causal_loading import check_room

    check_room(config.decoder, rows, config.injection.soft_tokens + 1 + tokens, loaded=True)


@torch.no_grad()
def decoder_alone_nats(model: LatentLM, batch: Batch) -> float:
    """What a row of `batch` costs the decoder without a latent, in nats."""
    device = next(model.parameters()).device
    model.eval()
    longest = max(v.shape[1] for v in batch.values() if v.ndim > 1)
    rows = min(LOOKED_AT, max(LEAST_LOOKED, ALONE_TOKENS // longest))
    part = {k: v[:rows].to(device) for k, v in batch.items()}
    with mixed(device):
        null = model.decoder.null(len(next(iter(part.values()))))
        return float(model.decoder.row_nll(null, part).float().mean())


def prepare(model: LatentLM, rows: pd.DataFrame) -> Batch:
    """All tensors that encoder and decoder read of canonical rows."""
    shared = isinstance(model.encoder, CompactEncoder) and isinstance(model.decoder, CompactDecoder)
    return {**model.decoder.prepare(rows), **({} if shared else model.encoder.prepare(rows))}


def mean_tokens(batch: Batch) -> float:
    """Tokens that the decoder writes per row."""
    mask = batch["text_mask"] if "text_mask" in batch else batch["ids"] >= 0
    return float(mask.sum() / len(mask))


def some_rows(count: int, most: int, seed: int) -> NDArray[np.intp]:
    """All row numbers, or `most` of them drawn by seed, in order."""
    if count <= most:
        return np.arange(count)
    return np.sort(np.random.default_rng([seed, count]).permutation(count)[:most])


@torch.no_grad()
def encode_batch(
    model: LatentLM, batch: Batch, rows: NDArray[np.intp] | None = None, chunk: int = 2048
) -> Latents:
    """mu, logvar (n, Z) on the CPU of all rows, or of `rows` (n,); wide tables go through in smaller chunks."""
    device = next(model.parameters()).device
    model.eval()
    longest = max((v.shape[1] for v in batch.values() if v.ndim > 1), default=1)
    chunk = min(chunk, max(16, ENCODED_TOKENS // longest))
    wanted = torch.arange(len(next(iter(batch.values())))) if rows is None else torch.from_numpy(rows)
    # Filled, not collected: what the encoder gives are views, each of which would keep a chunk's states alive.
    found = torch.empty(2, len(wanted), model.injector.size)
    for first in range(0, len(wanted), chunk):
        part = wanted[first : first + chunk]
        with mixed(device):
            mu, logvar = model.encode({k: v[part].to(device) for k, v in batch.items()})
        found[0, first : first + chunk], found[1, first : first + chunk] = mu, logvar
    return found[0], found[1]
