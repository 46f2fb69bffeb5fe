"""The second level of the latent: what the core z leaves open of one record (a hierarchical VAE, Sonderby 2016).

The core is small, has a prior, and is what is mapped, interpolated and generated from. It cannot hold the last digit
of every number, and should not: no prior could learn that. So each position of the row has a few dimensions of its
own. With them a record comes back exactly; without them, as in generation, the decoder draws what they would have
said. Digits that carry nothing (IntegerCode's tails) are no tokens of the decoder: they pass through here alone.

B rows, T positions, H tail slots, d dimensions of a position, D decoder width, W encoder width.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import nn

from difflm.formats.numbers import RADIX
from difflm.models.decoder import Given

CODE_LOGVAR, CODE_STRENGTH, CODE_STD = -4.0, 2.0, 0.3
"""How sure a code of tokens is of itself at first, and its size as a row of the head."""


class DetailLatent(NamedTuple):
    """mu, logvar (B, T + H, d) in float32; positions after the end of a row carry nothing."""

    mu: torch.Tensor
    logvar: torch.Tensor

    def draw(self, eps: torch.Tensor) -> torch.Tensor:
        """z (B, T + H, d) from standard normal draws of that shape."""
        return self.mu + torch.exp(self.logvar / 2) * eps

    def kl(self) -> torch.Tensor:
        """Nats (B,) against N(0, I)."""
        return 0.5 * (self.mu**2 + self.logvar.exp() - 1 - self.logvar).sum(dim=(1, 2))


class Details(nn.Module):
    """Reads the details off the encoder's last states, and hands them to the decoder's inputs."""

    def __init__(self, size: int, tail_slots: int, encoder_width: int, decoder_width: int) -> None:
        super().__init__()
        self.size, self.tail_slots = size, tail_slots
        self.norm = nn.LayerNorm(encoder_width)
        self.read = nn.Linear(encoder_width, 2 * size)
        self.enter = nn.Linear(size, decoder_width)
        nn.init.normal_(self.enter.weight, std=0.5)
        nn.init.constant_(self.read.bias[size:], -2.0)
        code, logvar = circles(size)
        self.digit_mu = nn.Parameter(code.repeat(tail_slots, 1, 1))
        self.digit_logvar = nn.Parameter(logvar.repeat(tail_slots, 1))
        # Where codes are equally long, the posterior of a digit given z is a softmax of z mu / variance.
        self.digit_head = nn.Parameter((code / logvar.exp()).repeat(tail_slots, 1, 1))
        self.digit_bias = nn.Parameter(torch.zeros(tail_slots, RADIX))

    @torch.no_grad()
    def begin_with(self, states: torch.Tensor, rows: torch.Tensor) -> None:
        """Start as a code of tokens: read off what an encoder's states (V, W) of single tokens differ in most, and hand
        on what of the rows (V, D) of a language model's head these few numbers tell.

        Thousands of tokens would take as many steps to find a code by themselves."""
        normal = self.norm(states)
        centre = normal.mean(dim=0)
        axes = torch.linalg.svd(normal - centre, full_matrices=False).Vh[: self.size]
        spread = ((normal - centre) @ axes.t()).std(dim=0).clamp(min=1e-6)
        weight = axes / spread[:, None]
        # A narrow encoder has fewer axes than there are details; the others start as they were made.
        self.read.weight[: len(axes)] = weight
        self.read.bias[: len(axes)] = -(weight @ centre)
        self.read.weight[self.size :] = 0.0
        self.read.bias[self.size :] = CODE_LOGVAR
        code = self.read(normal)[:, : self.size]
        rows = rows.float()
        centred = (rows - rows.mean(dim=0)) / rows.std() * CODE_STD
        self.enter.weight.copy_(CODE_STRENGTH * torch.linalg.lstsq(code, centred).solution.t())
        self.enter.bias.zero_()

    def encode(self, states: torch.Tensor, there: torch.Tensor, tails: torch.Tensor | None) -> DetailLatent:
        """Posterior of the encoder's states (B, T, W) where `there` (B, T) is a token, and of tail digits (B, H)."""
        mu, logvar = self.read(self.norm(states)).float().chunk(2, dim=-1)
        inside = there[:, :, None]
        mu, logvar = mu * inside, logvar.clamp(-12, 4) * inside
        if tails is not None and self.tail_slots:
            slots = torch.arange(self.tail_slots, device=there.device)
            mu = torch.cat([mu, self.digit_mu[slots, tails.long()]], dim=1)
            logvar = torch.cat([logvar, self.digit_logvar.clamp(-12, 4).expand(len(there), -1, -1)], dim=1)
        return DetailLatent(mu, logvar)

    def inputs(self, z: torch.Tensor) -> torch.Tensor:
        """What is added (B, T, D) for details z (B, T + H, d): to the inputs of the compact decoder, behind a causal
        LM to what its head reads."""
        entered: torch.Tensor = self.enter(z[:, : z.shape[1] - self.tail_slots])
        return entered

    def given(self, z: torch.Tensor) -> Given:
        """The likeliest tail digits beside the decoder's inputs for details z (B, T + H, d)."""
        return Given(self.inputs(z), self.digit_logits(z).argmax(dim=-1))

    def digit_logits(self, z: torch.Tensor) -> torch.Tensor:
        """(B, H, RADIX) for details z (B, T + H, d)."""
        own = z[:, z.shape[1] - self.tail_slots :]
        return torch.einsum("bhd,hrd->bhr", own.float(), self.digit_head) + self.digit_bias

    def digit_nll(self, z: torch.Tensor, tails: torch.Tensor) -> torch.Tensor:
        """Nats (B,) of tail digits (B, H) given z."""
        logits = self.digit_logits(z)
        return (
            F.cross_entropy(logits.flatten(0, 1), tails.long().flatten(), reduction="none")
            .view_as(tails)
            .sum(1)
        )


def circles(size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """A first code of two-digit numbers: mu (RADIX, d), tens and ones as angles on a circle each, and logvar (d,).

    A hundred classes that each turn up in few rows would take thousands of steps to spread out by themselves."""
    k = torch.arange(RADIX)
    angles = 2 * math.pi / 10 * torch.stack([k // 10, k % 10])
    mu, logvar = torch.zeros(RADIX, size), torch.zeros(size)
    mu[:, 0:4:2], mu[:, 1:4:2] = angles.cos().t(), angles.sin().t()
    logvar[:4] = -4.5
    return mu, logvar
