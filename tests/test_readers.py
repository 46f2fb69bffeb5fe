"""Every readable file becomes the same frame; everything else is one DataError."""

from __future__ import annotations

import csv
import gzip
import io
import json
import pickle
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.cells import text_of
from difflm.data import read_table, table_from_bytes
from difflm.errors import DataError

FRAME = pd.DataFrame({"n": [1, 2, 3], "x": [0.5, np.nan, 1e300], "t": ["a,b", 'say "hi"', "line\nbreak"]})


def read_text(text: str, name: str = "t.csv", encoding: str = "utf-8") -> pd.DataFrame:
    """The table of a text file."""
    return table_from_bytes(text.encode(encoding), name)


@pytest.mark.parametrize("suffix", ["csv", "tsv", "parquet", "json", "jsonl", "xlsx", "csv.gz", "zip"])
def test_all_formats_give_the_same_frame(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"table.{suffix}"
    if suffix == "parquet":
        FRAME.to_parquet(path)
    elif suffix == "xlsx":
        FRAME.to_excel(path, index=False)
    elif suffix == "json":
        path.write_text(FRAME.to_json(orient="records"))
    elif suffix == "jsonl":
        FRAME.to_json(path, orient="records", lines=True)
    elif suffix == "zip":
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("folder/table.csv", FRAME.to_csv(index=False))
            archive.writestr("__MACOSX/._table.csv", "rubbish")
            archive.writestr("readme.md", "about")
    else:
        FRAME.to_csv(path, index=False, sep="\t" if suffix == "tsv" else ",")
    pd.testing.assert_frame_equal(read_table(path), FRAME)


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_separators_are_found(separator: str) -> None:
    frame = read_text(f"a{separator}b\n1{separator}x y\n2{separator}z\n")
    assert frame.to_dict("list") == {"a": [1, 2], "b": ["x y", "z"]}


def test_one_column_with_blanks_and_commas() -> None:
    assert read_text("words\nhello there\nyou too\n").to_dict("list") == {"words": ["hello there", "you too"]}
    assert read_text('words\n"a, b"\n"c"\n')["words"].tolist() == ["a, b", "c"]


@pytest.mark.parametrize(
    ("encoding", "note"),
    [
        ("utf-8", ""),
        ("utf-8-sig", ""),
        ("utf-16", "utf-16"),
        ("latin-1", "Windows-1252"),
        ("cp1252", "Windows-1252"),
    ],
)
def test_encodings(encoding: str, note: str) -> None:
    frame = read_text("stadt,größe\nKöln,1\nZürich,2\n", encoding=encoding)
    assert list(frame) == ["stadt", "größe"] and frame["stadt"].tolist() == ["Köln", "Zürich"]
    assert note in " ".join(frame.attrs["notes"]) and bool(frame.attrs["notes"]) == bool(note)


def test_emoji_and_right_to_left_text_survive() -> None:
    cells = ["🎉 party", "שלום עולם", "مرحبا", "漢字"]
    assert read_text("t,n\n" + "\n".join(f"{c},1" for c in cells))["t"].tolist() == cells


def test_codes_are_no_numbers() -> None:
    frame = read_text("zip,long,int,gap,dec\n01234,12345678901234567890,7,1,1.50\n98765,2,8,,2\n")
    assert frame["zip"].tolist() == ["01234", "98765"]
    assert frame["long"].tolist() == ["12345678901234567890", "2"]
    assert (
        frame["int"].dtype == "int64"
        and frame["gap"].dtype == "float64"
        and frame["dec"].tolist() == [1.5, 2]
    )


def test_large_integers_with_gaps_keep_their_digits() -> None:
    assert read_text(f"a,b\n{2**60 + 1},1\n,2\n")["a"].iloc[0] == 2**60 + 1


def test_missing_words_count_only_among_numbers() -> None:
    frame = read_text("n,c\n1,NA\nNA,DE\n-,?\n3,None\n")
    assert frame["n"].isna().tolist() == [False, True, True, False]
    assert frame["c"].tolist() == ["NA", "DE", "?", "None"]
    assert any("count as missing" in note for note in frame.attrs["notes"])


def test_decimal_commas() -> None:
    frame = read_text("a;b\n1,5;1.234,50\n2,25;17\n")
    assert frame.to_dict("list") == {"a": [1.5, 2.25], "b": [1234.5, 17.0]}
    assert any("decimal commas" in note for note in frame.attrs["notes"])


def test_a_missing_header_line_is_noticed_but_years_are_titles() -> None:
    frame = read_text("5.1,3.5,a\n4.9,3.0,b\n4.7,3.2,c\n")
    assert list(frame) == ["column_1", "column_2", "column_3"] and len(frame) == 3
    assert list(read_text("land,1990,1991\nx,1,2\ny,3,4\n")) == ["land", "1990", "1991"]


def test_blanks_after_separators_are_not_part_of_the_cells() -> None:
    frame = read_text("age, job\n39, clerk\n50, smith\n")
    assert frame.to_dict("list") == {"age": [39, 50], "job": ["clerk", "smith"]}


def test_line_ends_and_separators_at_the_end() -> None:
    for text in ("a,b\r\n1,2\r\n3,4\r\n", "a,b\r1,2\r3,4", "a,b,\n1,2,\n3,4,\n", "a,b\n\n1,2\n\n3,4"):
        assert read_text(text).to_dict("list") == {"a": [1, 3], "b": [2, 4]}


def test_cells_of_200_kilobytes() -> None:
    frame = read_text(f'a,b\n1,"{"x, " * 70_000}"\n2,y\n')
    assert frame["b"].str.len().tolist() == [210_000, 1]


def test_duplicate_and_empty_column_names_are_renamed() -> None:
    frame = read_text("a,a,\n1,2,3\n4,5,6\n")
    assert list(frame) == ["a", "a_2", "column_3"]
    assert any("renamed" in note for note in frame.attrs["notes"])


@pytest.mark.parametrize(
    "value",
    [
        [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}],
        {"a": [1, 2], "b": ["x", "y"]},
        {"data": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}], "page": 1},
        {"columns": ["a", "b"], "index": [0, 1], "data": [[1, "x"], [2, "y"]]},
        {"a": {"0": 1, "1": 2}, "b": {"0": "x", "1": "y"}},
    ],
)
def test_json_shapes(value: Any) -> None:
    frame = read_text(json.dumps(value), "t.json")
    assert frame.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}


