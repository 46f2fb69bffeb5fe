"""Documents come in whole from every kind of source; what is left out is listed, and harm is refused."""

from __future__ import annotations

import contextlib
import gzip
import io
import json
import os
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.data.documents import Upload, detect_record, documents_of, read_documents
from difflm.data.json_documents import checked, parse_json
from difflm.errors import ConfigError, DataError

TOOLS: list[dict[str, Any]] = [
    {
        "name": f"tool_{kind}",
        "description": "Dös wörks 🎉",
        "parameters": {"properties": {"a": {"type": kind}}},
    }
    for kind in ("string", "integer", "number")
]
CODE = [f"def f{i}(x):\n    y = x + {i}\n    return y\n" for i in range(12)]


def upload(text: str | bytes, name: str) -> Upload:
    """A file in memory."""
    return Upload(name, text.encode() if isinstance(text, str) else text)


def lines(values: list[Any]) -> str:
    """JSON lines."""
    return "".join(json.dumps(value, ensure_ascii=False) + "\n" for value in values)


def zipped(members: dict[str, str | bytes], **options: Any) -> bytes:
    """A zip file of these members."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", **options) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def reasons(frame: pd.DataFrame) -> dict[str, str]:
    """Why each record was left out."""
    return {item["name"]: item["reason"] for item in frame.attrs["left_out"]}


def canonical(values: list[Any]) -> list[str]:
    return [json.dumps(value, ensure_ascii=False) for value in values]


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


def _tree(folder: Path) -> Path:
    files = {
        "a.py": CODE[0],
        "pkg/b.py": CODE[1].replace("\n", "\r\n"),
        "pkg/copy.py": CODE[0],
        "pkg/__init__.py": "",
        "pkg/only_comment.py": "# nothing\n",
        "pkg/bad.py": "def f(:\n",
        "pkg/tabs.py": "def g(x):\n\treturn x\n",
        "pkg/latin.py": "# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1"),
        "pkg/long.py": "x = 1\n" * 1_000,
        "pkg/data.bin": b"\x00\x01",
        "pkg/zero.py": b"x = 1\x00\n",
        "README.md": "# About\n",
        ".git/hook.py": "x = 1\n",
        "venv/pyvenv.cfg": "home = /\n",
        "venv/lib/m.py": "x = 1\n",
        "pkg/__pycache__/m.py": "x = 1\n",
        "node_modules/m.py": "x = 1\n",
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_or_zip_of_source(tmp_path: Path, packed: bool) -> None:
    folder = _tree(tmp_path / "project")
    source: Path | Upload = folder
    if packed:
        files = {
            p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
        }
        source = upload(zipped(files), "project.zip")
    assert detect_record(source)[:2] == ("code", None)
    frame = read_documents(source, longest=2_000)
    assert frame.attrs["names"] == ["a.py", "pkg/b.py", "pkg/latin.py", "pkg/tabs.py"]
    assert frame["code"].tolist()[:2] == CODE[:2] and "é" in frame["code"][2] and "\t" in frame["code"][3]
    assert reasons(frame) == {
        "README.md": "other kind: a .md file",
        "pkg/__init__.py": "empty",
        "pkg/bad.py": "syntax error: line 1: invalid syntax",
        "pkg/copy.py": "duplicate: of a.py",
        "pkg/data.bin": "other kind: a .bin file",
        "pkg/long.py": "too long: 6,000 characters (at most 2,000)",
        "pkg/only_comment.py": "empty: no statement",
        "pkg/zero.py": "binary: a null byte",
    }
    notes = " / ".join(frame.attrs["notes"])
    assert ".git, node_modules, pkg/__pycache__, venv" in notes and "iso-8859-1" in notes
    assert "LF instead of CRLF or CR (1 record)" in notes and "8 of 12 records are left out" in notes
    by_function = read_documents(source, "code", unit="function")
    assert by_function.attrs["names"] == ["a.py:f0", "pkg/b.py:f1", "pkg/tabs.py:g"]
    assert "text" in read_documents(source, "text")


def test_links_and_special_files_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("password = 1\n")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.py").write_text(CODE[0])
    (folder / "link.py").symlink_to(tmp_path / "secret.py")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.py")
    frame = read_documents(folder)
    assert len(frame) == 1 and reasons(frame) == {
        "link.py": "a link",
        "up": "a link",
        "pipe.py": "no regular file",
    }


def _linked() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        item = zipfile.ZipInfo("link.py")
        item.external_attr = 0o120777 << 16
        archive.writestr("a.py", CODE[0])
        archive.writestr(item, "/etc/passwd")
    return buffer.getvalue()


def _encrypted() -> bytes:
    data = bytearray(zipped({"a.py": CODE[0], "b.py": CODE[1]}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        data[at + offset] |= 1
    return bytes(data)


def _bomb() -> bytes:
    data = bytearray(zipped({f"{i}.py": "x" * 10_000 for i in range(3)}))
    at = 0
    while (at := data.find(b"PK\x01\x02", at) + 1) > 0:
        data[at + 23 : at + 27] = (0x7FFFFFF0).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            zipped({"a.py": CODE[0], "../evil.py": "x = 1"}),
            r"the path '\.\./evil\.py', which leaves the folder",
        ),
        (zipped({"a.py": CODE[0], "x/../../evil.py": "x = 1"}), "leaves the folder"),
        (zipped({"a.py": CODE[0], "/etc/evil.py": "x = 1"}), "leaves the folder"),
        (zipped({"a.py": CODE[0], "C:\\evil.py": "x = 1"}), "leaves the folder"),
        (zipped({"a.py": CODE[0], "..\\evil.py": "x = 1"}), "leaves the folder"),
        (_linked(), "symbolic link 'link.py'"),
        (_encrypted(), "encrypted file 'a.py'"),
        (zipped({"a.py": CODE[0], "inner.zip": zipped({"b.py": CODE[1]})}), "archive 'inner.zip'"),
        (_bomb(), "at most 1,024 MB unpacked"),
        (zipped({"a.py": CODE[0]})[:-30], "whole zip file"),
    ],
)
def test_zips_that_are_refused(data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "z.zip").write_bytes(data)
    before = sorted(tmp_path.parent.rglob("*"))
    for action in (detect_record, read_documents):
        with pytest.raises(DataError, match=says):
            action(tmp_path / "z.zip")
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_broken_member_is_listed() -> None:
    data = bytearray(zipped({"a.py": CODE[0], "b.py": CODE[1]}))
    data[data.find(b"return y")] ^= 1
    frame = read_documents(upload(bytes(data), "z.zip"))
    assert frame["code"].tolist() == CODE[1:2] and "Bad CRC-32" in reasons(frame)["a.py"]


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


TABLE = pd.DataFrame(
    {
        "age": np.arange(12) % 5,
        "city": ["Köln", "Bonn", "Ulm"] * 4,
        "code": CODE,
        "config": [json.dumps({"a": i, "b": {"c": [i]}}) for i in range(12)],
    }
)


def test_a_column_can_be_named() -> None:
    assert documents_of(TABLE, column="code").attrs["record"] == "code"
    assert documents_of(TABLE, column="config").attrs["record"] == "tool"
    assert documents_of(TABLE, column="city").attrs["record"] == "text"
    made = documents_of(TABLE, "text", "city")
    assert made["text"].tolist() == ["Köln", "Bonn", "Ulm"] and len(made.attrs["left_out"]) == 9
    assert documents_of(TABLE, "code").attrs["notes"] == ["column 'code' is read; the other 3 are left out"]
    with pytest.raises(ConfigError, match="a column out of age, city, code, config, but got 'cod'"):
        documents_of(TABLE, "code", "cod")
    with pytest.raises(ConfigError, match="a kind"):
        read_documents(upload("x", "t.txt"), "table")  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match="a unit"):
        documents_of(TABLE, "code", unit="line")  # type: ignore[arg-type]
    with pytest.raises(DataError, match="columns of JSON objects and of Python"):
        documents_of(TABLE)
    with pytest.raises(DataError, match="prompt, test that may"):
        documents_of(pd.DataFrame({"prompt": CODE, "test": CODE[::-1]}), "code")
    assert (
        read_documents(upload(lines(TABLE.to_dict("records")), "t.jsonl"), column="code")["code"].tolist()
        == CODE
    )


def _csv(frame: pd.DataFrame) -> Upload:
    return upload(frame.to_csv(index=False), "t.csv")


@pytest.mark.parametrize(
    "source",
    [
        TABLE,
        TABLE[["age", "code"]],
        TABLE[["city", "config"]],
        _csv(TABLE),
        _csv(TABLE.set_axis(["code", "city", "code", "code"], axis=1)),
        _csv(TABLE[["age", "city"]]),
        upload(lines(TABLE.drop(columns="config").to_dict("records")), "t.jsonl"),
        upload(lines([{"a": i, "b": "x", "c": None} for i in range(9)]), "t.jsonl"),
        upload(lines([{"text": "some words of text", "label": i % 2} for i in range(9)]), "t.jsonl"),
        upload(json.dumps({"a": [1, 2], "b": ["x", "y"]}), "t.json"),
        upload("a;b\n1;2\n3;4\n", "t.txt"),
        upload("words\nhello there\nyou too\n", "t.csv"),
        upload(zipped({"d/t.csv": "a,b\n1,2\n", "about.md": "x", "load.py": "x = 1"}), "t.zip"),
        upload(zipped({"a.csv": "a,b\n1,2\n", "b.csv": "a,b\n1,2\n"}), "t.zip"),
        upload(b"PAR1 cut", "t.parquet"),
    ],
)
def test_tables_stay_tables(source: pd.DataFrame | Upload) -> None:
    found = detect_record(source)
    assert found[:2] == ("table", None) and found.reason


@pytest.mark.parametrize(
    ("source", "kind", "column"),
    [
        (pd.DataFrame({"anything": CODE}), "code", "anything"),
        (TABLE[["config"]], "tool", "config"),
        (
            TABLE[["code"]].assign(task_id=range(12), license="MIT", sha=[f"a{i}b" for i in range(12)]),
            "code",
            "code",
        ),
        (upload(lines([{"a": i, f"only_{i}": 1, "x": 2} for i in range(9)]), "t.jsonl"), "tool", None),
        (upload(lines([{"text": "some words of text"}] * 3), "t.jsonl"), "text", "text"),
        (upload("Some words, and more.\nAnother line of text\n", "t.txt"), "text", None),
        (upload("let a = 1;\n", "t.js"), "text", None),
    ],
)
def test_documents_are_recognised(source: Any, kind: str, column: str | None) -> None:
    assert detect_record(source)[:2] == (kind, column)


def test_long_files_are_recognised_by_their_head(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("difflm.data.samples.HEAD_BYTES", 3_000)
    many = [{**TOOLS[0], "name": str(i), "é": {}} for i in range(200)]
    frame = pd.DataFrame({"id": range(200), "q": [f"def f{i}():\n    return 'é, \"'" for i in range(200)]})
    frame.to_parquet(tmp_path / "t.parquet")
    frame.to_csv(tmp_path / "t.csv", index=False)
    (tmp_path / "t.jsonl").write_text(lines(many))
    (tmp_path / "t.json").write_text(json.dumps(many, indent=1, ensure_ascii=False))
    (tmp_path / "t.csv.gz").write_bytes(gzip.compress((tmp_path / "t.csv").read_bytes()))
    (tmp_path / "t.zip").write_bytes(zipped({"t.csv": (tmp_path / "t.csv").read_bytes()}))
    found = {path.name: detect_record(path)[0] for path in tmp_path.iterdir()}
    assert found == {
        "t.parquet": "code",
        "t.csv": "code",
        "t.csv.gz": "code",
        "t.zip": "code",
        "t.jsonl": "tool",
        "t.json": "tool",
    }
    assert len(read_documents(tmp_path / "t.zip")) == 200


def test_what_is_not_there(tmp_path: Path) -> None:
    for action in (detect_record, read_documents):
        with pytest.raises(DataError, match="no file at"):
            action(tmp_path / "no.jsonl")
    with pytest.raises(DataError):
        read_documents(tmp_path)


@pytest.fixture
def data_root() -> Path:
    """The folder of real data."""
    root = os.environ.get("DIFFLM_DATA")
    if not root or not (Path(root) / "tools").is_dir():
        pytest.skip("DIFFLM_DATA names no folder with tools and code")
    return Path(root)


@pytest.mark.parametrize(
    ("file", "column", "record", "count"),
    [
        ("code/mbpp", "code", "code", 974),
        ("code/humaneval", "prompt", "code", 164),
        ("code/leetcode_python", None, "code", 3_598),
        ("tools/toolbench_apis", None, "tool", 2_482),
        ("tools/bfcl_functions", None, "tool", 3_526),
        ("tools/gorilla_apibench_apis", None, "tool", 1_724),
    ],
)
def test_real_documents(data_root: Path, file: str, column: str | None, record: str, count: int) -> None:
    frame = read_documents(data_root / f"{file}.parquet", column=column)
    real = pd.read_parquet(data_root / f"{file}.parquet")
    assert (frame.attrs["record"], len(frame)) == (record, count)
    assert len(frame) + len(frame.attrs["left_out"]) == len(real)


def test_real_tables_stay_tables(data_root: Path) -> None:
    files = sorted((data_root / "paper").rglob("*.parquet"))
    assert files and {detect_record(file).record for file in files} == {"table"}
    assert detect_record(data_root / "paper" / "adult").record == "table"
