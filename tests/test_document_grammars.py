"""Grammars of documents: they hold real documents and what a schema allows, and nothing else."""

from __future__ import annotations

import json
import random
from typing import Any

import pandas as pd
import pytest
import tiny_lm
import torch
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from difflm.errors import ConfigError
from difflm.formats.base import RecordFormat
from difflm.formats.documents import CodeFormat, TextFormat, ToolFormat, make_document_format
from difflm.formats.json_schema import infer_json_schema
from difflm.formats.json_text import document_text, parse_document
from difflm.formats.text_grammar import TextGrammar
from tests.real_data import real_data

TOKENIZER = tiny_lm.byte_level(eos_token="<|end|>")


def accepts(form: RecordFormat, *texts: str, only: dict[str, list[Any]] | None = None) -> list[bool]:
    """Which texts the grammar holds from start to end."""
    grammar = TextGrammar(form, TOKENIZER, len(TOKENIZER))
    matcher = grammar.start(1, only).matchers[0]
    tokens = [grammar.encode(text) for text in texts]
    return [matcher.validate_tokens(ids) == len(ids) for ids in tokens]


def walk(form: RecordFormat, seed: int, steps: int = 400) -> str | None:
    """A text made of random tokens that the grammar allows, brackets closed early; None where it got too long."""
    grammar = TextGrammar(form, TOKENIZER, len(TOKENIZER))
    state, chance = grammar.start(1), random.Random(seed)
    closing = {token for name, token in TOKENIZER.get_vocab().items() if name[0] in '"}],'}
    state.forced([0])
    for _ in range(steps):
        if state.done[0]:
            return grammar.decode(state.written[0])
        allowed = torch.nonzero(state.allowed([0], torch.device("cpu"))[0]).flatten().tolist()
        assert allowed and state.problem(0) is None, "no way on"
        early = [token for token in allowed if token in closing]
        state.advance([0], [chance.choice(early if early and chance.random() < 0.6 else allowed)])
    return None


TOOLS = [
    {
        "name": f"tool {n}",
        "method": ("GET", "POST")[n % 2],
        "input": {f"x{n * 2 + k}": {"type": "text", "size": k} for k in range(n % 3 + 1)},
        **({"tags": ["a", "é\n"][: n % 3], "old": n % 2 == 0} if n % 2 else {"old": None, "tags": []}),
    }
    for n in range(40)
]


def test_grammar_holds_the_schema_and_nothing_else() -> None:
    form = ToolFormat(infer_json_schema(TOOLS), 20)
    assert accepts(form, *map(document_text, TOOLS)) == [True] * len(TOOLS)
    good = document_text(TOOLS[0])
    assert accepts(form, good.replace("tool 0", "x" * 20), good.replace("tool 0", "x" * 21)) == [True, False]
    assert (
        accepts(form, good.replace("tool 0", "\\n" * 20), good.replace("tool 0", "😀\x7f\\u0007"))
        == [True] * 2
    )
    bad = [
        good.replace("GET", "PUT"),
        good.replace("GET", "GE\\u0054"),
        good.replace("tool 0", "a\\/b"),
        good.replace(": ", ":"),
        good.replace(', "old": null', ""),
        good.replace('"old": null', '"old": 5'),
        good.replace('"size": 0', '"size": 01'),
        good.replace('"x0"', '"x0": {"type": "text", "size": 1, "more": 1}, "x1"'),
        f"{good[:-1]}, {good[1:]}",
        good[:-1],
        good + " ",
    ]
    assert accepts(form, *bad) == [False] * len(bad)


@pytest.mark.parametrize("seed", range(8))
def test_texts_under_the_grammar_are_canonical_and_valid(seed: int) -> None:
    form = ToolFormat(infer_json_schema(TOOLS), 12)
    text = walk(form, seed)
    assert text is not None and form.canonical(text) == text
    assert list(Draft202012Validator(form.json_schema).iter_errors(json.loads(text))) == []


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_grammar_holds_every_order_seen_and_always_finds_an_end(data: st.DataObject) -> None:
    names = list("abcde")
    keys = st.lists(st.sampled_from(names), unique=True, max_size=5)
    needed = data.draw(keys)
    shuffled = st.lists(st.sampled_from(names), unique=True).map(
        lambda some: list(dict.fromkeys(some + needed))
    )
    orders = data.draw(st.lists(shuffled.flatmap(st.permutations), min_size=1, max_size=6))
    # Nothing but empty objects: any keys are allowed, and a random walk may write one twice.
    assume(any(orders))
    documents = [dict.fromkeys(order, True) for order in orders]
    form = ToolFormat(infer_json_schema(documents), 1000)
    assert accepts(form, *map(document_text, documents)) == [True] * len(documents)
    for seed in range(3):
        text = walk(form, seed)
        assert text is not None and form.read(text, strict=True) == {"tool": text}