def test_broken_characters_in_json_are_replaced() -> None:
    assert read_text('[{"a": "\\ud800x"}, {"a": "\\ud83d\\ude00"}]', "t.json")["a"].tolist() == ["?x", "😀"]


def test_nested_json_becomes_text_with_a_note() -> None:
    frame = read_text(json.dumps([{"a": {"b": 1}, "c": [1, 2]}, {"a": None, "c": []}]), "t.json")
    assert frame["a"].tolist()[0] == '{"b": 1}' and frame["c"].tolist() == ["[1, 2]", "[]"]
    assert any("JSON text" in note for note in frame.attrs["notes"])


def test_the_first_sheet_is_read_and_the_others_are_named(tmp_path: Path) -> None:
    with pd.ExcelWriter(tmp_path / "t.xlsx") as writer:
        FRAME.to_excel(writer, sheet_name="first", index=False)
        FRAME.to_excel(writer, sheet_name="second", index=False)
    assert "first sheet 'first' of 2" in read_table(tmp_path / "t.xlsx").attrs["notes"][0]


def _parquet() -> bytes:
    buffer = io.BytesIO()
    FRAME.to_parquet(buffer)
    return buffer.getvalue()


def _zip(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("_", "."), data)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("t.csv", b"", "empty file"),
        ("t.csv", b" \n\n", "empty file"),
        ("t.csv", b"a,b,c\n", "only a header line"),
        ("t.csv", b"a,b\n1,2\n3\n", "2 cells in every line of t.csv, but got 1 in line 3"),
        ("t.csv", b"a,b\n1,2,3\n", "2 cells in every line"),
        ("t.csv", b"a report\na,b\n1,2\n3,4\n", "2 column names in the first line"),
        ("t.csv", b'a,b\n"open,1\n2,3\n', "2 cells in every line"),
        ("t.csv", b"<html>", "only a header line"),
        ("t.csv", b"\x00\x01\x02\x00", "binary content"),
        ("t.csv", b"\xff\xfea", "utf-16"),
        ("t.parquet", _parquet()[:-20], "whole Parquet file"),
        ("t.parquet", b"a,b\n1,2\n", "whole Parquet file"),
        ("t.xlsx", b"PK\x03\x04 broken", "whole Excel file"),
        ("t.xls", b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "old Excel file"),
        ("t.json", b'{"a": 1}', "JSON list of objects"),
        ("t.json", b"[1, 2]", "JSON list of objects"),
        ("t.json", b"[]", "JSON list of objects"),
        ("t.json", b'"text"', "JSON list of objects"),
        ("t.json", b'[{"a": 1}, {"a"', "whole JSON"),
        ("t.json", b'{"a": [1, 2], "b": [1]}', "equally long"),
        ("t.json", b"[" * 100_000, "nested too deep"),
        ("t.pkl", b"anything", "can run code"),
        ("model.pt", b"anything", "can run code"),
        ("t.csv", pickle.dumps({"a": [1]}), "holds Python objects"),
        ("t.csv", pickle.dumps(FRAME, protocol=0), "holds Python objects"),
        ("t.npy", b"", "can run code"),
        ("t.csv", b"\x93NUMPY\x01", "holds Python objects"),
        ("t.csv.gz", gzip.compress(pickle.dumps([1])), "holds Python objects"),
        ("t.csv.gz", gzip.compress(b"a,b\n1,2\n" * 100)[:-9], "whole gz file"),
        ("t.zip", _zip(a_csv=b"a\n1\n", b_csv=b"a\n1\n"), "exactly one table"),
        ("t.zip", _zip(a_pkl=b"x"), "can run code"),
        ("t.zip", _zip(a_csv=b"a\n1\n")[:-30], "whole zip file"),
    ],
)
def test_refused(name: str, data: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        table_from_bytes(data, name)


def test_files_that_are_not_there(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no file at"):
        read_table(tmp_path / "no.csv")
    with pytest.raises(DataError, match="the folder"):
        read_table(tmp_path)


def test_limits(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from difflm.data import delimited, files, readers

    (tmp_path / "t.csv").write_text("a,b\n" + "1,2\n" * 50)
    monkeypatch.setattr(files, "MAX_FILE_BYTES", 100)
    with pytest.raises(DataError, match="at most 0 MB"):
        read_table(tmp_path / "t.csv")
    monkeypatch.setattr(files, "MAX_UNPACKED_BYTES", 1000)
    with pytest.raises(DataError, match="more in"):
        table_from_bytes(gzip.compress(b"a,b\n" + b"1,2\n" * 1000), "t.csv.gz")
    monkeypatch.setattr(readers, "MAX_ROWS", 40)
    with pytest.raises(DataError, match="at most 40 rows"):
        read_text("a,b\n" + "1,2\n" * 50)
    monkeypatch.setattr(delimited, "MAX_CELL", 100)
    with pytest.raises(DataError, match="look for an open quote"):
        read_text('a,b\n1,"' + "x" * 200 + '"\n')


_cell = st.text(
    alphabet=st.characters(blacklist_categories=["Cs"], blacklist_characters="\x00\r\x1f"), max_size=8
)


@settings(max_examples=150, deadline=None)
@given(
    st.integers(2, 4).flatmap(
        lambda n: st.lists(
            st.lists(_cell.map(lambda t: "w" + t), min_size=n, max_size=n), min_size=1, max_size=8
        )
    ),
    st.sampled_from([",", ";", "\t", "|"]),
)
def test_any_cells_come_back_from_csv(rows: list[list[str]], separator: str) -> None:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=separator, lineterminator="\n", quoting=csv.QUOTE_ALL)
    writer.writerows([[f"c{i}" for i in range(len(rows[0]))], *rows])
    frame = table_from_bytes(text.getvalue().encode(), "t.csv")
    assert frame.values.tolist() == rows


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False, allow_infinity=False)),
        min_size=1,
        max_size=20,
    )
)
def test_any_numbers_come_back_from_csv(rows: list[tuple[int, float]]) -> None:
    frame = pd.DataFrame(rows, columns=["i", "f"])
    read = table_from_bytes(frame.to_csv(index=False).encode(), "t.csv")
    assert read["i"].tolist() == frame["i"].tolist()
    assert [float(v) for v in read["f"]] == frame["f"].tolist()


def test_lines_of_json_end_at_line_feeds_only(tmp_path: Path) -> None:
    path = tmp_path / "lines.jsonl"
    path.write_text('{"a": "one\u2028line", "b": 1}\n{"a": "x", "b": 2}\n', encoding="utf-8")
    assert read_table(path)["a"].tolist() == ["one\u2028line", "x"]


def test_arrays_inside_structs_stay_lists(tmp_path: Path) -> None:
    path = tmp_path / "nested.parquet"
    pd.DataFrame({"a": [{"names": np.array(["x", "y"]), "n": 1}] * 3}).to_parquet(path)
    frame = read_table(path)
    assert text_of(frame["a"].iloc[0]) == '{"names": ["x", "y"], "n": 1}'
