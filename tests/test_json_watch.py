"""Keys that come twice are seen at the byte that closes them, in any cut of the text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from difflm.formats.documents import TextFormat
from difflm.formats.json_references import all_once, references_hold, references_of, unique_lists
from difflm.formats.json_watch import OWED_BYTES, JsonWatch
from difflm.formats.text_grammar import TextGrammar
from difflm.models.pretrained import load_tokenizer

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=12,
)


NAMES = st.lists(st.text(max_size=4), min_size=1, max_size=4, unique=True)
NAMED = {"required": "properties"}


def fed(
    text: str, cuts: list[int], references: dict[str, str] | None = None, unique: Sequence[str] = ()
) -> bool:
    """Whether every piece was accepted, and taking it agreed."""
    data, watch = text.encode(), JsonWatch(10_000, references, unique)
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


def tool(keys: list[str], named: list[str], names_first: bool, ascii: bool) -> str:
    """A definition whose `required` names some of its properties, one of which is an object like itself."""
    inner = {"type": "object", "properties": {"a": 1, "b": {}}, "required": ["b"]}
    parts = {"properties": dict.fromkeys(keys, inner), "required": named}
    parts = dict(reversed(parts.items())) if names_first else parts
    return json.dumps({"required": "no list", "parameters": {"type": "object", **parts}}, ensure_ascii=ascii)


@given(NAMES, st.integers(0, 4), st.lists(st.integers(0, 500), max_size=6), st.booleans(), st.booleans())
def test_lists_name_what_is_there(
    keys: list[str], count: int, cuts: list[int], first: bool, ascii: bool
) -> None:
    named = keys[:count]
    assert fed(tool(keys, named[::-1] if not first else named, first, ascii), cuts, NAMED)
    assert not fed(tool(keys, [*named, "".join(keys) + "x"], first, ascii), cuts, NAMED)
    assert not fed(tool(keys, [keys[0], keys[0]], first, ascii), cuts, NAMED)
    assert fed(tool(keys, [*named, "".join(keys) + "x"], first, ascii), cuts)


@given(st.lists(st.text(max_size=4), max_size=5), st.lists(st.integers(0, 500), max_size=6))
def test_some_lists_have_nothing_twice(strings: list[str], cuts: list[int]) -> None:
    text = json.dumps({"tags": {"enum": strings}, "others": strings})
    assert fed(text, cuts, unique=["enum"]) == (len(set(strings)) == len(strings))
    assert fed(text, cuts, unique=["tags"])


def test_what_has_to_come_is_told() -> None:
    watch = JsonWatch(10_000, NAMED)
    watch.feed(b'{"properties": {"user": 1, "url": 2}, "required": [')
    assert watch.continuations is None
    watch.feed(b'"u')
    assert sorted(watch.continuations or ()) == [b'rl"', b'ser"'] and watch.endings == ()
    assert watch.accepts(b"ser") and not watch.accepts(b"id") and not watch.accepts(b'"')
    watch.feed(b'ser", "url')
    assert watch.continuations == [b'"'] and watch.endings == (b'"',)
    assert watch.accepts(b'"]') and not watch.accepts(b'", ')
    other = JsonWatch(10_000, NAMED)
    other.feed(b'{"required": ["id", "of"], "properties": {"x": 1, "')
    assert other.continuations is None
    other.feed(b'y": 2')
    assert not other.accepts(b"}")
    other.feed(b', "')
    assert sorted(other.continuations or ()) == [b'id"', b'of"'], "no more others than were named"
    other.feed(b'id": 1, "of": 3')
    assert other.accepts(b"}")
    other.feed(b', "')
    assert other.continuations is None, "and more than these"


def test_what_was_named_is_written_before_the_end() -> None:
    watch = JsonWatch(300, NAMED)
    watch.feed(b'{"required": ["id", "of')
    assert watch.debt == 2 + OWED_BYTES
    watch.feed(b'fset"], "properties": {')
    assert watch.debt == 8 + 2 * OWED_BYTES and watch.endings == (b",", b'"')
    watch.feed(b'"id": {}')
    assert watch.debt == 6 + OWED_BYTES and watch.endings == (b",", b'"')
    watch.feed(b', "offset": {}')
    assert watch.debt == 0 and watch.endings[0] == b"}]"
    full = JsonWatch(300, NAMED)
    full.feed(b'{"required": ["aaaaaaaaaa", "bbbbbbbbbb"], "properties": {"c": "' + b"x" * 60 + b'"')
    assert full.late and not full.accepts(b', "d') and full.accepts(b', "b')


def test_references_are_learned_from_records_that_all_keep_to_them() -> None:
    good = [{"properties": {f"p{i}": 1, "q": 2}, "required": [f"p{i}"], "tags": ["q"]} for i in range(25)]
    assert references_of(good) == {"required": "properties", "tags": "properties"}
    assert references_of(good[:19]) == {}, "too few to tell"
    assert references_of([*good, {"properties": {}, "tags": ["q"]}]) == {"required": "properties"}
    assert references_of([*good, {"properties": {"q": 1}, "tags": ["q", "q"]}]) == {"required": "properties"}
    assert references_of([*good, {"properties": ["q"], "tags": ["x"]}]) == references_of(good)
    assert references_hold(good, NAMED)
    assert unique_lists([*good, {"tags": ["a", "b"], "names": ["a", "a"]}] * 20) == ["tags"]
    assert all_once([{"tags": ["a", "b"], "names": ["a", "a"]}], ["tags"]) and not all_once(
        {"tags": ["a", "a"]}, ["tags"]
    )
    assert not references_hold([{"a": {"properties": {"b": 1}, "required": ["c"]}}], NAMED)


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
