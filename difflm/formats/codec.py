"""Tokens fitted to a data set: what the compact decoder reads and writes, and their grammar.

A row is a fixed run of positions for its discrete columns (value token, then digits), followed by the
byte-pair tokens of its text columns, each closed by END. Every position belongs to a slot with a
contiguous range of token ids of its own, so a mask is two comparisons and a softmax is one slice.

Shapes: n rows, T positions, V tokens; PAD is -1 and only ever stands at the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers

from difflm.formats.numbers import RADIX, IntegerCode
from difflm.formats.phrases import LENGTH as PHRASE
from difflm.formats.phrases import frequent
from difflm.schema import Column, Kind, Schema

PAD = -1
TEXT_VOCABULARY = 1024
MAX_TEXT_TOKENS = 96
UNKNOWN = "\ufffd"
TEXT_ROWS = 50_000
"""Rows whose text is tokenized at once."""
DISCRETE = (Kind.integer, Kind.real, Kind.category, Kind.boolean, Kind.datetime)


@dataclass(frozen=True)
class Slot:
    """One kind of position: the token ids lo..hi of `column`; digit -1 is the value token, None is text."""

    column: int
    lo: int
    hi: int
    digit: int | None

    @property
    def size(self) -> int:
        """How many tokens it has."""
        return self.hi - self.lo

    @property
    def tokens(self) -> slice:
        """Which of all they are."""
        return slice(self.lo, self.hi)


class FittedCodec:
    """Typed rows <-> token ids, with the limits that the grammar sets on each position.

    `codes` are in the order in which a row is written. In a value slot, token `lo` means missing (or, when
    encoding, a category never seen). In a text slot the first tokens are missing, END and UNKNOWN, a character
    never seen.
    """

    def __init__(
        self,
        schema: Schema,
        codes: dict[str, IntegerCode],
        texts: dict[str, Tokenizer],
        phrases: np.ndarray | None = None,
    ) -> None:
        self.schema, self.codes, self.texts = schema, codes, texts
        named = {c.name: c for c in schema.columns}
        self.discrete = [named[name] for name in codes]
        self.textual = [c for c in schema.columns if c.name in texts]
        self.columns = [*self.discrete, *self.textual]
        self.slots: list[Slot] = []
        size = 0
        for index, column in enumerate(self.discrete):
            code = codes[column.name]
            for digit, width in [(-1, 1 + code.bins)] + [(d, RADIX) for d in range(code.digits)]:
                self.slots.append(Slot(index, size, size + width, digit))
                size += width
        for index, column in enumerate(self.textual, start=len(self.discrete)):
            width = 2 + texts[column.name].get_vocab_size()
            self.slots.append(Slot(index, size, size + width, None))
            size += width
        self.vocabulary = size
        self.phrases = np.zeros((0, PHRASE), np.int64) if phrases is None else phrases
        self.fixed = len(self.slots) - len(self.textual)
        self.longest = self.fixed + len(self.textual) * (MAX_TEXT_TOKENS + 1)
        self.tail_slots = [c.name for c in self.discrete for _ in range(codes[c.name].tail_digits)]
        self._index = {c.name: {v: i for i, v in enumerate(c.categories or [])} for c in self.discrete}

    @classmethod
    def fit(cls, schema: Schema, rows: pd.DataFrame, bins: int = 200, phrases: int = 10_000) -> FittedCodec:
        """Tokens for canonical training `rows`, and at most so many phrases of the discrete columns.

        The target is written after all other discrete columns: what it is given them is what a model that learns
        from the rows is after, and is best learned as that."""
        codes: dict[str, IntegerCode] = {}
        texts: dict[str, Tokenizer] = {}
        for column in sorted(schema.columns, key=lambda c: c.name == schema.target):
            if column.kind in DISCRETE:
                k, known = _integers(
                    column, rows[column.name], {v: i for i, v in enumerate(column.categories or [])}
                )
                codes[column.name] = IntegerCode.fit(k[known] if known.any() else np.zeros(1, np.int64), bins)
            elif column.kind is Kind.text:
                texts[column.name] = _fit_text(rows[column.name])
        codec = cls(schema, codes, texts)
        if phrases:
            codec.phrases = frequent(codec.encode_discrete(rows), codec.vocabulary, phrases)
        return codec

    def encode(self, rows: pd.DataFrame) -> np.ndarray:
        """Token ids (n, T) int32 of canonical rows, PAD at the end of short rows."""
        fixed = self.encode_discrete(rows)
        if not self.textual:
            return fixed
        parts = [self._tail(rows.iloc[at : at + TEXT_ROWS]) for at in range(0, len(rows), TEXT_ROWS)]
        ids = np.full((len(rows), self.fixed + max((p.shape[1] for p in parts), default=0)), PAD, np.int32)
        ids[:, : self.fixed] = fixed
        for number, part in enumerate(parts):
            at = number * TEXT_ROWS
            ids[at : at + len(part), self.fixed : self.fixed + part.shape[1]] = part
        return ids

    def encode_discrete(self, rows: pd.DataFrame) -> np.ndarray:
        """Token ids (n, fixed) int32 of the columns that are not text."""
        fixed = np.empty((len(rows), self.fixed), np.int32)
        first = 0
        for column in self.discrete:
            k, known = _integers(column, rows[column.name], self._index[column.name])
            tokens = self.codes[column.name].encode(k)
            tokens[:, 0] = np.where(known, tokens[:, 0] + 1, 0)
            tokens[~known, 1:] = 0
            lows = np.array([self.slots[first + i].lo for i in range(tokens.shape[1])])
            fixed[:, first : first + len(lows)] = tokens + lows
            first += len(lows)
        return fixed

    def _tail(self, rows: pd.DataFrame) -> np.ndarray:
        """Token ids (n, longest of them) of the text columns."""
        lines: list[list[int]] = [[] for _ in range(len(rows))]
        for offset, column in enumerate(self.textual):
            slot, tokenizer = self.slots[self.fixed + offset], self.texts[column.name]
            values = rows[column.name].tolist()
            encoded = tokenizer.encode_batch(
                ["" if _absent(v) else str(v) for v in values], add_special_tokens=False
            )
            for line, value, item in zip(lines, values, encoded, strict=True):
                line.extend(
                    [slot.lo] if _absent(value) else [slot.lo + 2 + i for i in item.ids[:MAX_TEXT_TOKENS]]
                )
                line.append(slot.lo + 1)
        tail = np.full((len(rows), max(map(len, lines), default=0)), PAD, np.int32)
        for row, line in enumerate(lines):
            tail[row, : len(line)] = line
        return tail

    def tails(self, rows: pd.DataFrame) -> np.ndarray:
        """Digits (n, tail slots) int32 of what lies below the reach of the tokens; 0 for missing cells."""
        parts = [np.zeros((len(rows), 0), np.int64)]
        for column in self.discrete:
            code = self.codes[column.name]
            if code.tail_digits:
                k, known = _integers(column, rows[column.name], self._index[column.name])
                parts.append(code.encode_tail(np.where(known, k, code.edges[0])))
        return np.concatenate(parts, axis=1).astype(np.int32)

    def decode(
        self, ids: np.ndarray, rng: np.random.Generator | None = None, tails: np.ndarray | None = None
    ) -> pd.DataFrame:
        """Canonical rows of token ids (n, T); what lies below the tokens' reach is given by `tails`
        (n, tail slots) or drawn by `rng`."""
        places = dict.fromkeys(self.tail_slots, 0)
        for place, name in reversed(list(enumerate(self.tail_slots))):
            places[name] = place
        ids = np.asarray(ids, dtype=np.int64)
        made: dict[str, Any] = {}
        for column in self.discrete:
            code, first = self.codes[column.name], self._first(column)
            lows = np.array([self.slots[first + i].lo for i in range(1 + code.digits)])
            tokens = ids[:, first : first + 1 + code.digits] - lows
            missing = tokens[:, 0] == 0
            tokens[:, 0] = np.maximum(tokens[:, 0] - 1, 0)
            own = None
            if tails is not None and code.tail_digits:
                own = tails[:, places[column.name] : places[column.name] + code.tail_digits]
            made[column.name] = _cells(column, code.decode(tokens, rng, own), missing)
        for offset, column in enumerate(self.textual):
            slot, tokenizer = self.slots[self.fixed + offset], self.texts[column.name]
            inside = (ids >= slot.lo) & (ids < slot.hi)
            cells = [row[keep] - slot.lo for row, keep in zip(ids, inside, strict=True)]
            texts = tokenizer.decode_batch(
                [(c[c >= 2] - 2).tolist() for c in cells], skip_special_tokens=False
            )
            made[column.name] = pd.Series(
                [None if len(c) and c[0] == 0 else t for c, t in zip(cells, texts, strict=True)], dtype=object
            )
        return pd.DataFrame({c.name: made[c.name] for c in self.schema.columns if c.name in made})

    def slots_of(self, ids: np.ndarray) -> np.ndarray:
        """The slot (n, T) that each position of `ids` belongs to; PAD positions get the last slot."""
        line = np.minimum(np.arange(ids.shape[1]), len(self.slots) - 1).astype(np.int32)
        if not self.textual:
            # All rows are one row in memory.
            return np.lib.stride_tricks.as_strided(line, ids.shape, (0, line.itemsize))
        slots = np.tile(line, (len(ids), 1))
        if ids.shape[1] > self.fixed:
            ends = np.array([self.slots[self.fixed + i].lo + 1 for i in range(len(self.textual))])
            closed = np.isin(ids[:, self.fixed :], ends)
            passed: np.ndarray = np.cumsum(closed, axis=1, dtype=np.int32) - closed
            slots[:, self.fixed :] = np.minimum(self.fixed + passed, len(self.slots) - 1)
        return slots

    def _first(self, column: Column) -> int:
        position = 0
        for other in self.discrete:
            if other is column:
                return position
            position += 1 + self.codes[other.name].digits
        raise KeyError(column.name)

    def to_dict(self) -> dict[str, Any]:
        """JSON form; the schema is stored beside it."""
        return {
            "codes": {name: code.to_dict() for name, code in self.codes.items()},
            "texts": {name: tokenizer.to_str() for name, tokenizer in self.texts.items()},
            "phrases": self.phrases.tolist(),
        }

    @classmethod
    def from_dict(cls, schema: Schema, data: dict[str, Any]) -> FittedCodec:
        """The codec of `to_dict`."""
        codes = {name: IntegerCode.from_dict(code) for name, code in data["codes"].items()}
        phrases = np.array(data.get("phrases", []), np.int64).reshape(-1, PHRASE)  # older runs have none
        texts = {name: Tokenizer.from_str(text) for name, text in data["texts"].items()}
        return cls(schema, codes, texts, phrases)


def _absent(value: Any) -> bool:
    return value is None or value is pd.NA or (isinstance(value, float) and value != value)


def _integers(column: Column, cells: pd.Series, index: dict[str, int]) -> tuple[np.ndarray, np.ndarray]:
    """Integers (n,) of canonical cells and whether each is known (n,)."""
    if column.kind in (Kind.category, Kind.boolean):
        codes, uniques = pd.factorize(cells)
        found = np.array([*(index.get(value, -1) for value in uniques), -1], dtype=np.int64)[codes]
        return np.maximum(found, 0), found >= 0
    known = cells.notna().to_numpy()
    if column.kind is Kind.real:
        scaled = np.round(cells.to_numpy(dtype=np.float64, na_value=np.nan) * 10.0 ** _exponent(column))
        return np.where(known, np.nan_to_num(scaled), 0).astype(np.int64), known
    return cells.fillna(0).to_numpy(dtype=np.int64), known


def _exponent(column: Column) -> int:
    """Decimals that fit an exact float integer: fewer than the column has where its range is huge."""
    largest = max(abs(float(column.minimum or 0)), abs(float(column.maximum or 0)), 1e-300)
    return int(min(column.decimals, 15 - np.ceil(np.log10(largest))))


def _cells(column: Column, k: np.ndarray, missing: np.ndarray) -> pd.Series:
    """Canonical cells of integers (n,)."""
    if column.kind in (Kind.category, Kind.boolean):
        known = np.array([*(column.categories or []), None], dtype=object)
        return pd.Series(
            known[np.where(missing, len(known) - 1, np.minimum(k, len(known) - 1))], dtype=object
        )
    if column.kind is Kind.real:
        exponent = _exponent(column)
        values = np.round(k / 10.0**exponent, max(exponent, 0))
        # A code of fewer places than the column has may round past its ends.
        if column.minimum is not None and column.maximum is not None:
            values = np.clip(values, column.minimum, column.maximum)
        return pd.Series(np.where(missing, np.nan, values))
    return pd.Series(pd.array(k, dtype="Int64")).mask(missing)


def _fit_text(cells: pd.Series) -> Tokenizer:
    """Byte-pair encoding of one column over its own characters; a character never seen becomes UNKNOWN."""
    tokenizer = Tokenizer(models.BPE(unk_token=UNKNOWN))
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"\s?\S+|\s"), "isolated")
    tokenizer.decoder = decoders.Fuse()
    trainer = trainers.BpeTrainer(vocab_size=TEXT_VOCABULARY, special_tokens=[UNKNOWN], show_progress=False)
    lines: Sequence[str] = [str(v) for v in cells.tolist() if not _absent(v)]
    tokenizer.train_from_iterator(lines, trainer)
    return tokenizer
