"""Encoder, injector and decoder as one beta-VAE (DiffLM eq. 1-4).

B rows, Z latent size. rec and kl are sums over the record, in nats.
"""

from __future__ import annotations

from dataclasses import replace
from typing import NamedTuple

import torch
from torch import nn

from difflm.latent.posterior import kl_per_dimension, reparameterise
from difflm.models.decoder import Batch, Decoder, Encoder
from difflm.models.details import DetailLatent, Details
from difflm.models.injected import Injected
from difflm.models.injectors import Injector
from difflm.models.token_encoder import TokenEncoder
from difflm.models.topics import Topics


class Output(NamedTuple):
    """rec (B,), cost (B,) as rec with some tokens counted more, kl (B, Z), mu (B, Z), detail_kl (B,) with 0 for rows
    without details."""

    rec: torch.Tensor
    cost: torch.Tensor
    kl: torch.Tensor
    mu: torch.Tensor
    detail_kl: torch.Tensor


class LatentLM(nn.Module):
    """A language model with a latent: record -> z -> what is injected -> record."""

    def __init__(
        self,
        encoder: Encoder,
        injector: Injector,
        decoder: Decoder,
        details: Details | None = None,
        topics: Topics | None = None,
    ) -> None:
        super().__init__()
        self.encoder, self.injector, self.decoder = encoder, injector, decoder
        self.details, self.topics = details, topics

    def encode(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """mu, logvar (B, Z)."""
        mu, logvar = self.encoder(batch)
        return self._with_topics(mu, batch), logvar

    def _with_topics(self, mu: torch.Tensor, batch: Batch) -> torch.Tensor:
        return mu if self.topics is None else mu + self.topics.mu(batch["text_ids"], batch["text_mask"])

    def encode_whole(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor, DetailLatent | None]:
        """mu, logvar (B, Z), and the second level where the model has one."""
        if self.details is None:
            return *self.encode(batch), None
        assert isinstance(self.encoder, TokenEncoder)
        mu, logvar, states, there = self.encoder.read_row(batch)
        second = self.details.encode(states, there, batch.get("tails"))
        return self._with_topics(mu, batch), logvar, second

    def inject(self, z: torch.Tensor, sigma: torch.Tensor) -> Injected:
        """What enters the decoder for z (B, Z) at noise level sigma (B,)."""
        injected: Injected = self.injector(z, sigma)
        return injected if self.topics is None else replace(injected, push=self.topics.logits(z, sigma))

    def forward(
        self,
        batch: Batch,
        eps: tuple[torch.Tensor, torch.Tensor],
        sigma: torch.Tensor,
        null: torch.Tensor | None = None,
        word_dropout: torch.Tensor | None = None,
        detailed: torch.Tensor | None = None,
        detail_eps: torch.Tensor | None = None,
    ) -> Output:
        """eps: standard normal draws (B, Z) for posterior and noise; null (B,) marks rows without a latent,
        `detailed` (B,) those with details, drawn by `detail_eps` (B, T + H, d)."""
        mu, logvar, second = self.encode_whole(batch)
        z = reparameterise(mu, logvar, eps[0])
        injected = self.inject(z + sigma[:, None] * eps[1], sigma)
        if null is not None:
            injected = injected.where(null, self.decoder.null(len(mu)))
        kl = kl_per_dimension(mu, logvar)
        if second is None or detailed is None or detail_eps is None:
            rec, cost = self.decoder.nlls(injected, batch, word_dropout)
            return Output(rec, cost, kl, mu, torch.zeros_like(rec))
        assert self.details is not None
        drawn = second.draw(detail_eps[:, : second.mu.shape[1]])
        added = self.details.inputs(drawn) * detailed[:, None, None]
        rec, cost = self.decoder.nlls(injected, batch, word_dropout, added)
        if self.details.tail_slots:
            digits = detailed * self.details.digit_nll(drawn, batch["tails"])
            rec, cost = rec + digits, cost + digits
        return Output(rec, cost, kl, mu, detailed * second.kl())
