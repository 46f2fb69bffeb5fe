"""What a file holds is told by its content, and a column can be named."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from difflm.data.documents import Upload, detect_record, documents_of, read_documents
from difflm.errors import ConfigError, DataError
from tests.document_sources import CODE, TOOLS, lines, upload, zipped
from tests.real_data import real_data

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
    return real_data("tools")


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
