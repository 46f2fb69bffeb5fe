"""`difflm sample`, `latents` and `interpolate`: what they call, write and say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest

from difflm.cli import writers
from difflm.cli.command import execute
from difflm.cli.where import parse_where
from difflm.cli.writers import writing
from difflm.errors import ConfigError
from difflm.runs import Run
from tests.command_line import fails


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl"])
def test_sample_streams_into_a_file(run: Run, calls: list[Any], ending: str) -> None:
    out = f"out/rows.{ending}"
    where = ["--where", "age >= 3", "--where", "colour in red, blue"]
    assert execute(["sample", "a", "-n", "10", "--out", out, "--seed", "5", *where]) == 0
    given = dict(calls)["stream"]
    assert given["where"] == {"age": (">=", "3"), "colour": ["red", "blue"]}
    assert (given["n"], given["seed"], given["prior"], given["temperature"]) == (10, 5, None, None)
    readers: dict[str, Any] = {
        "csv": pd.read_csv,
        "tsv": lambda path: pd.read_csv(path, sep="\t"),
        "parquet": pd.read_parquet,
        "jsonl": lambda path: pd.read_json(path, lines=True),
    }
    rows = readers[ending](out)
    assert list(rows["age"]) == list(range(10))
    assert rows["colour"].isna().tolist() == [i == 5 for i in range(10)]
    assert [p.name for p in Path("out").iterdir()] == [f"rows.{ending}"]


def test_parquet_columns_may_grow(tmp_path: Path) -> None:
    chunks = [
        pd.DataFrame({"a": [1, 2], "b": pd.Series([None, None], dtype=object)}),
        pd.DataFrame({"a": [1.5, None], "b": ["x", None]}),
        pd.DataFrame({"a": [3, 4], "b": ["y", "z"]}),
    ]
    with writing(tmp_path / "x.parquet") as writer:
        for chunk in chunks:
            writer.write(chunk)
    rows = pd.read_parquet(tmp_path / "x.parquet")
    assert rows["a"].tolist()[:3] == [1, 2, 1.5]
    assert rows["b"].tolist()[-2:] == ["y", "z"]


def test_many_chunks_become_few_row_groups_and_grow_by_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "GROUP_ROWS", 50)
    path = tmp_path / "x.parquet"
    with writing(path) as writer:
        for first in range(0, 240, 8):
            cells = [float(first), None] if first == 200 else [first, first + 1]
            writer.write(pd.DataFrame({"a": cells * 4, "b": ["x"] * 8}))
    with pq.ParquetFile(path) as file:
        assert [file.metadata.row_group(i).num_rows for i in range(5)] == [56, 56, 56, 56, 16]
        assert file.schema_arrow.field("a").type == "double"
    rows = pd.read_parquet(path)
    assert rows["a"].isna().sum() == 4 and rows["a"].max() == 233 and rows["a"].iloc[8] == 8
    assert [p.name for p in tmp_path.iterdir()] == ["x.parquet"]


def test_an_interrupted_sample_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("earlier")

    def write() -> None:
        with writing(path) as writer:
            writer.write(pd.DataFrame({"a": [1]}))
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write()
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


def test_like_decodes_near_the_given_rows(run: Run, calls: list[Any]) -> None:
    Path("like.csv").write_text("age,colour\n1,red\n2,blue\n")
    assert execute(["sample", "runs/a", "-n", "5", "--out", "x.csv", "--like", "like.csv"]) == 0
    assert dict(calls)["posterior_rows"]["rows"]["age"].tolist() == [1, 2, 1, 2, 1]
    assert len(pd.read_csv("x.csv")) == 5


NAMES = ["age", "marital status", "a=b", "in", "in or out"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("age = 40", {"age": "40"}),
        ("age==40", {"age": "40"}),
        ("age!=40", {"age": ("!=", "40")}),
        ("age <= -1.5", {"age": ("<=", "-1.5")}),
        ("marital status = 'in love'", {"marital status": "in love"}),
        ('"marital status" > "x"', {"marital status": (">", "x")}),
        ("a=b = c=d", {"a=b": "c=d"}),
        ("in in x, y", {"in": ["x", "y"]}),
        ("in or out in (x)", {"in or out": ["x"]}),
        ('age in [1, "a, b"]', {"age": [1, "a, b"]}),
        ("age = >50K", {"age": ">50K"}),
    ],
)
def test_conditions(text: str, where: dict[str, Any]) -> None:
    assert parse_where([text], NAMES) == where


@pytest.mark.parametrize("text", ["", "age", "height = 1", "age in [1", "= 4"])
def test_wrong_conditions(text: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        parse_where([text], NAMES)


def test_one_condition_a_column() -> None:
    with pytest.raises(ConfigError, match="one condition for age"):
        parse_where(["age > 1", "age < 3"], NAMES)


def test_latents_go_to_a_file_and_back(
    run: Run, calls: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("rows.csv").write_text("age,colour\n1,red\n2,blue\n")
    assert execute(["encode", "a", "rows.csv", "--out", "z.npy"]) == 0
    assert np.load("z.npy").shape == (2, 3)
    assert execute(["decode", "a", "z.npy", "--out", "back.csv"]) == 0
    assert len(pd.read_csv("back.csv")) == 2
    np.save("wide.npy", np.zeros((2, 9)))
    assert "shape (n, 3), but got (2, 9)" in fails(capsys, "decode", "a", "wide.npy", "--out", "back.csv")
    np.save("objects.npy", np.array([{}], dtype=object))
    assert "expected latents" in fails(capsys, "decode", "a", "objects.npy", "--out", "back.csv")


def test_interpolate_takes_numbers_and_objects(
    run: Run, calls: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("rows.csv").write_text("age,colour\n1,red\n2,blue\n")
    other = json.dumps({"age": 9, "colour": "red"})
    assert execute(["interpolate", "a", "1", other, "--data", "rows.csv", "--steps", "4"]) == 0
    given = dict(calls)["interpolate"]
    assert given["row_a"]["age"].tolist() == [2]
    assert given["row_b"] == {"age": 9, "colour": "red"}
    assert capsys.readouterr().out.startswith("age,colour\n0,red")
    assert "from 0 to 1, but got 7" in fails(capsys, "interpolate", "a", "7", "0", "--data", "rows.csv")
    assert "a row number or a JSON object" in fails(
        capsys, "interpolate", "a", "x", "0", "--data", "rows.csv"
    )
