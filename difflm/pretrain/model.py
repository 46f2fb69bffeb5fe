"""The base model: `transformers`' Llama with tied embeddings, and its loss over packed windows.

B windows of T + 1 tokens, D width, V vocabulary.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from transformers import LlamaConfig, LlamaForCausalLM

from difflm.precision import mixed
from difflm.pretrain.loss import IGNORED, TiedLoss, scored
from difflm.pretrain.sizes import Size


class Special(NamedTuple):
    """Ids of the special tokens."""

    bos: int
    eos: int
    pad: int


class BaseModel(nn.Module):
    """What is trained of a Llama, under the names by which the optimisers tell matrices of blocks from the rest.

    The Llama itself is no submodule: its parts are, each once."""

    def __init__(self, llama: LlamaForCausalLM, special: Special) -> None:
        super().__init__()
        self._held = (llama,)
        body = llama.model
        self.table, self.blocks, self.norm, self.rotary = (
            body.embed_tokens,
            body.layers,
            body.norm,
            body.rotary_emb,
        )
        self.special = special
        self.compiled = False

    @property
    def llama(self) -> LlamaForCausalLM:
        """The model as `transformers` knows it."""
        return self._held[0]

    def compile_body(self) -> None:
        """Make kernels for the layers in training; a copy of the model has to be compiled for itself."""
        self.llama.model.compile(dynamic=False)
        self.compiled = True

    def forward(self, ids: torch.Tensor, noise: torch.Tensor | None = None) -> torch.Tensor:
        """Mean nats of the tokens to predict in windows (B, T + 1). `noise` (B, T, D) comes upon the tokens that a
        copy is told by, in units of the embeddings' own spread: a soft prompt is no token either."""
        hidden, targets = self._hidden(ids, noise)
        count = (targets != IGNORED).sum().clamp(min=1)
        total: torch.Tensor = TiedLoss.apply(hidden, self.table.weight, targets)
        return total / count

    def score(self, ids: torch.Tensor) -> tuple[float, int, int]:
        """Nats, tokens predicted right, and tokens of windows (B, T + 1)."""
        with torch.no_grad(), mixed(ids.device):
            hidden, targets = self._hidden(ids, None)
            return scored(hidden, self.table.weight, targets)

    def _hidden(self, ids: torch.Tensor, noise: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor]:
        """Last states (B * T, D) and targets (B * T,)."""
        told_by = before_bos(ids, self.special)
        x = self.table(ids[:, :-1])
        if noise is not None:
            x = x + noise * told_by[:, :-1, None] * self.table.weight.detach().std()
        # Evaluations have shapes of their own, for which nothing is compiled.
        body = self.llama.model if torch.is_grad_enabled() else self.llama.model.forward
        hidden = body(inputs_embeds=x, use_cache=False).last_hidden_state
        skipped = told_by | (ids == self.special.bos) | (ids == self.special.pad)
        targets = ids.masked_fill(skipped, IGNORED)[:, 1:]
        return hidden.flatten(0, 1), targets.flatten()


def before_bos(ids: torch.Tensor, special: Special) -> torch.Tensor:
    """Which tokens (B, T) a copy is told by: those whose next special token is bos. Every other document ends with
    eos, or fills the rest of its window."""
    ends = (ids == special.bos) | (ids == special.eos)
    places = torch.arange(ids.shape[1], device=ids.device).expand_as(ids)
    following = places.masked_fill(~ends, ids.shape[1] - 1).flip(1).cummin(dim=1).values.flip(1)
    return (ids.gather(1, following) == special.bos) & ~ends & (ids != special.pad)


def make_llama(size: Size, special: Special, seed: int, device: torch.device) -> LlamaForCausalLM:
    """A Llama of this size with fresh weights drawn by seed, on the CPU; attention in the form that is fastest on
    `device`: plain products on a CPU, where the fused kernel is slower at this length."""
    config = LlamaConfig(
        vocab_size=size.vocabulary,
        hidden_size=size.width,
        intermediate_size=size.hidden,
        num_hidden_layers=size.layers,
        num_attention_heads=size.heads,
        num_key_value_heads=size.key_heads,
        max_position_embeddings=size.longest,
        tie_word_embeddings=True,
        bos_token_id=special.bos,
        eos_token_id=special.eos,
        pad_token_id=special.pad,
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        llama = LlamaForCausalLM(config)
    llama.set_attn_implementation("eager" if device.type == "cpu" else "sdpa")
    return llama
