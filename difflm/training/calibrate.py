"""After stage 2: bring the frequencies of what is generated to those of the training rows.

Errors of the prior and the decoder add up to tokens that come a little too often or too seldom. The distribution
nearest to the model's (in KL) that has the frequencies of the training rows is the model's times a weight for each
token: an exponential tilt (Csiszar 1975). Of a decoder that writes token by token the weights are found by rounds:
generate, count, add log(real / generated) to the logits. Rows of a batch share their draws out evenly
(latent/draws.py), so that a few thousand rows count as well as many more would by chance.

Of a table so wide that the time limit has no room to generate enough rows, the weights are found by what the decoder
expects after the tokens of training rows, each given its own latent: for every slot those under which the mean of its
predictions is the share of the rows. That mends the decoder, which is what few steps leave unfinished, not the prior.

Only rows that are drawn feel the tilt. Reconstruction, the map and interpolation take the likeliest token without it.
"""

from __future__ import annotations

import torch

from difflm.config import Config
from difflm.generation import decode_latents
from difflm.latent.posterior import reparameterise
from difflm.models.compact import CompactDecoder
from difflm.models.decoder import Batch
from difflm.models.vae import LatentLM
from difflm.precision import mixed
from difflm.priors.base import Prior
from difflm.seeding import seeded
from difflm.training.costs import Size
from difflm.training.plan import calibration_rows, expected_rows

FEW = 10.0
"""Rows added to each count: a token that hardly occurs keeps its weight."""
FEW_EXPECTED = 1.0
"""The same where nothing is drawn and counted: expected shares have less noise."""
SOLVING = 8
"""Rounds in which the weights of a slot are found on predictions that are made once."""
PASSED_TOKENS = 16_384
"""Tokens that go through the decoder at once."""


def fit_tilt(
    config: Config, model: LatentLM, prior: Prior, batch: Batch, size: Size, speed: float = 1.0
) -> torch.Tensor | None:
    """The tilt (V,) for rows of `prior`, by what a machine of this `speed` has time for; None where it is off, or has
    no time at all."""
    if rows := calibration_rows(config, size, speed):
        return calibrate(config, model, prior, batch, rows)
    if rows := expected_rows(config, size, speed):
        return calibrate_expected(config, model, batch, rows)
    return None


@torch.no_grad()
def calibrate(config: Config, model: LatentLM, prior: Prior, batch: Batch, rows: int) -> torch.Tensor:
    """The tilt (V,) of the decoder's logits for rows of `prior`, towards the tokens of `batch`; `rows` a round."""
    decoder = model.decoder
    assert isinstance(decoder, CompactDecoder)
    settings, real = config.sample, frequencies(decoder, batch)
    tilt = torch.zeros_like(real)
    for number in range(config.prior.calibration):
        generator = seeded(config.seed, "calibrate", number)
        z = prior.sample(rows, generator, settings.noise)
        draw = int(torch.randint(2**31, (1,), generator=generator))
        made, _, _ = decode_latents(model, z, settings.noise, settings.temperature, draw, tilt=tilt)
        written = frequencies(decoder, decoder.prepare(made))
        few = FEW / min(rows, len(batch["ids"]))
        tilt += torch.log((real + few) / (written + few)) / (1 + number / 2)
    return tilt


@torch.no_grad()
def calibrate_expected(config: Config, model: LatentLM, batch: Batch, rows: int) -> torch.Tensor:
    """The tilt (V,) that brings what the decoder expects of `rows` of `batch` to the tokens of all of it."""
    decoder = model.decoder
    assert isinstance(decoder, CompactDecoder)
    settings, real = config.sample, frequencies(decoder, batch)
    generator = seeded(config.seed, "calibrate")
    chosen = torch.randperm(len(batch["ids"]), generator=generator)[:rows]
    model.eval()
    parts = []
    for part in chosen.split(max(1, PASSED_TOKENS // batch["ids"].shape[1])):
        ids, slots = (batch[name][part].to(decoder.device) for name in ("ids", "slots"))
        eps = torch.randn(2, len(part), config.latent.size, generator=generator).to(decoder.device)
        with mixed(decoder.device, cache=False):
            z = reparameterise(
                *model.encode({k: v[part].to(decoder.device) for k, v in batch.items()}), eps[0]
            )
            sigma = z.new_full((len(part),), settings.noise)
            states = decoder.states(model.inject(z + sigma[:, None] * eps[1], sigma), ids, slots)
        parts.append(states[:, : decoder.codec.fixed].float())
    states, head, tilt = torch.cat(parts), decoder.head.rows(), torch.zeros_like(real)
    few = FEW_EXPECTED / len(chosen)
    for place in range(states.shape[1]):
        at = decoder.codec.slots[place].tokens
        logits = decoder.slot_logits(states[:, place], place, head).float().cpu()
        for _ in range(SOLVING):
            expected = torch.softmax((logits + tilt[at]) / settings.temperature, dim=-1).mean(dim=0)
            tilt[at] += torch.log((real[at] + few) / (expected + few))
    return tilt


def frequencies(decoder: CompactDecoder, batch: Batch) -> torch.Tensor:
    """Share (V,) of the rows that have each token; text columns, which have no fixed places, are left at 0."""
    ids = batch["ids"][:, : decoder.codec.fixed].flatten().long()
    counts = torch.bincount(ids[ids >= 0], minlength=decoder.codec.vocabulary)
    return counts.float().cpu() / len(batch["ids"])
