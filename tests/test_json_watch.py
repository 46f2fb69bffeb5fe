"""Keys that come twice are seen at the byte that closes them, in any cut of the text."""

from __future__ import annotations

import json
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from difflm.formats.documents import TextFormat
from difflm.formats.json_watch import JsonWatch
from difflm.formats.text_grammar import TextGrammar
from difflm.models.pretrained import load_tokenizer

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


def fed(text: str, cuts: list[int]) -> bool:
    """Whether every piece was accepted, and taking it agreed."""
    data, watch = text.encode(), JsonWatch(10_000)
    bounds = [0, *sorted({cut % (len(data) + 1) for cut in cuts}), len(data)]
    for start, end in pairwise(bounds):
        accepted = watch.accepts(data[start:end])
        assert watch.feed(data[start:end]) == accepted
        if not accepted:
            return False
    return True


@given(VALUES, st.lists(st.integers(0, 500), max_size=6), st.booleans())
def test_every_document_without_repeated_keys_is_accepted(
    value: object, cuts: list[int], ascii: bool
) -> None:
    assert fed(json.dumps(value, ensure_ascii=ascii), cuts)


@given(st.text(max_size=4), VALUES, st.lists(st.integers(0, 500), max_size=6))
def test_a_key_that_comes_twice_is_not(key: str, value: object, cuts: list[int]) -> None:
    name, inner = json.dumps(key), json.dumps(value)
    assert not fed(f'[{{"other": 1, {name}: {inner}, {name}: 2}}]', cuts)
    assert fed(f'[{{{name}: {inner}}}, {{{name}: "{key.encode().hex()}"}}]', cuts)


def test_what_ends_a_record_soonest() -> None:
    watch = JsonWatch(10_000)
    assert watch.endings == (b"}]", b'"')
    watch.feed(b'{"a": "text')
    assert watch.endings == (b'"',)
    watch.feed(b'", "b": [')
    assert watch.endings[0] == b"}]"


def test_a_key_ends_early_where_it_is_a_new_one() -> None:
    watch = JsonWatch(300)
    watch.feed(b'{"name": 1, "na')
    assert watch.endings == (b'"',)
    watch.feed(b"me")
    assert watch.endings == ()
    watch.feed(b"s")
    assert watch.endings == (b'"',)


def test_an_ending_opens_nothing() -> None:
    tokenizer = load_tokenizer("base-tiny")
    grammar = TextGrammar(TextFormat(9), tokenizer, len(tokenizer))
    pieces = [
        piece for piece, fits in zip(grammar.pieces, grammar.beginning(b"}]").tolist(), strict=True) if fits
    ]
    assert b"}" in pieces and b"]" in pieces and not [piece for piece in pieces if piece.strip(b"}]")]
    begun = [piece for piece in grammar.pieces if piece[:1] == b"}"]
    assert len(begun) > sum(piece[:1] == b"}" for piece in pieces)


def test_a_long_document_is_late() -> None:
    watch = JsonWatch(300)
    watch.feed(b'{"a": "' + b"x" * 250)
    assert watch.late and not JsonWatch(300).late
