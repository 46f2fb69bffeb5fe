"""How z enters the decoder (DESIGN section 1.3; the paper compares the four ways).

B rows, Z latent size, P soft tokens, D decoder width, L layers, H key-value heads, M slots of memory, d width of a
head. Every injector is told the noise level sigma of z, so that one model decodes clean latents sharply and noisy ones
as a draw among what fits.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import final

import torch
import torch.nn.functional as F
from torch import nn

from difflm.errors import ConfigError
from difflm.models.decoder import Decoder
from difflm.models.injected import STD, Injected, MemoryShape
from difflm.sections import InjectionConfig


class Injector(nn.Module, ABC):
    """A linear map plus a small MLP of z and sigma; subclasses say what its numbers are. `size` is Z."""

    def __init__(self, size: int, outputs: int, hidden: int) -> None:
        super().__init__()
        self.size = size
        self.linear = nn.Linear(size + 1, outputs)
        self.up = nn.Linear(size + 1, hidden)
        self.down = nn.Linear(hidden, outputs)
        nn.init.normal_(self.linear.weight, std=STD / size**0.5)

    @classmethod
    @abstractmethod
    def of(cls, settings: InjectionConfig, size: int, decoder: Decoder) -> Injector:
        """An injector of latents of this size into `decoder`."""

    @abstractmethod
    def forward(self, z: torch.Tensor, sigma: torch.Tensor) -> Injected:
        """What enters for z (B, Z) = z_0 + sigma * eps, with sigma (B,)."""

    def numbers(self, z: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """(B, outputs); z is scaled to unit variance for any sigma, as c_in of EDM does with sigma_data = 1."""
        level = torch.log1p(sigma)[:, None]
        x = torch.cat([z / torch.sqrt(1 + sigma[:, None] ** 2), level], dim=1)
        made: torch.Tensor = self.linear(x) + self.down(F.silu(self.up(x)))
        return made


@final
class SoftPrompt(Injector):
    """P embeddings before BOS, the paper's best injection."""

    def __init__(self, size: int, tokens: int, width: int, hidden: int) -> None:
        super().__init__(size, tokens * width, hidden)
        self.tokens, self.width = tokens, width

    @classmethod
    def of(cls, settings: InjectionConfig, size: int, decoder: Decoder) -> SoftPrompt:
        return cls(size, settings.count, decoder.width, settings.hidden)

    def forward(self, z: torch.Tensor, sigma: torch.Tensor) -> Injected:
        """prompt (B, P, D)"""
        return Injected(self.numbers(z, sigma).view(len(z), self.tokens, self.width))


@final
class PrefixSoftPrompt(Injector):
    """P learned embeddings that are the same for all rows and begin as an instruction, then P made from z."""

    def __init__(self, size: int, prefix: torch.Tensor, hidden: int) -> None:
        """`prefix` (P, D) is what the learned embeddings begin as."""
        super().__init__(size, prefix.numel(), hidden)
        self.prefix = nn.Parameter(prefix)

    @classmethod
    def of(cls, settings: InjectionConfig, size: int, decoder: Decoder) -> PrefixSoftPrompt:
        return cls(size, decoder.instruction(settings.prefix or "", settings.count), settings.hidden)

    def forward(self, z: torch.Tensor, sigma: torch.Tensor) -> Injected:
        """prompt (B, 2 P, D)"""
        own = self.numbers(z, sigma).view(len(z), *self.prefix.shape)
        return Injected(torch.cat([self.prefix.to(own.dtype).expand_as(own), own], dim=1))


@final
class KVMemory(Injector):
    """Keys and values of M slots for every layer and head, each by rows of its own in the maps."""

    def __init__(self, size: int, shape: MemoryShape, slots: int, width: int, hidden: int) -> None:
        view = torch.Size([shape.layers, 2, shape.heads, slots, shape.size])
        super().__init__(size, view.numel(), hidden)
        self.view, self.width = view, width

    @classmethod
    def of(cls, settings: InjectionConfig, size: int, decoder: Decoder) -> KVMemory:
        return cls(size, decoder.memory_shape(), settings.count, decoder.width, settings.hidden)

    def forward(self, z: torch.Tensor, sigma: torch.Tensor) -> Injected:
        """memory (B, L, 2, H, M, d)"""
        memory = self.numbers(z, sigma).view(len(z), *self.view)
        return Injected(memory.new_empty(len(z), 0, self.width), memory)


@final
class InputEmbed(Injector):
    """One vector that is added to the embedding of every token, the paper's weakest injection."""

    @classmethod
    def of(cls, settings: InjectionConfig, size: int, decoder: Decoder) -> InputEmbed:
        return cls(size, decoder.width, settings.hidden)

    def forward(self, z: torch.Tensor, sigma: torch.Tensor) -> Injected:
        """shift (B, D)"""
        shift = self.numbers(z, sigma)
        return Injected(shift.new_empty(len(z), 0, shift.shape[1]), shift=shift)


INJECTORS: dict[str, type[Injector]] = {
    "soft_prompt": SoftPrompt,
    "prefix_soft_prompt": PrefixSoftPrompt,
    "kv_memory": KVMemory,
    "input_embed": InputEmbed,
}


def make_injector(settings: InjectionConfig, size: int, decoder: Decoder) -> Injector:
    """The injector that `settings` name, for latents of `size` dimensions; ConfigError for an unknown name."""
    if settings.kind not in INJECTORS:
        raise ConfigError(f"an injection out of {', '.join(INJECTORS)}", repr(settings.kind))
    return INJECTORS[settings.kind].of(settings, size, decoder)