def test_open_keys_come_among_fixed_ones_and_differ_from_them() -> None:
    documents = [
        {f"early {n}": "text", "id": n, "kind": 1, **({"late": 1} if n % 2 else {}), f"more {n}": "x"}
        for n in range(60)
    ]
    swapped = [{"kind": 1, f"odd {n}": "text", "id": n} for n in range(20)]
    for some in (documents, documents + swapped):
        form = ToolFormat(infer_json_schema(some), 50)
        assert accepts(form, *map(document_text, some)) == [True] * len(some)
        wrong = [
            '{"id": "text", "kind": 1}',
            '{"kind": 1}',
            '{"id": 1, "id": 2, "kind": 1}',
            '{"x": [], "id": 1, "kind": 1}',
        ]
        assert accepts(form, *wrong) == [False] * len(wrong)


def test_unknown_places_hold_any_json() -> None:
    form = ToolFormat(infer_json_schema([{"list": [], "map": {}}]), 100)
    text = '{"list": [1, [true, {"a": null, "b": -1.5e+20}], "x"], "map": {"k": {}}}'
    assert accepts(form, text, '{"list": {}, "map": {}}') == [True, False]
    assert form.read(text, strict=True) == {"tool": text}
    recursive = [{"name": "a", "inner": {"name": "b", "inner": {"name": "c"}}}] * 6
    deep = '{"name": "a", "inner": ' * 9 + '{"name": "z"}' + "}" * 9
    assert accepts(ToolFormat(infer_json_schema(recursive), 50), deep) == [True]
    with pytest.raises(ConfigError, match="inferred"):
        ToolFormat({"type": "string", "pattern": "x"}, 50).grammar()


def test_conditions() -> None:
    form = ToolFormat(infer_json_schema(TOOLS), 50)
    texts = [document_text(tool) for tool in TOOLS[:2]]
    assert accepts(form, *texts, only={"method": ["GET"]}) == [True, False]
    assert accepts(form, *texts, only={"method": ["GET", "POST"], "old": [True, False]}) == [False, True]
    assert accepts(form, *texts, only={"tags": [["a"]]}) == [False, True]
    with pytest.raises(ConfigError, match="values that documents can have"):
        form.grammar({"method": ["PUT"]})
    code = CodeFormat(50)
    assert accepts(code, "x", "x = 1", only={"code": ["x = 1", 'y = "é\n"']}) == [False, True]
    with pytest.raises(ConfigError, match="conditions on code alone"):
        code.grammar({"text": ["x"]})
    with pytest.raises(ConfigError, match="texts that code can have"):
        code.grammar({"code": []})


def test_plain_grammars_bound_the_length() -> None:
    texts = ["a\n\tb é😀\r\n", "x" * 20, "x" * 21, "", "a\x00"]
    assert accepts(CodeFormat(20), *texts) == [True, True, False, False, False]
    assert accepts(TextFormat(20, one_line=True), *texts) == [False, True, False, False, False]


def test_names_resolve_to_formats() -> None:
    assert isinstance(make_document_format("tool", {}, 5), ToolFormat)
    assert isinstance(make_document_format("code", None, 5), CodeFormat)
    assert [column.name for column in make_document_format("text", None, 5).columns] == ["text"]
    with pytest.raises(ConfigError, match="tool, code, text, but got 'xml'"):
        make_document_format("xml", None, 5)
    with pytest.raises(ConfigError, match="JSON Schema"):
        make_document_format("tool", None, 5)
    with pytest.raises(ConfigError, match="at least one character"):
        make_document_format("code", None, 0)


@pytest.mark.parametrize(
    ("name", "column"), [("toolbench_apis", "text"), ("bfcl_functions", "function"), ("misc_tools", "text")]
)
def test_real_documents_are_in_the_grammar_of_their_schema(name: str, column: str) -> None:
    root = real_data("tools")
    texts = pd.read_parquet(root / "tools" / f"{name}.parquet")[column].sample(200, random_state=0)
    train, held = list(texts[:160]), list(texts[160:])
    form = ToolFormat(infer_json_schema(map(parse_document, train)), 10_000)
    assert form.write_rows(pd.DataFrame({"tool": train})) == train
    assert form.read_rows(train, strict=True)[1] == {}
    assert accepts(form, *train) == [True] * len(train)
    assert sum(accepts(form, *held)) >= 0.9 * len(held)


def test_real_code_is_in_the_grammar() -> None:
    root = real_data("code")
    texts = list(pd.read_parquet(root / "code" / "mbpp.parquet")["code"][:200])
    form = CodeFormat(max(map(len, texts)))
    assert form.read_rows(texts, strict=True)[1] == {}
    assert accepts(form, *texts) == [True] * len(texts)
