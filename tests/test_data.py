"""Bad tables get one clear message, odd ones a note; splits and fingerprints are stable."""

from __future__ import annotations

import io
import urllib.request
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from difflm.data import BUILTIN, Dataset, load, load_builtin, paper
from difflm.data.split import split_rows
from difflm.errors import ConfigError, DataError, RunError, SchemaError
from difflm.schema import Kind
from tests.real_data import real_data


def frame_of(rows: int = 40, **columns: Any) -> pd.DataFrame:
    """A small sane table with further columns."""
    rng = np.random.default_rng(0)
    made = pd.DataFrame({"n": rng.integers(0, 9, rows), "x": rng.normal(size=rows).round(2)})
    return made.assign(c=rng.choice(["a", "b"], rows), **columns)


def whole(data: Dataset) -> pd.DataFrame:
    """All rows of a data set."""
    return pd.concat([data.train, data.validation, data.test], ignore_index=True)


def test_load_splits_and_keeps_every_row() -> None:
    frame = frame_of(100)
    data = load(frame, target="c", seed=3)
    assert [len(data.train), len(data.validation), len(data.test)] == [80, 10, 10]
    order = list(frame.columns)
    assert whole(data).sort_values(order).values.tolist() == frame.sort_values(order).values.tolist()
    assert data.schema.target == "c" and data.train.dtypes.equals(frame.dtypes)


def test_split_is_seeded_and_never_empty() -> None:
    for count in (3, 4, 10, 97):
        parts = split_rows(count, 0)
        assert sorted(np.concatenate(parts)) == list(range(count)) and all(len(part) for part in parts)
    assert split_rows(50, 1)[0].tolist() == split_rows(50, 1)[0].tolist() != split_rows(50, 2)[0].tolist()
    with pytest.raises(DataError, match="at least 3 rows"):
        split_rows(2, 0)


def test_fingerprint_is_of_content_and_split(tmp_path: Path) -> None:
    frame = frame_of(date=["2020-01-31", None] * 20)
    frame.to_csv(tmp_path / "t.csv", index=False)
    frame.to_parquet(tmp_path / "t.parquet")
    mark = load(frame).fingerprint
    assert load(tmp_path / "t.csv").fingerprint == load(str(tmp_path / "t.parquet")).fingerprint == mark
    assert load(frame, seed=1).fingerprint != mark
    assert load(frame.assign(n=frame["n"] + 1)).fingerprint != mark
    assert load(frame, kinds={"n": Kind.category}).fingerprint != mark


def test_ranges_are_those_of_the_training_rows() -> None:
    frame = frame_of(50).assign(n=np.arange(50) * 7 % 50 * 2)
    data = load(frame)
    assert data.schema.column("n").maximum == data.train["n"].max()


def test_validation_rows_given_apart() -> None:
    data = load(frame_of(40), validation=frame_of(5))
    assert [len(data.train), len(data.validation), len(data.test)] == [36, 5, 4]
    with pytest.raises(DataError, match=r"same columns in the validation rows.*no c"):
        load(frame_of(40), validation=frame_of(5).drop(columns="c"))


@pytest.mark.parametrize(
    ("frame", "says"),
    [
        (pd.DataFrame(), "at least one column"),
        (frame_of(0), "at least 10 rows, but got 0"),
        (frame_of(1), "at least 10 rows, but got 1"),
        (frame_of(9), "at least 10 rows, but got 9"),
        (pd.DataFrame({"id": range(50)}), "only identifiers"),
    ],
)
def test_refused_tables(frame: pd.DataFrame, says: str) -> None:
    with pytest.raises(DataError, match=says):
        load(frame)


def test_unknown_target_and_kind_name_the_nearest_column() -> None:
    with pytest.raises(ConfigError, match="out of n, x, income, but got 'incom'; did you mean income"):
        load(frame_of().rename(columns={"c": "income"}), target="incom")
    with pytest.raises(ConfigError, match="did you mean c"):
        load(frame_of(), kinds={"C": Kind.text})
    with pytest.raises(DataError, match="did you mean gapminder"):
        load("gapmindr")
    with pytest.raises(DataError, match="built-in table out of"):
        load_builtin("nothing")
    with pytest.raises(SchemaError, match="complex numbers"):
        load(frame_of(z=1j))


@pytest.mark.parametrize("source", [[{"a": 1}], {"a": [1, 2]}, 3], ids=["list", "dict", "number"])
def test_what_is_no_source_is_refused_by_its_type(source: object) -> None:
    with pytest.raises(DataError, match=f"a built-in set, but got {type(source).__name__}; give the rows"):
        load(source)  # type: ignore[arg-type]


MANY = [f"category {i}" for i in range(20_000)] * 2


