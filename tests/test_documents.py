"""Documents come in whole from every kind of source; what is left out is listed."""

from __future__ import annotations

import contextlib
import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.data.documents import detect_record, documents_of, read_documents
from difflm.data.json_documents import checked, parse_json
from difflm.errors import DataError
from tests.document_sources import CODE, TOOLS, canonical, lines, reasons, upload, zipped


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("t.jsonl", lines(TOOLS)),
        ("t.json", json.dumps(TOOLS, indent=2)),
        ("t.json", lines(TOOLS)),
        ("t.jsonl", json.dumps(TOOLS, indent=2)),
        ("t.json", json.dumps({"tools": TOOLS, "version": 1})),
        ("t.json", "\ufeff" + json.dumps(TOOLS)),
        ("t.json", json.dumps(TOOLS, ensure_ascii=False).encode("utf-16")),
        ("t.jsonl.gz", gzip.compress(lines(TOOLS).encode())),
        ("t.zip", zipped({"x/t.jsonl": lines(TOOLS)})),
        ("t.zip", zipped({f"x/{i}.json": json.dumps(tool) for i, tool in enumerate(TOOLS)})),
        ("t.csv", pd.DataFrame({"tool": canonical(TOOLS)}).to_csv(index=False)),
        ("t.csv", pd.DataFrame({"id": [7, 8, 9], "x": canonical(TOOLS)}).to_csv(index=False)),
        ("t.jsonl", lines([{"id": i, "function": json.dumps(tool)} for i, tool in enumerate(TOOLS)])),
    ],
)
def test_tools_from_every_source(name: str, data: str | bytes, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    for source in (upload(data, name), tmp_path / name, str(tmp_path / name)):
        assert detect_record(source)[0] == "tool"
        for record in ("auto", "tool"):
            frame = read_documents(source, record)  # type: ignore[arg-type]
            assert list(frame) == ["tool"] and frame.attrs["record"] == "tool"
            assert frame["tool"].tolist() == canonical(TOOLS) and not frame.attrs["left_out"]


def test_parquet_and_frames(tmp_path: Path) -> None:
    frame = pd.DataFrame({"path": [f"a/{i}.py" for i in range(12)], "code": CODE, "split": ["train"] * 12})
    frame.to_parquet(tmp_path / "code.parquet")
    for source in (
        tmp_path / "code.parquet",
        upload((tmp_path / "code.parquet").read_bytes(), "c.parquet"),
        frame,
    ):
        assert detect_record(source)[:2] == ("code", "code")
        made = read_documents(source)
        assert made["code"].tolist() == CODE and made.attrs["names"] == frame["path"].tolist()
    cells = [{"a": {"b": np.array([1, 2])}}, {"c": np.float64(0.5), "d": [None]}]
    assert documents_of(pd.DataFrame({"x": cells}), "tool")["tool"].tolist() == [
        '{"a": {"b": [1, 2]}}',
        '{"c": 0.5, "d": [null]}',
    ]


def test_lines_that_are_no_json_are_listed() -> None:
    deep = "[" * 200 + "]" * 200
    bad = {
        '{"a": 1 // comment\n}'.replace("\n", ""): "not JSON: a comment, which JSON does not have, in line 4",
        '{"a": NaN}': "not JSON: NaN, which JSON does not have",
        '{"a": -Infinity}': "not JSON: -Infinity",
        '{"a": 1e999}': "not JSON: the number 1e999, which is too large",
        '{"b": {"a": 1, "a": 2}}': "not JSON: the key 'a' twice in one object",
        f'{{"a": {deep}}}': "not JSON: nested more than 100 deep",
        '{"a": %s}' % ("[" * 100_000): "not JSON: values nested more than 100 deep",
        "{'a': 1}": "not JSON: single quotes instead of double ones",
        '{"a": 1,}': "not JSON: ",
        '{"a": ': "not JSON: the end of the text too early",
        '{"a": "\\ud800"}': "not JSON: half a character (\\ud800)",
        '{"a": %s}' % ("1" * 5_000): "not JSON: Exceeds the limit",
        "[1, 2]": "other kind: list instead of a JSON object",
        "7": "other kind: int instead of a JSON object",
        json.dumps(TOOLS[0]): "duplicate: of line 1",
    }  # fmt: skip
    good = lines([*TOOLS, *({**TOOLS[0], "name": f"n{i}"} for i in range(60))])
    frame = read_documents(upload(good.replace("\n", "\n\n", 1) + "\n".join(bad), "t.jsonl"), "tool")
    assert len(frame) == 63 and len(frame.attrs["left_out"]) == len(bad)
    first = int(frame.attrs["names"][-1].split()[1]) + 1
    for number, (line, reason) in enumerate(bad.items(), first):
        found = reasons(frame)[f"line {number}"]
        assert found.startswith(reason.replace("line 4", f"line {number}")), line[:60]
    assert any(f"{len(bad)} of 78 records are left out" in note for note in frame.attrs["notes"])


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("t.json", '[{"a": {}}, // no\n {"b": {}}]', "whole JSON in t.json, but got a comment.* line 1, column 13"),
        ("t.json", '[{"a": {}},]', "whole JSON in t.json"),
        ("t.json", "[" * 100_000, "nested more than 100 deep"),
        ("t.json", "[]", "JSON documents in t.json, but got none"),
        ("t.json", "[1, 2, 3]", "documents in t.json"),
        ("t.json", '[{"a": {"b": NaN}}]', "no record that can be used .1 not JSON; record 1: not JSON: NaN"),
        ("t.jsonl", "\n \n", "empty file"),
        ("t.py", "", "empty file"),
        ("t.py", "# only\n", "Python source in t.py, but got no record"),
        ("t.py", "def f(:\n    pass\n", "syntax error: line 1"),
        ("t.py", b"\x7fELF\x00\x00", "binary content"),
        ("t.txt", b"a\x00b", "binary content"),
        ("t.pkl", "x", "can run code"),
        ("t.zip", zipped({"a.png": b"\x89PNG", "b.png": b"\x89PNG"}), "Python, JSON or text files in t.zip"),
        ("t.csv", "a,b\n1,2\n3,4\n", "neither JSON objects nor Python"),
        ("t.jsonl", lines([*TOOLS, *({"code": code} for code in CODE[:3])]), "records of one kind in t.jsonl"),
        ("t.jsonl", lines([*TOOLS, "a", "b", "c"]), "3 of objects with description, name, parameters and 3 of strings"),
    ],
)  # fmt: skip
def test_one_clear_message(name: str, data: str | bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data.encode() if isinstance(data, str) else data)
    for source in (upload(data, name), tmp_path / name):
        with pytest.raises(DataError, match=says):
            read_documents(source)


