"""Encoder, injector and decoder as one beta-VAE (DiffLM eq. 1-4).

B rows, Z latent size. rec and kl are sums over the record, in nats.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn

from difflm.latent.posterior import kl_per_dimension, reparameterise
from difflm.models.decoder import Batch, Decoder, Encoder
from difflm.models.injectors import Injector


class Output(NamedTuple):
    """rec (B,), kl (B, Z), mu (B, Z)."""

    rec: torch.Tensor
    kl: torch.Tensor
    mu: torch.Tensor


class LatentLM(nn.Module):
    """A language model with a latent: record -> z -> soft prompt -> record."""

    def __init__(self, encoder: Encoder, injector: Injector, decoder: Decoder) -> None:
        super().__init__()
        self.encoder, self.injector, self.decoder = encoder, injector, decoder

    def encode(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """mu, logvar (B, Z)."""
        mu_logvar: tuple[torch.Tensor, torch.Tensor] = self.encoder(batch)
        return mu_logvar

    def prompt(self, z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Soft prompt (B, P, D) of z (B, Z) at noise level sigma (B,)."""
        prompt: torch.Tensor = self.injector(z, sigma)
        return prompt

    def forward(
        self,
        batch: Batch,
        eps: torch.Tensor,
        sigma: torch.Tensor,
        null: torch.Tensor | None = None,
        word_dropout: torch.Tensor | None = None,
    ) -> Output:
        """eps (2, B, Z) standard normal draws for posterior and noise; null (B,) marks rows without a latent."""
        mu, logvar = self.encode(batch)
        z = reparameterise(mu, logvar, eps[0])
        prompt = self.prompt(z + sigma[:, None] * eps[1], sigma)
        if null is not None:
            prompt = torch.where(
                null[:, None, None], self.decoder.null_prompts(len(mu)).to(prompt.dtype), prompt
            )
        return Output(self.decoder.row_nll(prompt, batch, word_dropout), kl_per_dimension(mu, logvar), mu)