@pytest.mark.parametrize(
    ("frame", "note"),
    [
        (pd.DataFrame({"only": [1, 2, 3] * 10}), ""),
        (frame_of(k=5), "same value"),
        (frame_of(k=None), "all cells are missing"),
        (pd.DataFrame({f"c{i}": np.arange(30) % (i + 2) for i in range(300)}), ""),
        (pd.DataFrame({"c": MANY, "n": np.arange(40_000) % 7}), "categories: rare ones"),
        (frame_of(m=[1, "a", 2.5, None] * 10), "several types"),
        (frame_of(f=[1.5, np.inf, np.nan, 1e300] * 10), "infinite values"),
        (frame_of(t=["x" * 100_000, "short", "words", None] * 10), "100,000 characters"),
        (frame_of(e=["🎉", "שלום", "a,b", 'q"q', "new\nline"] * 8), ""),
        (frame_of(d=["2020-01-31", "31.01.2020", "Jan 31, 2020", None] * 10), "3 formats"),
        (frame_of(mail=[f"u{i}@x.org" for i in range(40)]), "likely personal data"),
        (frame_of(nested=[{"a": 1}, [2]] * 20), "several types"),
    ],
)
def test_odd_tables_are_handled_with_a_note_and_survive_the_run_folder(
    tmp_path: Path, frame: pd.DataFrame, note: str
) -> None:
    data = load(frame)
    assert note in " ".join(data.notes) and (note or not data.notes)
    assert len(whole(data)) == len(frame) and list(data.train) == list(frame)
    data.write(tmp_path)
    again = Dataset.read(tmp_path)
    for part in ("train", "validation", "test"):
        pd.testing.assert_frame_equal(getattr(again, part), getattr(data, part))
    assert (again.schema, again.fingerprint, again.notes) == (data.schema, data.fingerprint, data.notes)


def test_duplicate_column_names_are_renamed_with_a_note() -> None:
    frame = frame_of().set_axis(["a", "b", "a"], axis=1)
    data = load(frame, target="a_2")
    assert list(data.train) == ["a", "b", "a_2"] and any("renamed" in note for note in data.notes)


def test_a_half_written_data_folder_is_refused(tmp_path: Path) -> None:
    load(frame_of()).write(tmp_path)
    (tmp_path / "test.parquet").write_bytes(b"PAR1 cut")
    with pytest.raises(RunError, match="whole data set"):
        Dataset.read(tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError):
        load(frame_of()).write(tmp_path / "file")


@pytest.mark.parametrize("name", [name for name in BUILTIN if not name.startswith("paper/")])
def test_builtin_tables(name: str) -> None:
    data, about = load_builtin(name, seed=1), BUILTIN[name]
    assert data.train.shape[1] == about.columns and data.schema.record == about.record
    assert len(whole(data)) == about.rows if about.rows is not None else len(whole(data)) > 1_000
    assert data.schema.target == about.target and data.licence == about.licence and data.source
    pd.testing.assert_frame_equal(data.schema.restore(data.schema.canonical(data.train)), data.train)


def test_builtin_kinds() -> None:
    kinds = {c.name: c.kind.value for c in load("gapminder").schema.columns}
    assert kinds == {
        "country": "category",
        "continent": "category",
        "year": "integer",
        "lifeExp": "real",
        "pop": "integer",
        "gdpPercap": "real",
        "iso_alpha": "category",
        "iso_num": "integer",
    }
    assert load("tips", target="sex").schema.target == "sex"


@pytest.fixture
def data_root() -> Path:
    """The folder of real tables."""
    return real_data("paper")


@pytest.mark.parametrize("name", list(paper.PAPER))
def test_paper_tables(name: str, data_root: Path) -> None:
    data, about = load(f"paper/{name}"), BUILTIN[f"paper/{name}"]
    assert len(data.train) + len(data.validation) + len(data.test) == about.rows
    assert data.schema.target == about.target and data.train.shape[1] == about.columns
    given = pd.read_parquet(data_root / "paper" / name / "train.parquet")
    pd.testing.assert_frame_equal(data.train, given)


@pytest.mark.parametrize("name", ["magic", "shoppers"])
def test_downloaded_tables_are_the_same(
    name: str, data_root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    table, data = paper.PAPER[name], load(f"paper/{name}")
    full = pd.read_parquet(data_root / "paper" / name / "full.parquet")
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr(table.members[0], full.to_csv(index=False, header=table.header))
    monkeypatch.delenv("DIFFLM_DATA")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: io.BytesIO(archive.getvalue()))
    assert load(f"paper/{name}").fingerprint == data.fingerprint
    monkeypatch.setattr(urllib.request, "urlopen", lambda *_, **__: pytest.fail("the cache was not used"))
    assert load(f"paper/{name}").fingerprint == data.fingerprint


def test_paper_tables_offline_say_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def offline(*_: Any, **__: Any) -> None:
        raise OSError("no network")

    monkeypatch.delenv("DIFFLM_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(urllib.request, "urlopen", offline)
    with pytest.raises(DataError, match=r"connection to .*no network; set DIFFLM_DATA"):
        load("paper/adult")


def test_a_download_with_other_cells_is_refused() -> None:
    lines = "1,2,3,4,5,6,7,8,9,10,g\n" * 3
    with pytest.raises(DataError, match="the table magic at"):
        paper.parse("magic", lines.encode())


def test_a_built_in_table_is_drawn_from_as_a_file_is() -> None:
    whole, some, again = (load("diabetes", seed=3, max_rows=rows) for rows in (None, 100, 100))
    assert len(whole.train) > 300 and not whole.drawn
    assert len(some.train) + len(some.validation) + len(some.test) == 100 and "100" in some.drawn
    assert some.train.equals(again.train)
