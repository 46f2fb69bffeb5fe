"""Tables read by batches: the same rows as read whole, and the same sample however they are cut."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from safetensors.numpy import save_file

from difflm.data import batches, load, read_table, readers
from difflm.data.sampled import Draw, Reservoir, drawn_rows
from difflm.errors import DataError
from difflm.map_data import build_map, read_latents

ROWS = 500


def table(rows: int = ROWS) -> pd.DataFrame:
    """Numbers, gaps, categories and codes; the first column is the row number."""
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "row": np.arange(rows),
            "x": np.where(rng.random(rows) < 0.1, np.nan, np.round(rng.normal(size=rows), 2)),
            "city": pd.Series(rng.choice(["Bonn", "Köln", 'a, "b"\nc'], rows), dtype="str"),
            "code": pd.Series([f"{i:05d}" for i in range(rows)], dtype="str"),
        }
    )


def write_folder(folder: Path, frame: pd.DataFrame) -> Path:
    """The rows as three Parquet files of several row groups, beside what is no data."""
    folder.mkdir()
    for number, rows in enumerate(np.array_split(np.arange(len(frame)), 3)):
        part = pa.Table.from_pandas(frame.iloc[rows], preserve_index=False)
        pq.write_table(part, folder / f"part-{number}.parquet", row_group_size=60)
    (folder / "_SUCCESS").write_text("")
    (folder / ".hidden.parquet").write_text("no table")
    return folder


@pytest.fixture
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every file is read in many batches."""
    monkeypatch.setattr(readers, "STREAM_BYTES", 0)
    monkeypatch.setattr(batches, "BATCH_ROWS", 37)
    monkeypatch.setattr(batches, "JSON_ROWS", 41)
    monkeypatch.setattr("difflm.data.delimited.BLOCK_BYTES", 700)


@pytest.mark.usefixtures("small_batches")
def test_every_file_and_a_folder_are_one_table(tmp_path: Path) -> None:
    frame = table()
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_csv(tmp_path / "t.tsv", index=False, sep="\t")
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    frame.to_parquet(tmp_path / "t.parquet", row_group_size=90)
    write_folder(tmp_path / "folder", frame)
    for name in ("t.csv", "t.tsv", "t.jsonl", "t.parquet", "folder"):
        pd.testing.assert_frame_equal(read_table(tmp_path / name), frame, obj=name)
    one = load(frame)
    for name in ("t.csv", "folder"):
        other = load(tmp_path / name)
        assert (other.fingerprint, other.schema.columns) == (one.fingerprint, one.schema.columns)
        pd.testing.assert_frame_equal(other.train, one.train)


@pytest.mark.usefixtures("small_batches")
def test_a_sample_is_the_same_from_every_source(tmp_path: Path) -> None:
    frame, draw = table(), Draw(seed=3, rows=100)
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_json(tmp_path / "t.jsonl", orient="records", lines=True)
    write_folder(tmp_path / "folder", frame)
    expected = drawn_rows(frame, draw)
    assert len(expected) == 100 and expected["row"].is_monotonic_increasing
    for name in ("t.csv", "t.jsonl", "folder"):
        made = read_table(tmp_path / name, draw)
        pd.testing.assert_frame_equal(made, expected, obj=name)
        assert made.attrs["drawn"].startswith("100 of 500 rows are used, drawn by seed 3")
    assert not read_table(tmp_path / "t.csv", Draw(rows=4))["row"].equals(expected["row"].iloc[:4])


@pytest.mark.parametrize("size", [1, 7, 500, 20_000])
def test_a_sample_is_the_same_for_any_batch_size(size: int) -> None:
    rows = np.arange(20_000)
    made = Reservoir(300, seed=1)
    for first in range(0, len(rows), size):
        made.add(pa.record_batch({"row": rows[first : first + size]}))
    kept = made.table(pa.schema({"row": pa.int64()}))["row"].to_numpy()
    everything = Reservoir(300, seed=1)
    everything.add(pa.record_batch({"row": rows}))
    assert made.seen == len(rows) and len(kept) == 300
    assert np.array_equal(kept, everything.table(pa.schema({"row": pa.int64()}))["row"].to_numpy())


