"""Formats of documents: exact round trips and clear rejects."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.errors import DataError
from difflm.formats.documents import CodeFormat, DocumentFormat, TextFormat, ToolFormat
from difflm.formats.json_schema import infer_json_schema
from difflm.formats.json_text import DEPTH, canonical_text, document_text, parse_document

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
