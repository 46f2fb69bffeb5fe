"""The grammar of a record format over the tokens of any fast Hugging Face tokenizer, by llguidance.

Texts are tokenised by llguidance too, so that what a model is trained on and what the grammar accepts
are the same bytes: special tokens inside a cell stay plain text, and no tokenizer adds a space.
n rows, V entries of the language model's vocabulary.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping, Sequence
from typing import Any

import llguidance.hf
import numpy as np
import torch
from llguidance import LLExecutor, LLMatcher
from llguidance.numpy import allocate_token_bitmask, fill_next_token_bitmask_par
from numpy.typing import NDArray
from transformers import PreTrainedTokenizerBase, PreTrainedTokenizerFast

from difflm.errors import ConfigError
from difflm.formats.base import RecordFormat

LINE_END = "\n"
"""Ends the record where the tokenizer has no end-of-sequence token."""

CLOSING = b"}]"
"""Bytes that end something and begin nothing."""
TOKEN_BYTES = 2
"""Of a token, at least, on average, in a document that owes something."""
NO_END = "<|no end token|>"


class TextGrammar:
    """Tokens of records, and matchers that say which token may come next."""

    def __init__(
        self, form: RecordFormat, tokenizer: PreTrainedTokenizerBase, vocabulary: int, end: int | None = None
    ) -> None:
        """`vocabulary` is V, `end` the end-of-sequence token (by default the tokenizer's own)."""
        if not isinstance(tokenizer, PreTrainedTokenizerFast):
            raise ConfigError("a fast tokenizer (tokenizer.json)", type(tokenizer).__name__)
        self.form, self.vocabulary = form, vocabulary
        self.end = tokenizer.eos_token_id if end is None else end
        stop = self.end
        if stop is None:
            # llguidance would take token 0 for the end: it gets one that is never reached.
            tokenizer = copy.deepcopy(tokenizer)
            tokenizer.add_special_tokens({"eos_token": NO_END})
            stop = tokenizer.eos_token_id
        size = max(vocabulary, len(tokenizer))
        self.tokens = llguidance.hf.from_tokenizer(tokenizer, n_vocab=size, eos_token=stop)
        names = [
            name
            for token, name in tokenizer.added_tokens_decoder.items()
            if self.tokens.is_special_token(token)
        ]
        heads = (f"(?<={re.escape(str(name)[0])})(?={re.escape(str(name)[1:])})" for name in names)
        self._special = re.compile("|".join(heads) or "(?!)")
        self._executor = LLExecutor()
        self._pieces: list[bytes] = []
        self._by_piece: dict[bytes, list[int]] = {}
        self._by_byte: dict[bytes, list[int]] = {}
        self._beginning: dict[bytes, torch.Tensor] = {}
        self._compiled: tuple[str, LLMatcher] | None = None

    def encode(self, text: str) -> list[int]:
        """Token ids of a record, closed by the end token or a line end."""
        closed = text if self.end is not None else text + LINE_END
        ids = [token for piece in self._special.split(closed) for token in self.tokens.tokenize_str(piece)]
        if self.tokens.decode_bytes(ids) != closed.encode():
            raise ConfigError(
                "a tokenizer that keeps text as it is",
                f"one that changes {len(text)} characters of a record",
                "take a causal LM with a byte-level or byte-fallback tokenizer",
            )
        return ids if self.end is None else [*ids, self.end]

    def decode(self, ids: Sequence[int]) -> str:
        """The record of token ids; raises UnicodeDecodeError where they are no text."""
        body = list(ids[:-1]) if self.end is not None and len(ids) and ids[-1] == self.end else list(ids)
        text = self.tokens.decode_bytes(body).decode("utf-8")
        return text if self.end is not None else text.removesuffix(LINE_END)

    @property
    def pieces(self) -> list[bytes]:
        """The bytes of each entry (V) of the vocabulary."""
        if not self._pieces:
            self._pieces = [self.tokens.decode_bytes([token]) for token in range(self.vocabulary)]
        return self._pieces

    def beginning(self, first: bytes) -> torch.Tensor:
        """Which entries (V) of the vocabulary begin with one of these bytes, and open nothing after it."""
        if first not in self._beginning:
            flags = [
                bool(piece) and piece[0] in first and not piece[1:].strip(CLOSING) for piece in self.pieces
            ]
            self._beginning[first] = torch.tensor(flags)
        return self._beginning[first]

    def leading(self, text: bytes) -> list[int]:
        """Entries of the vocabulary that are a beginning of `text`, or begin with all of it."""
        if not self._by_piece:
            for token, piece in enumerate(self.pieces):
                self._by_piece.setdefault(piece, []).append(token)
                self._by_byte.setdefault(piece[:1], []).append(token)
        found = [token for end in range(1, len(text) + 1) for token in self._by_piece.get(text[:end], [])]
        longer = (token for token in self._by_byte.get(text[:1], []) if len(self.pieces[token]) > len(text))
        return found + [token for token in longer if self.pieces[token].startswith(text)]

    def source(self, only: Mapping[str, Sequence[Any]] | None = None) -> str:
        """Lark source of a closed record."""
        start = "start: row" if self.end is not None else r"start: row /\n/"
        return f"{start}\n{self.form.grammar(only)}\n"

    def start(self, n: int, only: Mapping[str, Sequence[Any]] | None = None) -> Matchers:
        """Matchers of n rows at the start of the record."""
        source = self.source(only)
        if self._compiled is None or self._compiled[0] != source:
            matcher = LLMatcher(self.tokens, LLMatcher.grammar_from_lark(source))
            if matcher.is_error():
                raise ConfigError("a table whose grammar compiles", matcher.get_error()[:300])
            self._compiled = (source, matcher)
        prototype = self._compiled[1]
        return Matchers(self, [prototype.deep_copy() for _ in range(n)], self._executor)


class Matchers:
    """Where n rows are in the grammar. Call `forced`, then `allowed` and `advance` in turns until `done`."""

    def __init__(self, grammar: TextGrammar, matchers: list[LLMatcher], executor: LLExecutor) -> None:
        self.grammar, self.matchers, self._executor = grammar, matchers, executor
        self.written: list[list[int]] = [[] for _ in matchers]
        self.done = np.zeros(len(matchers), dtype=bool)
        width = max(grammar.vocabulary, grammar.tokens.vocab_size)
        self._bits = allocate_token_bitmask(len(matchers), width)
        self._watches = [grammar.form.watch() for _ in matchers]

    def forced(self, rows: Sequence[int]) -> list[list[int]]:
        """Tokens of `rows` that have no alternative from here on; they count as written."""
        found = []
        for row in rows:
            tokens = [] if self.done[row] else self.matchers[row].compute_ff_tokens()
            if tokens:
                self._take(row, tokens)
            found.append(tokens)
        return found

    def fill(self, rows: Sequence[int]) -> NDArray[np.int32]:
        """(len(rows), words) bits of what may come next; rows that are done may take anything."""
        bits = self._bits[: len(rows)]
        bits.fill(-1)
        open_ = [(self.matchers[row], place) for place, row in enumerate(rows) if not self.done[row]]
        if open_:
            fill_next_token_bitmask_par(self._executor, open_, bits)
        return bits

    def allowed(self, rows: Sequence[int], device: torch.device) -> torch.Tensor:
        """(len(rows), V) bool: `fill`, unpacked on `device`."""
        bits = self.fill(rows).view(np.uint8)
        if device.type == "cpu":
            flags = torch.from_numpy(np.unpackbits(bits, axis=1, bitorder="little").view(np.bool_))
            return flags[:, : self.grammar.vocabulary]
        packed = torch.from_numpy(bits).to(device)
        weights = torch.tensor([1, 2, 4, 8, 16, 32, 64, 128], dtype=torch.uint8, device=device)
        flags = (packed[:, :, None] & weights).ne(0).flatten(1)
        return flags[:, : self.grammar.vocabulary]

    def advance(self, rows: Sequence[int], tokens: Sequence[int]) -> list[list[int]]:
        """Take one token for each of `rows`; gives it and the forced ones after it, [] if done before."""
        open_ = [not self.done[row] for row in rows]
        for row, token, live in zip(rows, tokens, open_, strict=True):
            if live:
                self._take(row, [token])
        after = self.forced(rows)
        return [[t, *more] if live else [] for t, more, live in zip(tokens, after, open_, strict=True)]

    def refuses(self, row: int, token: int) -> bool:
        """Whether a token that the grammar allows must not come next."""
        watch = self._watches[row]
        if watch is None:
            return False
        return not (watch.whole if token == self.grammar.end else watch.accepts(self.grammar.pieces[token]))

    def going_on(self, row: int, allowed: torch.Tensor) -> torch.Tensor:
        """Of the entries (V) that are allowed next those that go on with what has to come; all where anything may."""
        watch = self._watches[row]
        wanted = None if watch is None else watch.continuations
        if wanted is None:
            return allowed
        narrowed = torch.zeros_like(allowed)
        narrowed[[token for text in wanted for token in self.grammar.leading(text)]] = True
        narrowed &= allowed
        return narrowed if narrowed.any() else allowed

    def late(self, row: int, closing: int) -> bool:
        """Whether the row is about to become longer than any may be, or has `closing` tokens with those it owes."""
        watch = self._watches[row]
        owed = 0 if watch is None else watch.debt // TOKEN_BYTES
        return len(self.written[row]) + owed >= closing or (watch is not None and watch.late)

    def ending(self, row: int, allowed: torch.Tensor) -> torch.Tensor:
        """Of the entries (V) that are allowed next those that lead to the end of the row soonest."""
        watch, end = self._watches[row], self.grammar.end
        if watch is not None and end is not None and allowed[end] and watch.whole:
            only = torch.zeros_like(allowed)
            only[end] = True
            return only
        for first in () if watch is None else watch.endings:
            narrowed = allowed & self.grammar.beginning(first).to(allowed.device)
            if narrowed.any():
                return narrowed
        return allowed

    def problem(self, row: int) -> str | None:
        """Why a row could not be written to its end; None where it was, or still is being."""
        return "the grammar failed" if self.matchers[row].is_error() else None

    def _take(self, row: int, tokens: list[int]) -> None:
        matcher = self.matchers[row]
        matcher.consume_tokens(tokens)
        self.written[row] += tokens
        if (watch := self._watches[row]) is not None:
            for token in tokens:
                watch.feed(self.grammar.pieces[token])
        self.done[row] = matcher.is_stopped()
