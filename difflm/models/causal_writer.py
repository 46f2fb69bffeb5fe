"""Batched decoding of a causal LM with a KV cache, where rows move at their own pace.

A row takes the token it chose and those the grammar forces after it. One may be forced ten while its neighbours choose
one: a step is then as wide as costs least, and what is left of the ten waits. Where a row ends, the next begins in its
slot. R rows, B slots, L tokens of one step, D embedding width, V vocabulary.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import islice

import torch

from difflm.formats.text_grammar import Matchers
from difflm.models.compact import choose
from difflm.models.injected import Injected
from difflm.models.lm_steps import LMSteps

STEP_COST = 64
"""What a step costs beside its tokens, in tokens."""
CLOSING_TOKENS = 96
"""Tokens before the longest length from which a row takes what leads to its end."""
REFILLED_SHARE = 0.25
"""Share of the slots that are free before the next rows begin in them: together, since what begins takes many tokens in
steps in which the others take one."""
KEPT_SHARE = 0.75
"""Share of the slots that still go on below which the others leave the cache."""


class CausalWriter:
    """What the rows in B slots have read so far; `logits` (B, V) are of the next token of each that read something."""

    def __init__(
        self,
        steps: LMSteps,
        opening: Injected,
        added: torch.Tensor | None = None,
        to_logits: Callable[[torch.Tensor], torch.Tensor] | None = None,
        slots: int | None = None,
    ) -> None:
        """What is injected into R rows, in the LM's own scale: `opening.prompt` (R, O, D) are all embeddings before the
        record; they are read with the first tokens. The first `slots` of the rows begin, by default all.

        `added` (R, T, D) is told by details of each token and becomes logits by `to_logits`; a record may run on after
        the last of them."""
        self.steps, self.opening, self.added, self.to_logits = steps, opening, added, to_logits
        self.opened, device = opening.prompt.shape[1], opening.prompt.device
        self.rows = torch.arange(min(slots or len(opening), len(opening)), device=device)
        self.taken = torch.zeros(len(self.rows), dtype=torch.long, device=device)
        steps.begin(None if opening.memory is None else opening.memory[: len(self.rows)])
        self.push = None if opening.push is None else opening.push[self.rows]
        self.logits = torch.empty(0)
        self.begun = False

    def read(self, chunks: Sequence[Sequence[int]]) -> None:
        """Take the next tokens of every slot, some or none."""
        if not self.begun:
            chunks, self.begun = [[*self.before(), *chunk] for chunk in chunks], True
        device = self.taken.device
        lengths = torch.tensor([len(chunk) for chunk in chunks], device=device)
        longest = max(map(len, chunks), default=0)
        if not longest:
            return
        width = self.steps.width(longest)
        # Padding is before the tokens, so that the last column predicts for every row; in the cache it is after them,
        # where the next tokens overwrite it.
        ids = torch.tensor([[*[0] * (width - len(chunk)), *chunk] for chunk in chunks], device=device)
        columns = torch.arange(width, device=device)
        steps = columns - (width - lengths)[:, None]
        positions = self.taken[:, None] + torch.where(steps < 0, lengths[:, None] + columns, steps)
        used = int((self.taken + lengths).max())
        # Padding stands at the place of the first token: further places might be more than the LM has.
        own = self.taken[:, None] + steps.clamp(min=0)
        logits = self.steps(self._inputs(ids, positions), positions, own, used)
        self.taken = self.taken + lengths
        self.logits = logits.float() + self._told()
        if self.push is not None:
            self.logits = self.logits + self.push

    def before(self) -> list[int]:
        """Stands for what is injected before the first token of a row."""
        return [0] * self.opened

    def _inputs(self, ids: torch.Tensor, positions: torch.Tensor) -> torch.Tensor:
        """Embeddings (B, L, D): the opening, then tokens."""
        x: torch.Tensor = self.steps.lm.get_input_embeddings()(ids)
        if self.opening.shift is not None:
            x = x + self.opening.shift[self.rows, None]
        if int(positions.min()) >= self.opened:
            return x
        opening = self.opening.prompt[self.rows[:, None], positions.clamp(max=self.opened - 1)]
        return torch.where((positions < self.opened)[:, :, None], opening, x)

    def _told(self) -> torch.Tensor | float:
        """Logits (B, V) that the details of the next tokens add; nothing beyond the last of them."""
        if self.added is None or self.to_logits is None or not self.added.shape[1]:
            return 0.0
        at = self.taken - self.opened
        inside = (at >= 0) & (at < self.added.shape[1])
        return self.to_logits(self.added[self.rows, torch.where(inside, at, 0)] * inside[:, None])

    def keep(self, places: Sequence[int]) -> None:
        """Go on with some of the slots only."""
        index = torch.tensor(places, device=self.taken.device)
        self.taken, self.rows, self.logits = self.taken[index], self.rows[index], self.logits[index]
        self.push = None if self.push is None else self.push[index]
        self.steps.cache.keep(index)

    def restart(self, places: Sequence[int], rows: Sequence[int]) -> None:
        """Other rows begin in some of the slots."""
        at, index = (torch.tensor(numbers, device=self.taken.device) for numbers in (places, rows))
        self.taken[at], self.rows[at] = 0, index
        if self.push is not None and self.opening.push is not None:
            self.push[at] = self.opening.push[index]
        if self.opening.memory is not None:
            self.steps.cache.remember(at, self.opening.memory[index])

    def run(
        self, matchers: Matchers, max_tokens: int, temperature: float, generator: torch.Generator
    ) -> None:
        """Write until every row is done or too long; `matchers` hold what was written. A slot whose row ends takes the
        next one that waits."""

        def going(row: int) -> bool:
            return not matchers.done[row] and len(matchers.written[row]) < max_tokens

        closing = max_tokens - min(CLOSING_TOKENS, max_tokens // 4)
        live, queue = self.rows.tolist(), iter(range(len(self.rows), len(self.opening)))
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
                    allowed[place] = matchers.going_on(row, allowed[place])
                    if matchers.late(row, closing):
                        allowed[place] = matchers.ending(row, allowed[place])
                logits = self.logits[ready].masked_fill(~allowed, -torch.inf)
                tokens = _chosen(matchers, rows, logits, temperature, generator)
                for place, chunk in zip(ready, matchers.advance(rows, tokens), strict=True):
                    waiting[place] = chunk if going(live[place]) else []
            free = [place for place, row in enumerate(live) if not going(row)]
            if len(free) >= REFILLED_SHARE * len(live) and (rows := list(islice(queue, len(free)))):
                self.restart(free[: len(rows)], rows)
                for place, row, forced in zip(free, rows, matchers.forced(rows), strict=False):
                    live[place], waiting[place] = row, [*self.before(), *forced]
            on = [place for place, row in enumerate(live) if going(row)]
            if not on:
                return
            if not self.steps.fixed and len(on) <= KEPT_SHARE * len(live):
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
