"""The compact decoder over fitted tokens (DESIGN section 4.3).

B rows, T positions, P soft tokens, D width, S slots of the codec, V tokens, L layers, H heads, M slots of memory,
K head size.
The decoder's input at a position is the token before it plus the slot that is to be written next.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import torch
import torch.nn.functional as F
from torch import nn

from difflm.formats.codec import PAD, FittedCodec
from difflm.formats.grammar import FittedGrammar
from difflm.latent.draws import even_choice
from difflm.models.compact_writer import Writer
from difflm.models.decoder import Batch, Decoder, Given, Written
from difflm.models.injected import STD, Injected, MemoryShape
from difflm.models.phrases import Phrases
from difflm.models.tokens import OrderedRows, TokenTable, prepare_tokens
from difflm.models.transformer import Block, scale_residuals

KEY_STD = 3**-0.5
"""Of the keys and values of a block at initialisation: nn.Linear of normalised states."""

UNSEEN = 0.5
"""What is added to the count of each token (Krichevsky and Trofimov 1981)."""


class CompactDecoder(Decoder):
    """A causal LM over fitted tokens with P soft tokens before the row, or M slots of memory in its cache."""

    def __init__(
        self,
        codec: FittedCodec,
        width: int,
        layers: int,
        heads: int,
        soft_tokens: int,
        memory_slots: int = 0,
    ) -> None:
        super().__init__()
        self.codec = codec
        self.stress(None, 1.0)
        self.width, self.heads, self.layers = width, heads, layers
        self.cache_bytes = 2 * layers * (soft_tokens + memory_slots + codec.longest) * width * 4
        self.table = TokenTable(codec, width, codec.longest + 1)
        self.phrases = Phrases(codec, width) if len(codec.phrases) else None
        self.bos = nn.Parameter(torch.randn(width) * 0.3)
        self.add_null(soft_tokens, memory_slots)
        self.blocks = nn.ModuleList(Block(width, heads) for _ in range(layers))
        self.norm = nn.LayerNorm(width)
        self.head = OrderedRows(codec, width, 0.02)
        self.bias = nn.Parameter(torch.zeros(codec.vocabulary))
        scale_residuals(self.blocks)

    @torch.no_grad()
    def begin_with(self, ids: torch.Tensor) -> None:
        """Start as independent columns: tokens of a slot are as likely as they are among `ids` (n, T).

        No step is spent on learning that; of a wide table few steps are all there are."""
        counts = torch.full((self.codec.vocabulary,), UNSEEN)
        for column in ids.unbind(1):  # one at a time: of a million rows all would be as large as the table
            counts += torch.bincount(column[column != PAD].long(), minlength=len(counts)).to(counts.dtype)
        sizes = [slot.size for slot in self.codec.slots]
        self.bias.copy_(torch.cat([(part / part.sum()).log() for part in counts.split(sizes)]))

    def inputs(
        self,
        ids: torch.Tensor,
        slots: torch.Tensor,
        hidden: torch.Tensor | None = None,
        added: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Input embeddings (B, T, D) that predict `ids`: BOS and all but the last, plus what comes next.

        `hidden` (B, T) marks input tokens to blank (word dropout); `added` (B, T, D) is what the details say."""
        tokens = self.table.token(ids.clamp(min=0)[:, :-1])
        if hidden is not None:
            tokens = tokens * (~hidden[:, :-1, None])
        if self.phrases is not None:
            seen = None if hidden is None else hidden[:, :-1]
            tokens = tokens + self.phrases(ids.clamp(min=0)[:, :-1], seen)
        before = torch.cat([self.bos.expand(len(ids), 1, -1), tokens], dim=1)
        places = torch.arange(ids.shape[1], device=ids.device)
        x = before + self.table.slot(slots) + self.table.place(places)
        return x if added is None else x + added

    def prepare(self, rows: pd.DataFrame) -> Batch:
        """What `prepare_tokens` gives."""
        return prepare_tokens(self.codec, rows)

    @property
    def device(self) -> torch.device:
        """Of its weights."""
        return self.bos.device

    def memory_shape(self) -> MemoryShape:
        """L, H, K"""
        return MemoryShape(self.layers, self.heads, self.width // self.heads)

    def instruction(self, text: str, tokens: int) -> torch.Tensor:
        """Its tokens are cells of a table and spell no instruction: the prefix begins at random."""
        return torch.randn(tokens, self.width) * STD

    def remembered(self, memory: torch.Tensor | None) -> list[torch.Tensor | None]:
        """Keys and values (2, B, H, M, K) of each block, of a memory (B, L, 2, H, M, K)."""
        if memory is None:
            return [None] * self.layers
        return list((memory * (KEY_STD / STD)).permute(1, 2, 0, 3, 4, 5))

    def row_nll(
        self,
        injected: Injected,
        batch: Batch,
        word_dropout: torch.Tensor | None = None,
        added: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Nats (B,) of the rows."""
        return self.nlls(injected, batch, word_dropout, added)[0]

    def stress(self, column: str | None, weight: float) -> None:
        """In training the tokens of this column count `weight` times; there are none of a text or no column."""
        names = [self.codec.columns[slot.column].name for slot in self.codec.slots[: self.codec.fixed]]
        self.stressed, self.weight = [place for place, name in enumerate(names) if name == column], weight

    def nlls(
        self,
        injected: Injected,
        batch: Batch,
        word_dropout: torch.Tensor | None = None,
        added: torch.Tensor | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Nats (B,) of the rows, and the same with those of stressed tokens multiplied."""
        nll: torch.Tensor = self(injected, batch["ids"], batch["slots"], word_dropout, added)
        nats = nll.sum(dim=1)
        if not self.stressed:
            return nats, nats
        return nats, nats + (self.weight - 1) * nll[:, self.stressed].sum(dim=1)

    def forward(
        self,
        injected: Injected,
        ids: torch.Tensor,
        slots: torch.Tensor,
        hidden: torch.Tensor | None = None,
        added: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Negative log-likelihood (B, T) in nats of `ids` given what is injected; PAD costs 0."""
        return self.losses(self.states(injected, ids, slots, hidden, added), ids, slots)

    def states(
        self,
        injected: Injected,
        ids: torch.Tensor,
        slots: torch.Tensor,
        hidden: torch.Tensor | None = None,
        added: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """What predicts each of `ids`, (B, T, D)."""
        x = self.inputs(ids, slots, hidden, added)
        if injected.shift is not None:
            x = x + injected.shift[:, None]
        x = torch.cat([injected.prompt, x], dim=1)
        for block, memory in zip(self.blocks, self.remembered(injected.memory), strict=True):
            x = block(x, causal=True, memory=memory)
        normed: torch.Tensor = self.norm(x[:, injected.prompt.shape[1] :])
        return normed

    def losses(self, x: torch.Tensor, ids: torch.Tensor, slots: torch.Tensor) -> torch.Tensor:
        """Cross-entropy (B, T), each position against the tokens of its own slot only."""
        fixed, head = min(self.codec.fixed, ids.shape[1]), self.head.rows()
        # In parts at once: the gradient of a slice is as large as all of the head, so that of a table with many columns
        # would be made again for each of them.
        sizes = [slot.size for slot in self.codec.slots]
        heads, biases = head.split(sizes), self.bias.split(sizes)
        parts = []
        for position, state in enumerate(x[:, :fixed].unbind(1)):
            logits = F.linear(state, heads[position], biases[position]).float()
            at = ids[:, position].long() - self.codec.slots[position].lo
            parts.append(F.cross_entropy(logits, at, reduction="none"))
        nll = torch.stack(parts, dim=1) if parts else x.new_zeros(len(ids), 0)
        if ids.shape[1] > fixed:
            nll = torch.cat(
                [nll, self._text_losses(x[:, fixed:], ids[:, fixed:], slots[:, fixed:], head)], dim=1
            )
        return nll

    def slot_logits(self, x: torch.Tensor, slot: int, head: torch.Tensor) -> torch.Tensor:
        """Logits (..., slot size) of hidden states (..., D) at one slot, by the rows `head` (V, D)."""
        at = self.codec.slots[slot].tokens
        return F.linear(x, head[at], self.bias[at])

    def _text_losses(
        self, x: torch.Tensor, ids: torch.Tensor, slots: torch.Tensor, head: torch.Tensor
    ) -> torch.Tensor:
        nll = torch.zeros(ids.shape, device=x.device)
        for offset in range(len(self.codec.textual)):
            number = self.codec.fixed + offset
            where = (slots == number) & (ids != PAD)
            logits = self.slot_logits(x[where], number, head).float()
            losses = F.cross_entropy(
                logits, ids[where].long() - self.codec.slots[number].lo, reduction="none"
            )
            nll = nll.masked_scatter(where, losses)
        return nll

    def write(
        self,
        injected: Injected,
        temperature: float,
        generator: torch.Generator,
        only: Mapping[str, Any] | None = None,
        given: Given | None = None,
    ) -> Written:
        """One row for each of `injected`; valid by construction. `given` are the details of these rows."""
        grammar = FittedGrammar(self.codec, len(injected), injected.prompt.device, only)
        writer = Writer(self, injected, None if given is None else given.inputs)
        written: list[torch.Tensor] = []
        head = self.head.rows()
        while not grammar.finished:
            slot = grammar.common_slot
            logits = (
                F.linear(writer.hidden, head, self.bias)
                if slot is None
                else self.slot_logits(writer.hidden, slot, head)
            )
            if injected.push is not None:
                at = slice(None) if slot is None else self.codec.slots[slot].tokens
                logits = logits + injected.push[:, at]
            logits = logits.float().masked_fill(~grammar.allowed(), -torch.inf)
            choice = choose(logits, temperature, generator)
            grammar.advance(choice)
            ids = choice if slot is None else choice + self.codec.slots[slot].lo
            written.append(ids)
            if not grammar.finished:
                writer.write(ids, grammar.slot if grammar.common_slot is None else grammar.common_slot)
        seed = int(torch.randint(2**31, (1,), generator=generator, device=generator.device))
        rng = None if temperature == 0 else np.random.default_rng(seed)
        tails = None if given is None else given.tails.cpu().numpy()
        rows = self.codec.decode(torch.stack(written, dim=1).cpu().numpy(), rng, tails)
        return Written(rows, list(range(len(rows))))


def choose(logits: torch.Tensor, temperature: float, generator: torch.Generator) -> torch.Tensor:
    """One token (B,) from logits (B, V): the likeliest at temperature 0, else drawn, evenly over the rows."""
    if temperature == 0:
        return logits.argmax(dim=-1)
    return even_choice(torch.softmax(logits / temperature, dim=-1), generator)
