"""The grammar of fitted tokens while a batch is being written, as masks on the device.

Known categories, numbers inside the training range and in the column's form, missing only where the
column has missing: all by construction. n rows are written in step; column conditions narrow the masks.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch

from difflm.formats.codec import MAX_TEXT_TOKENS, FittedCodec
from difflm.formats.numbers import RADIX


class FittedGrammar:
    """Masks for n rows; call `allowed` and `advance` in turns until `finished`.

    `only` maps a column to the value tokens (counted from the slot's start) that it may take.
    """

    def __init__(
        self, codec: FittedCodec, n: int, device: torch.device, only: Mapping[str, list[int]] | None = None
    ) -> None:
        self.codec, self.device = codec, device
        self.position = 0
        self.remaining = torch.zeros(n, dtype=torch.long, device=device)
        self.slot = torch.full((n,), codec.fixed, device=device)
        self.used = torch.zeros(n, dtype=torch.long, device=device)
        self.done = torch.zeros(n, dtype=torch.bool, device=device)
        self._values: list[torch.Tensor] = []
        self._spans: list[torch.Tensor | None] = []
        for column in codec.discrete:
            code = codec.codes[column.name]
            mask = torch.ones(1 + code.bins, dtype=torch.bool)
            mask[0] = column.missing
            if only and column.name in only:
                wanted = torch.zeros_like(mask)
                wanted[only[column.name]] = True
                mask &= wanted
            self._values.append(mask.to(device))
            spans = torch.from_numpy(code.span) if code.digits else None
            self._spans.append(None if spans is None else torch.cat([spans.new_ones(1), spans]).to(device))

    @property
    def finished(self) -> bool:
        """Whether every row is complete."""
        if self.position < self.codec.fixed:
            return False
        return not self.codec.textual or bool(self.done.all())

    @property
    def common_slot(self) -> int | None:
        """The slot that all rows are at, None where they differ."""
        return self.position if self.position < self.codec.fixed else None

    def allowed(self) -> torch.Tensor:
        """Allowed tokens: (n or 1, slot size) at a common slot, else (n, V)."""
        codec = self.codec
        if self.position >= codec.fixed:
            return self._text_mask()
        slot = codec.slots[self.position]
        if slot.digit == -1:
            return self._values[slot.column][None]
        assert slot.digit is not None
        power = RADIX ** (codec.codes[codec.discrete[slot.column].name].digits - 1 - slot.digit)
        return torch.arange(slot.size, device=self.device)[None] <= (self.remaining // power)[:, None]

    def advance(self, tokens: torch.Tensor) -> None:
        """Take the chosen tokens (n,): counted from the slot's start at a common slot, else token ids."""
        codec = self.codec
        if self.position >= codec.fixed:
            self._advance_text(tokens)
        else:
            slot = codec.slots[self.position]
            spans = self._spans[slot.column]
            if slot.digit == -1 and spans is not None:
                self.remaining = spans[tokens] - 1
            elif slot.digit is not None and slot.digit >= 0:
                power = RADIX ** (codec.codes[codec.discrete[slot.column].name].digits - 1 - slot.digit)
                tight = tokens == self.remaining // power
                self.remaining = torch.where(tight, self.remaining % power, power - 1)
        self.position += 1

    def _text_mask(self) -> torch.Tensor:
        """(n, V) for rows inside their text columns; finished rows may only repeat the last END."""
        ids = torch.arange(self.codec.vocabulary, device=self.device)[None]
        lows = torch.tensor([s.lo for s in self.codec.slots], device=self.device)
        highs = torch.tensor([s.hi for s in self.codec.slots], device=self.device)
        missing = torch.tensor([c.missing for c in self.codec.textual], device=self.device)
        lo, hi = lows[self.slot][:, None], highs[self.slot][:, None]
        first, full = (self.used == 0)[:, None], (self.used >= MAX_TEXT_TOKENS)[:, None]
        may_miss = missing[self.slot - self.codec.fixed][:, None]
        inside = (ids > lo + 2) & (ids < hi) & ~full
        end = (ids == lo + 1) & ~first
        return torch.where(self.done[:, None], ids == lo + 1, inside | end | ((ids == lo) & first & may_miss))

    def _advance_text(self, tokens: torch.Tensor) -> None:
        lows = torch.tensor([s.lo for s in self.codec.slots], device=self.device)[self.slot]
        closed = tokens == lows + 1
        self.used = torch.where(closed, 0, torch.where(tokens == lows, MAX_TEXT_TOKENS, self.used + 1))
        last = len(self.codec.slots) - 1
        self.done |= closed & (self.slot == last)
        self.slot = torch.where(closed, (self.slot + 1).clamp(max=last), self.slot)
