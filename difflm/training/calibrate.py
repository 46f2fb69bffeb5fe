"""After stage 2: bring the frequencies of what is generated to those of the training rows.

Errors of the prior and the decoder add up to tokens that come a little too often or too seldom. The distribution
nearest to the model's (in KL) that has the frequencies of the training rows is the model's times a weight for each
token: an exponential tilt (Csiszar 1975). Of a decoder that writes token by token the weights are found by rounds:
generate, count, add log(real / generated) to the logits. Rows of a batch share their draws out evenly
(latent/draws.py), so that a few thousand rows count as well as many more would by chance.

Only rows that are drawn feel the tilt. Reconstruction, the map and interpolation take the likeliest token without it.
"""

from __future__ import annotations

import torch

from difflm.config import Config
from difflm.generation import decode_latents
from difflm.models.compact import CompactDecoder
from difflm.models.decoder import Batch
from difflm.models.vae import LatentLM
from difflm.priors.base import Prior
from difflm.seeding import seeded

FEW = 10.0
"""Rows added to each count: a token that hardly occurs keeps its weight."""


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


def frequencies(decoder: CompactDecoder, batch: Batch) -> torch.Tensor:
    """Share (V,) of the rows that have each token; text columns, which have no fixed places, are left at 0."""
    ids = batch["ids"][:, : decoder.codec.fixed].flatten().long()
    counts = torch.bincount(ids[ids >= 0], minlength=decoder.codec.vocabulary)
    return counts.float().cpu() / len(batch["ids"])