def test_a_sample_is_uniform() -> None:
    tally = np.zeros(50)
    for seed in range(400):
        tally[drawn_rows(pd.DataFrame({"row": range(50)}), Draw(seed, 10))["row"]] += 1
    assert tally.sum() == 4000 and tally.min() > 45 and tally.max() < 120


def test_wide_tables_give_fewer_rows() -> None:
    assert Draw().most(15) == 1_000_000 and Draw().most(200) == 150_000
    assert Draw(rows=5_000).most(2_000) == 5_000


def test_what_was_drawn_is_noted_and_kept_with_the_split(tmp_path: Path) -> None:
    data = load(table(), max_rows=50)
    assert data.drawn.startswith("50 of 500 rows") and data.drawn in data.notes
    assert len(data.train) + len(data.validation) + len(data.test) == 50
    data.write(tmp_path)
    assert type(data).read(tmp_path).drawn == data.drawn
    assert json.loads((tmp_path / "card.json").read_text())["rows"] == {
        "train": 40,
        "validation": 5,
        "test": 5,
    }
    assert load(table(), max_rows=500).drawn == ""


def test_files_of_a_folder_may_differ_in_types_and_lack_columns(tmp_path: Path) -> None:
    folder = tmp_path / "sales"
    for year, cells in (("2023", {"a": [1, 2]}), ("2024", {"a": [1.5, None], "b": ["x", None]})):
        (folder / f"year={year}").mkdir(parents=True)
        pq.write_table(pa.table(cells), folder / f"year={year}" / "0.parquet")
    frame = read_table(folder)
    assert frame["a"].tolist()[:3] == [1.0, 2.0, 1.5]
    assert frame["b"].isna().tolist() == [True, True, False, True]
    assert frame["year"].tolist() == ["2023", "2023", "2024", "2024"]
    pq.write_table(pa.table({"a": ["text"]}), folder / "other.parquet")
    with pytest.raises(DataError, match="like columns in all files"):
        read_table(folder)


def test_a_broken_file_of_a_folder_is_named(tmp_path: Path) -> None:
    folder = write_folder(tmp_path / "folder", table())
    broken = folder / "part-1.parquet"
    broken.write_bytes(broken.read_bytes()[:-100])
    with pytest.raises(DataError, match=r"a whole Parquet file, but got part-1\.parquet"):
        read_table(folder)


@pytest.mark.usefixtures("small_batches")
def test_what_cannot_be_streamed_is_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"name,n\n" + "Käse,1\n".encode("cp1252") * 200)
    assert read_table(path)["name"].unique().tolist() == ["Käse"]
    path.write_text("a,b\n" + "1,2\n" * 300 + "1,2,3\n")
    with pytest.raises(DataError, match=r"2 cells in every line of t\.csv, but got 3 in line 302"):
        read_table(path)


def test_the_map_of_a_long_table_shows_the_rows_that_were_encoded(tmp_path: Path) -> None:
    load(table()).write(tmp_path / "data")
    train = pd.read_parquet(tmp_path / "data" / "train.parquet")
    rows = np.array([0, 7, 399])
    (tmp_path / "latents").mkdir()
    (tmp_path / "samples").mkdir()
    mu = rows[:, None] * np.ones((1, 2), np.float32)
    save_file({"mu": mu.astype(np.float32), "rows": rows}, tmp_path / "latents" / "train.safetensors")
    latents = read_latents(tmp_path)
    assert latents.real_rows["row"].tolist() == train["row"].iloc[rows].tolist()
    assert build_map(latents, latents.real, "pca").total == len(train) == 400