def test_a_few_of_another_kind_are_listed() -> None:
    values = [*({**TOOLS[0], "name": str(i)} for i in range(20)), "a string", 3]
    frame = read_documents(upload(lines(values), "t.jsonl"))
    assert len(frame) == 20
    assert reasons(frame) == {
        "line 21": "other kind: str instead of a JSON object",
        "line 22": "other kind: int instead of a JSON object",
    }


def test_a_document_of_10_megabytes() -> None:
    huge = {"name": "x", "parameters": {"text": "y" * 10_000_000}}
    frame = read_documents(upload(lines([*TOOLS, huge]), "t.jsonl"))
    assert len(frame) == 3
    assert reasons(frame) == {"line 4": "too long: 10,000,041 characters (at most 1,000,000)"}
    assert detect_record(upload(lines([*TOOLS, huge]), "t.jsonl"))[0] == "tool"


def test_rounded_numbers_are_noted_and_order_and_lines_are_kept() -> None:
    text = '{"z": 1.50, "a": {"x": 0.12345678901234567891}, "s": "a\u2028b"}\n{"z": {}, "b": 1e2}\n'
    frame = read_documents(upload(text, "t.jsonl"))
    assert frame["tool"].tolist() == [
        '{"z": 1.5, "a": {"x": 0.12345678901234568}, "s": "a\u2028b"}',
        '{"z": {}, "b": 100.0}',
    ]
    assert any("numbers rounded" in note and "(1 record)" in note for note in frame.attrs["notes"])


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=12,
)  # fmt: skip


@given(st.dictionaries(st.text(max_size=5), json_values, max_size=4), st.booleans())
@settings(max_examples=300, deadline=None)
def test_documents_come_back_exactly(value: dict[str, Any], ascii_only: bool) -> None:
    text, reason, rounded = checked(parse_json(json.dumps(value, ensure_ascii=ascii_only)))
    assert (reason, rounded) == ("", False) and text == json.dumps(value, ensure_ascii=False)
    assert json.loads(text) == value


@given(st.text('{}[]":,0123456789.eE-+ntrufalsN/*#\\\n', max_size=60))
@settings(max_examples=400, deadline=None)
def test_only_json_is_read_as_json(text: str) -> None:
    try:
        value = json.loads(text, parse_constant=lambda word: 1 / 0)
    except (ValueError, ZeroDivisionError):
        with contextlib.suppress(DataError):
            assert checked(parse_json(text)).reason
        return
    made = checked(parse_json(text))
    assert made.reason or json.loads(made.text) == value


def test_python_files_give_functions() -> None:
    source = "import os\n\n" + "\n\n".join(CODE[:2]) + "\n\nclass A:\n    def m(self):\n        return 1\n"
    assert detect_record(upload(source, "m.py"))[:2] == ("code", None)
    frame = read_documents(upload(source, "m.py"))
    assert frame["code"].tolist() == [*(c.rstrip() for c in CODE[:2]), "def m(self):\n    return 1"]
    assert frame.attrs["names"] == ["m.py:f0", "m.py:f1", "m.py:A.m"]
    assert read_documents(upload(source, "m.py"), unit="class")["code"].tolist() == [
        "class A:\n    def m(self):\n        return 1"
    ]
    assert read_documents(upload(source, "m.py"), unit="file")["code"].tolist() == [source]


def test_fences_are_taken_off_code() -> None:
    cells = [f"```python\n{code}```" for code in CODE]
    frame = documents_of(pd.DataFrame({"output": cells}), "code")
    assert frame["code"].tolist() == [code.rstrip("\n") for code in CODE]
    assert any("fences" in note for note in frame.attrs["notes"])


def test_lines_of_text() -> None:
    frame = read_documents(upload("One line, here\r\n\r\n tabs\tand 漢字\r\nOne line, here\r\n", "t.txt"))
    assert frame["text"].tolist() == ["One line, here", " tabs\tand 漢字"] and frame.attrs["record"] == "text"
    assert reasons(frame) == {"line 2": "empty", "line 4": "duplicate: of line 1"}
    files = upload(zipped({"a.md": "# A\n\ntext\n", "b.txt": "b\n", "c.js": "let c;\n"}), "t.zip")
    assert read_documents(files)["text"].tolist() == ["# A\n\ntext\n", "b\n", "let c;\n"]
    assert read_documents(upload("latin é line\n".encode("latin-1"), "t.txt")).attrs["notes"] == [
        "not UTF-8: read as Windows-1252 (Western European)"
    ]
    assert read_documents(
        upload(lines([{"text": "Some words here"}, {"text": "And more of them"}]), "t.jsonl")
    )["text"].tolist() == ["Some words here", "And more of them"]
