"""Batched decoding of a causal LM with a KV cache, where rows move at their own pace.

B rows, L tokens of one step, D embedding width, V vocabulary. A step takes for each row the token it
chose and those the grammar forces after it, padded at the end; padding stays masked in the cache.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel

from difflm.formats.text_grammar import Matchers
from difflm.models.compact import choose


class CausalWriter:
    """What B rows have read so far; `logits` (B, V) are of the next token of each."""

    def __init__(self, lm: PreTrainedModel, opening: torch.Tensor, added: torch.Tensor | None = None) -> None:
        """`opening` (B, any, D) are the embeddings before the record; they are read with the first tokens.

        `added` (B, T, D) goes to the input that predicts each token; a record may run on after the last of them."""
        self.lm, self.added = lm, added
        self.taken = torch.zeros(len(opening), dtype=torch.long, device=opening.device)
        self.opening: torch.Tensor | None = opening
        self.cache: Any = None
        self.mask = torch.zeros(len(opening), 0, dtype=torch.bool, device=opening.device)
        self.logits = torch.empty(0)

    def read(self, chunks: Sequence[Sequence[int]]) -> None:
        """Take the next tokens of every row, some or none."""
        device = self.mask.device
        lengths = torch.tensor([len(chunk) for chunk in chunks], device=device)
        width = int(lengths.max())
        padded = [[*chunk, *[0] * (width - len(chunk))] for chunk in chunks]
        ids = torch.tensor(padded, dtype=torch.long, device=device).view(len(padded), width)
        x = self.lm.get_input_embeddings()(ids)
        if self.added is not None:
            x = x + self._details(torch.arange(1, width + 1, device=device) + self.taken[:, None])
        self.taken = self.taken + lengths
        if self.opening is not None:
            if self.added is not None:
                first = self._details(torch.zeros(len(x), 1, dtype=torch.long, device=device))
                self.opening = torch.cat([self.opening[:, :-1], self.opening[:, -1:] + first], dim=1)
            x = torch.cat([self.opening, x], dim=1)
            lengths = lengths + self.opening.shape[1]
            self.opening = None
        new = torch.arange(x.shape[1], device=device)[None] < lengths[:, None]
        places = self.mask.sum(dim=1, keepdim=True) + torch.arange(x.shape[1], device=device)
        places = torch.where(new, places, 0)
        self.mask = torch.cat([self.mask, new], dim=1)
        last_only: dict[str, Any] = {"logits_to_keep": 1} if bool(new.all()) else {}
        out = self.lm(
            inputs_embeds=x,
            attention_mask=self.mask.long(),
            position_ids=places,
            past_key_values=self.cache,
            use_cache=True,
            **last_only,
        )
        self.cache = out.past_key_values
        at = (lengths - 1).clamp(min=0) if out.logits.shape[1] == x.shape[1] else torch.zeros_like(lengths)
        self.logits = out.logits[torch.arange(len(x), device=device), at]

    def _details(self, at: torch.Tensor) -> torch.Tensor:
        """Details (B, n, D) for the tokens at `at` (B, n), nothing beyond the last."""
        assert self.added is not None
        if not self.added.shape[1]:
            return self.added.new_zeros(*at.shape, self.added.shape[2])
        inside = at < self.added.shape[1]
        index = torch.where(inside, at, 0)[:, :, None].expand(-1, -1, self.added.shape[2])
        return self.added.gather(1, index) * inside[:, :, None]

    def keep(self, places: Sequence[int]) -> None:
        """Go on with some of the rows only."""
        index = torch.tensor(places, device=self.mask.device)
        self.taken = self.taken[index]
        self.added = None if self.added is None else self.added[index]
        self.cache.batch_select_indices(index)
        self.mask, self.logits = self.mask[index], self.logits[index]

    def run(
        self, matchers: Matchers, max_tokens: int, temperature: float, generator: torch.Generator
    ) -> None:
        """Write until every row is done or too long; `matchers` hold what was written."""
        live = list(range(len(self.mask)))
        self.read(matchers.forced(live))
        while live:
            allowed = matchers.allowed(live, self.mask.device)
            logits = self.logits.float().masked_fill(~allowed, -torch.inf)
            tokens = choose(logits, temperature, generator).tolist()
            chunks = matchers.advance(live, tokens)
            going = [
                place
                for place, row in enumerate(live)
                if not matchers.done[row] and len(matchers.written[row]) < max_tokens
            ]
            if not going:
                break
            if len(going) <= len(live) // 2:
                self.keep(going)
                chunks = [chunks[place] for place in going]
                live = [live[place] for place in going]
            self.read(chunks)
