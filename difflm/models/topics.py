"""Which words a document has, as the first content of the core z, and as a push to the words that are written.

A language model that writes well by itself takes long to notice a soft prompt: for thousands of steps the latent means
nothing. So z begins as the main axes of the documents' words (latent semantic analysis, Deerwester et al. 1990), which
the encoder goes on from, and beside what the injection does, z moves the logits of every token by what those axes say
of its words. Both maps are fitted once and stay; how much each dimension pushes is learned.

B records, T tokens, V vocabulary, Z latent size.
"""

from __future__ import annotations

import torch
from torch import nn

MOST_RECORDS, MOST_WORDS = 4_000, 8_192
"""Records and tokens that the axes are fitted on."""
SMOOTHING = 50.0
"""Tokens of the average document that each document is mixed with before its words are compared with the average."""
RIDGE = 10.0


class Topics(nn.Module):
    """Reads z off the tokens of a record, and turns z into logits."""

    def __init__(self, vocabulary: int, size: int) -> None:
        super().__init__()
        self.read = nn.Parameter(torch.zeros(vocabulary, size), requires_grad=False)
        self.centre = nn.Parameter(torch.zeros(size), requires_grad=False)
        self.push = nn.Parameter(torch.zeros(vocabulary, size), requires_grad=False)
        self.gain = nn.Parameter(torch.ones(size))

    def mu(self, ids: torch.Tensor, there: torch.Tensor) -> torch.Tensor:
        """What the words (B, T) say of z: (B, Z), of unit variance over the records that it was fitted to."""
        return torch.log1p(counts(ids, there, len(self.read))) @ self.read - self.centre

    def logits(self, z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """What z (B, Z) with noise of size sigma (B,) adds to the logits (B, V): for its expected clean value."""
        clean = z.float() / (1 + sigma.float()[:, None] ** 2)
        return (clean * self.gain) @ self.push.t()

    @torch.no_grad()
    def begin_with(self, ids: torch.Tensor, there: torch.Tensor) -> None:
        """Fit both maps to the tokens (n, T) of training records; the same records give the same maps."""
        if len(ids) > MOST_RECORDS:
            some = torch.linspace(0, len(ids) - 1, MOST_RECORDS).long()
            ids, there = ids[some], there[some]
        found = counts(ids, there, len(self.read))
        shared = (found > 0).sum(dim=0)
        words = shared.argsort(descending=True, stable=True)[:MOST_WORDS]
        words = words[shared[words] > 1]
        size = min(self.read.shape[1], len(words), len(found) - 1)
        if size < 1:
            return
        found = found[:, words]
        rarity = torch.log(len(found) / shared[words])
        features = torch.log1p(found) * rarity
        middle = features.mean(dim=0)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            axes = torch.svd_lowrank(features - middle, q=size, niter=4)[2]
        z = (features - middle) @ axes
        spread = z.std(dim=0, correction=0).clamp(min=1e-6)
        z, axes = z / spread, axes / spread
        total = found.sum(dim=1, keepdim=True)
        average = (found.sum(dim=0) + 0.5) / (found.sum() + 0.5 * len(words))
        ratio = torch.log((found + SMOOTHING * average) / (total + SMOOTHING)) - torch.log(average)
        fitted = torch.linalg.solve(z.t() @ z + RIDGE * torch.eye(size), z.t() @ (ratio - ratio.mean(dim=0)))
        self.read.zero_()
        self.push.zero_()
        self.read[words, :size] = (rarity[:, None] * axes).to(self.read)
        self.push[words, :size] = fitted.t().to(self.push)
        self.centre[:size] = (middle @ axes).to(self.centre)


def counts(ids: torch.Tensor, there: torch.Tensor, vocabulary: int) -> torch.Tensor:
    """How often each token occurs in each record: (B, V) float32 of ids (B, T) that are `there`."""
    found = torch.zeros(len(ids), vocabulary, device=ids.device)
    return found.scatter_add_(1, ids.long(), there.float())
