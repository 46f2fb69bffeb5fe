"""How z enters the decoder: soft-prompt embeddings before BOS (DESIGN section 1.3).

B rows, Z latent size, P soft tokens, D decoder width. The injector is told the noise level sigma of z,
so that one model decodes clean latents sharply and noisy ones as a draw among what fits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
import torch.nn.functional as F
from torch import nn

from difflm.errors import ConfigError


class Injector(nn.Module, ABC):
    """Maps z to what the decoder reads; `size` is Z."""

    size: int

    @abstractmethod
    def forward(self, z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, P, D) of z (B, Z) = z_0 + sigma * eps, with sigma (B,)."""


@final
class SoftPrompt(Injector):
    """Linear map plus a small MLP to P embeddings, the paper's best injection."""

    def __init__(self, size: int, tokens: int, width: int, hidden: int) -> None:
        super().__init__()
        self.size, self.tokens, self.width = size, tokens, width
        self.linear = nn.Linear(size + 1, tokens * width)
        self.up = nn.Linear(size + 1, hidden)
        self.down = nn.Linear(hidden, tokens * width)
        nn.init.normal_(self.linear.weight, std=0.3 / size**0.5)

    def forward(self, z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """z is scaled to unit variance for any sigma, as c_in of EDM does with sigma_data = 1."""
        level = torch.log1p(sigma)[:, None]
        x = torch.cat([z / torch.sqrt(1 + sigma[:, None] ** 2), level], dim=1)
        y = self.linear(x) + self.down(F.silu(self.up(x)))
        return y.view(len(z), self.tokens, self.width)


INJECTORS: dict[str, type[Injector]] = {"soft_prompt": SoftPrompt}


def make_injector(kind: str, size: int, tokens: int, width: int, hidden: int) -> Injector:
    """The injector named `kind`."""
    if kind not in INJECTORS:
        raise ConfigError(f"an injection out of {', '.join(INJECTORS)}", repr(kind))
    return INJECTORS[kind](size, tokens, width, hidden)
