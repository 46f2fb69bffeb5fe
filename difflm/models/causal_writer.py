"""Batched decoding of a causal LM with a KV cache, where rows move at their own pace.

A row takes the token it chose and those the grammar forces after it. One may be forced ten while its neighbours choose
one: a step is then as wide as costs least, and what is left of the ten waits. B rows, L tokens of one step, D embedding
width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from transformers import PreTrainedModel

from difflm.formats.text_grammar import Matchers
from difflm.models.attention_masks import AttentionMasks
from difflm.models.compact import choose
from difflm.models.injected import Injected
from difflm.models.paced_cache import PacedCache

STEP_COST = 64
"""What a step costs beside its tokens, in tokens."""
CLOSING_TOKENS = 96
"""Tokens before the longest length from which a row takes what leads to its end."""
KEPT_SHARE = 0.75
"""Share of the rows that still go on below which the others leave the cache."""


class CausalWriter:
    """What B rows have read so far; `logits` (B, V) are of the next token of each that read something."""

    def __init__(
        self,
        lm: PreTrainedModel,
        opening: Injected,
        masks: AttentionMasks,
        added: torch.Tensor | None = None,
        to_logits: Callable[[torch.Tensor], torch.Tensor] | None = None,
    ) -> None:
        """What is injected, in the LM's own scale: `opening.prompt` (B, O, D) are all embeddings before the record;
        they are read with the first tokens.

        `added` (B, T, D) is told by details of each token and becomes logits by `to_logits`; a record may run on after
        the last of them."""
        self.lm, self.masks, self.opening, self.shift = lm, masks, opening.prompt, opening.shift
        self.opened, self.push = self.opening.shape[1], opening.push
        self.added, self.to_logits = added, to_logits
        self.taken = torch.zeros(len(opening), dtype=torch.long, device=self.opening.device)
        self.cache = PacedCache(opening.memory)
        self.logits = torch.empty(0)
        self.begun = False

    def read(self, chunks: Sequence[Sequence[int]]) -> None:
        """Take the next tokens of every row, some or none."""
        if not self.begun:
            chunks, self.begun = [[*[0] * self.opened, *chunk] for chunk in chunks], True
        device = self.taken.device
        lengths = torch.tensor([len(chunk) for chunk in chunks], device=device)
        width = max(map(len, chunks), default=0)
        if not width:
            return
        ids = torch.tensor([[*chunk, *[0] * (width - len(chunk))] for chunk in chunks], device=device)
        steps = torch.arange(width, device=device)
        positions, places = self.taken[:, None] + steps, self.cache.places
        places.put(positions)
        x = self._inputs(ids, positions)
        shortest = min(len(chunk) for chunk in chunks if chunk)
        out = self.lm(
            inputs_embeds=x,
            attention_mask=self.masks(places.at, places.used, places.first, x.dtype),
            # Padding stands at the place of the last token: further places might be more than the LM has.
            position_ids=self.taken[:, None] + torch.minimum(steps, (lengths[:, None] - 1).clamp(min=0)),
            past_key_values=self.cache,
            use_cache=True,
            logits_to_keep=width - shortest + 1,
        )
        self.taken = self.taken + lengths
        last = (lengths - 1 - width + out.logits.shape[1]).clamp(min=0)
        self.logits = out.logits[torch.arange(len(x), device=device), last].float() + self._told()
        if self.push is not None:
            self.logits = self.logits + self.push

    def _inputs(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, L, D): the opening, then tokens."""
        x: torch.Tensor = self.lm.get_input_embeddings()(ids)
        if self.shift is not None:
            x = x + self.shift[:, None]
        if int(positions.min()) >= self.opened:
            return x
        before = (positions < self.opened)[:, :, None]
        index = positions.clamp(max=self.opened - 1)[:, :, None].expand(-1, -1, x.shape[2])
        return torch.where(before, self.opening.gather(1, index), x)

    def _told(self) -> torch.Tensor | float:
        """Logits (B, V) that the details of the next tokens add; nothing beyond the last of them."""
        if self.added is None or self.to_logits is None or not self.added.shape[1]:
            return 0.0
        at = self.taken - self.opened
        inside = at < self.added.shape[1]
        rows = torch.arange(len(at), device=at.device)
        return self.to_logits(self.added[rows, torch.where(inside, at, 0)] * inside[:, None])

    def keep(self, places: Sequence[int]) -> None:
        """Go on with some of the rows only."""
        index = torch.tensor(places, device=self.taken.device)
        self.taken, self.opening, self.logits = self.taken[index], self.opening[index], self.logits[index]
        self.added = None if self.added is None else self.added[index]
        self.shift = None if self.shift is None else self.shift[index]
        self.push = None if self.push is None else self.push[index]
        self.cache.keep(index)

    def run(
        self, matchers: Matchers, max_tokens: int, temperature: float, generator: torch.Generator
    ) -> None:
        """Write until every row is done or too long; `matchers` hold what was written."""

        def going(row: int) -> bool:
            return not matchers.done[row] and len(matchers.written[row]) < max_tokens

        closing = max_tokens - min(CLOSING_TOKENS, max_tokens // 4)
        live = list(range(len(self.taken)))
        waiting = matchers.forced(live)
        while True:
            width = step_width([len(tokens) for tokens in waiting])
            self.read([tokens[:width] for tokens in waiting])
            waiting = [tokens[width:] for tokens in waiting]
            ready = [place for place, row in enumerate(live) if not waiting[place] and going(row)]
            if ready:
                rows = [live[place] for place in ready]
                allowed = matchers.allowed(rows, self.taken.device)
                for place, row in enumerate(rows):
                    if len(matchers.written[row]) >= closing or matchers.late(row):
                        allowed[place] = matchers.ending(row, allowed[place])
                logits = self.logits[ready].masked_fill(~allowed, -torch.inf)
                tokens = _chosen(matchers, rows, logits, temperature, generator)
                for place, chunk in zip(ready, matchers.advance(rows, tokens), strict=True):
                    waiting[place] = chunk if going(live[place]) else []
            on = [place for place, row in enumerate(live) if going(row)]
            if not on:
                return
            if len(on) <= KEPT_SHARE * len(live):
                self.keep(on)
                live, waiting = [live[place] for place in on], [waiting[place] for place in on]


def _chosen(
    matchers: Matchers,
    rows: Sequence[int],
    logits: torch.Tensor,
    temperature: float,
    generator: torch.Generator,
) -> list[int]:
    """A token for each of `rows` by `logits` (n, V); what is refused is drawn again, unless nothing else is left."""
    tokens: list[int] = choose(logits, temperature, generator).tolist()
    drawn = list(range(len(rows)))
    while refused := [place for place in drawn if matchers.refuses(rows[place], tokens[place])]:
        for place in refused:
            logits[place, tokens[place]] = -torch.inf
        drawn = [place for place in refused if logits[place].max() > -torch.inf]
        if not drawn:
            break
        for place, token in zip(drawn, choose(logits[drawn], temperature, generator).tolist(), strict=True):
            tokens[place] = token
    return tokens


def step_width(waiting: Sequence[int]) -> int:
    """How many tokens at most each row takes in one step, when so many wait: the width with the most a cost."""
    widths = sorted({n for n in waiting if n})
    taken = {width: sum(min(n, width) for n in waiting) for width in widths}
    return max(widths, key=lambda w: taken[w] / (len(waiting) * w + STEP_COST), default=0)
