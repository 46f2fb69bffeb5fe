"""Formats of documents: exact round trips, clear rejects, and grammars that hold real documents."""

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

from difflm.errors import ConfigError, DataError
from difflm.formats.base import RecordFormat
from difflm.formats.documents import CodeFormat, DocumentFormat, TextFormat, ToolFormat, make_document_format
from difflm.formats.json_schema import infer_json_schema
from difflm.formats.json_text import DEPTH, canonical_text, document_text, parse_document
from difflm.formats.text_grammar import TextGrammar
from tests.real_data import real_data

TOKENIZER = tiny_lm.byte_level(eos_token="<|end|>")
ANYTHING = ToolFormat({}, 10_000)

TEXTS = st.text(max_size=6) | st.sampled_from(
    ['"', "\\", "/", "\n\r\t\b\f", "\x00\x1f\x7f", "\u2028", "😀👩‍👩‍👧", "עולם", "\udc80", "é"]
)
SCALARS = st.none() | st.booleans() | st.integers(-(10**30), 10**30) | st.floats(allow_nan=False, width=64)
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS.filter(lambda value: value not in (float("inf"), float("-inf"))) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)


def same(first: Any, second: Any) -> bool:
    """Equal in types and key order too."""
    return repr(first) == repr(second)


@settings(max_examples=100, deadline=None)
@given(document=VALUES, ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
def test_json_round_trip_is_exact(document: Any, ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(document, ensure_ascii=ascii_only, indent=indent)
    written = ANYTHING.write({"tool": text})
    assert same(json.loads(written), document)
    assert ANYTHING.read(written) == {"tool": written} == ANYTHING.read(text, strict=True)
    assert written == document_text(document)
    assert same(parse_document(text), document)
    written.encode()


@pytest.mark.parametrize(
    "number", ["1", "1.0", "-0", "-0.0", "1e400", "1E+5", "0.10", "123456789" * 20, "9" * 6000, "1e-999"]
)
def test_numbers_keep_their_digits(number: str) -> None:
    text = f'{{"n": [{number}]}}'
    assert ANYTHING.read(text, strict=True) == {"tool": text}


def test_text_is_canonical() -> None:
    loose = ' {"b" :1,"a":[ ] ,\n"\\u00e9\\/": "\\ud83d\\ude00\\uDC80\\u0007" , "o": {} } '
    assert canonical_text(loose) == '{"b": 1, "a": [], "é/": "😀\\udc80\\u0007", "o": {}}'
    assert document_text({"a": (1, "x")}) == '{"a": [1, "x"]}'
    for value in ({1: 2}, {"a": float("nan")}, {"a": {1, 2}}):
        with pytest.raises(DataError):
            document_text(value)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "an empty text"),
        (" \n", "an empty text"),
        ("SECRET", "expecting value at character 0"),
        ('\ufeff{"a": 1}', "byte order mark"),
        ('{"SECRET": 1, "SECRET": 2}', "a key comes twice"),
        ('{"a": {"b": [{"c": 1, "c": 1}]}}', "a key comes twice"),
        ('{"a": NaN}', "NaN or Infinity"),
        ("[-Infinity]", "NaN or Infinity"),
        ('{"a": 1} SECRET', "more text after the document at character 9"),
        ('{"a": 1}{"b": 2}', "more text after the document"),
        ('{"a": 1, // SECRET\n"b": 2}', "a comment at character 9"),
        ('{"a": /* SECRET */ 1}', "a comment"),
        ("# SECRET\n{}", "a comment at character 0"),
        ("{'SECRET': 1}", "expecting property name enclosed in double quotes"),
        ('{"a": 1,}', "at character"),
        ('{"a": "SECRET}', "unterminated string at character 6"),
        ('{"a": "SE\nCRET"}', "invalid control character at character 9"),
        ('{"a": "\\q"}', "invalid \\escape at character"),
        ('{"a": 01}', "expecting ',' delimiter"),
        ("[" * (DEPTH + 1) + "]" * (DEPTH + 1), f"more than {DEPTH} objects and arrays"),
        ('{"a":' * 200 + "1" + "}" * 200, f"more than {DEPTH} objects and arrays"),
        ("[" * 200_000, f"more than {DEPTH} objects and arrays"),
    ],
)
def test_bad_json_has_a_reason_without_content(text: str, reason: str) -> None:
    frame, rejected = ANYTHING.read_rows(["{}", text])
    assert reason in rejected[1] and "SECRET" not in rejected[1]
    assert list(frame["tool"]) == ["{}"]


def test_deepest_documents_are_read_checked_and_inferred() -> None:
    document: Any = 1
    for level in range(DEPTH // 2):
        document = {"name": "n", f"k{level % 3}": [document, None]}
    schema = infer_json_schema([document])
    text = document_text(document)
    assert ToolFormat(schema, len(text)).read(text, strict=True) == {"tool": text}


def test_strict_reading_holds_schema_and_length() -> None:
    documents = [{"method": ("GET", "POST")[n % 2], "path": f"/{n}"} for n in range(60)]
    form = ToolFormat(infer_json_schema(documents), 40)
    texts = ['{"method": "GET", "path": "/"}', '{"method": "PUT", "path": "/"}', '{"path": "/"}', "[]"]
    texts.append('{"method": "GET", "path": "/' + "x" * 30 + '"}')
    frame, rejected = form.read_rows(texts, strict=True)
    assert list(frame["tool"]) == texts[:1]
    assert rejected == {
        1: "method is none of the known values",
        2: "the document lacks a key",
        3: "the document has another type",
        4: "longer than 40 characters",
    }
    assert form.read_rows(texts)[1] == {}


@settings(max_examples=60, deadline=None)
@given(
    text=st.text(alphabet=st.characters(exclude_characters="\x00", exclude_categories=["Cs"]), min_size=1),
    kind=st.sampled_from([CodeFormat, TextFormat]),
)
def test_plain_round_trip_is_exact(text: str, kind: type[DocumentFormat]) -> None:
    form = kind(1000)
    frame = pd.DataFrame({form.name: [text]})
    texts = form.write_rows(frame)
    assert texts == [text] == [form.write({form.name: text})]
    pd.testing.assert_frame_equal(form.read_rows(texts)[0], frame.astype(object))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "an empty text"),
        ("a\x00b", "a NUL character"),
        ("a\udc80", "half of a surrogate pair"),
        ("x = 1\nSECRET SECRET", "no Python: a syntax error in line 2"),
        ("if x:\nSECRET", "no Python: a wrong indentation in line 2"),
        ("if x:\n\ty\n        z", "no Python: a wrong indentation in line 3"),
        ("print 'SECRET'", "no Python: a syntax error in line 1"),
        ("-" * 9000 + "1", "no Python: more than the parser can hold"),
        ("x" * 9999, "longer than 9990 characters"),
    ],
)
def test_bad_code_has_a_reason_without_content(text: str, reason: str) -> None:
    _, rejected = CodeFormat(9990).read_rows([text], strict=True)
    assert rejected[0] == reason or (rejected[0].startswith(reason) and "SECRET" not in rejected[0])


def test_good_code_and_text_are_read_strictly() -> None:
    code = 'def f(x):\n\t"""\\d é"""\n\treturn x is 1\r\n'
    assert CodeFormat(100).read(code, strict=True) == {"code": code}
    assert CodeFormat(100).read("not python", strict=False) == {"code": "not python"}
    assert TextFormat(100).read("a\nb", strict=True) == {"text": "a\nb"}
    assert TextFormat(100, one_line=True).read_rows(["a\nb", " "], strict=True)[1] == {
        0: "more than one line",
        1: "nothing but white space",
    }


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
