"""One function that reads any table file, with one kind of error for all that can be wrong with it."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from difflm.cells import text_of
from difflm.data.batches import (
    Read,
    parquet_from_bytes,
    read_long_delimited,
    read_long_lines,
    read_parquet,
)
from difflm.data.delimited import decode, read_delimited
from difflm.data.files import (
    FORMATS,
    MAX_FILE_BYTES,
    MAX_UNPACKED_BYTES,
    Content,
    read_content,
    refuse_code,
    unpacked,
)
from difflm.data.sampled import MAX_ROWS, Draw, drawn_rows, told
from difflm.errors import DataError
from difflm.schema import unique_names

MAX_COLUMNS = 2_000
STREAM_BYTES = 64 * 1024**2
"""Files of text from this size on are read in batches, so that they need not be whole in memory."""
_SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
_RECORD_KEYS = ("data", "rows", "records", "items", "results", "values")
_JSON_TABLE = "a JSON list of objects, a dict of columns, or an object with such a list under `data`"


def read_table(path: str | Path, draw: Draw | None = None) -> pd.DataFrame:
    """The table in `path`; what was assumed about it stands in `frame.attrs["notes"]`.

    Reads CSV, TSV, Parquet (also a folder of it), JSON, JSONL and Excel, also zipped or gzipped; never
    pickles. Column names are distinct strings. With `draw` rows are drawn while reading, so that Parquet,
    CSV and JSONL may be larger than memory; `attrs["drawn"]` says so. DataError for what cannot be read.
    """
    path = Path(path)
    made = _by_batches(path, draw)
    if made is None:
        return drawn_rows(table_from(read_content(path), path.name), draw)
    frame, notes, seen = made
    return told(_finished(frame, notes, path.name), seen, draw)


def _by_batches(path: Path, draw: Draw | None) -> Read | None:
    """The table of a file that is read in batches; None where it has to be read whole."""
    if path.is_dir():
        return read_parquet(path, draw, MAX_COLUMNS)
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(8)
    except OSError:
        return None
    suffix = path.suffix.lower()
    if head[:4] == b"PAR1":
        refuse_code(path.name)
        return read_parquet(path, draw, MAX_COLUMNS)
    if size < STREAM_BYTES or head[:2] in (b"\x1f\x8b", b"PK"):
        return None
    try:
        if suffix in (".jsonl", ".ndjson"):
            return read_long_lines(path, draw, lambda data: _json(data, path.name, suffix))
        if suffix in (".csv", ".tsv", ".tab", ".txt"):
            return read_long_delimited(path, draw)
    except (pa.ArrowException, DataError) as error:
        # Read whole it may be read after all, or has a better message.
        if size <= MAX_FILE_BYTES:
            return None
        if isinstance(error, DataError):
            raise
        what = f"{path.name}: {_brief(error)}"
        raise DataError(
            "a table in UTF-8, or in Parquet", what, "repair the line, or save it anew"
        ) from error
    return None


def table_from_bytes(data: bytes, name: str) -> pd.DataFrame:
    """`read_table` of a file that is in memory already."""
    return table_from(unpacked(data, name), name)


def table_from(content: Content, name: str) -> pd.DataFrame:
    """The table in unpacked `content`; the format is told by its first bytes, then by the suffix."""
    data, suffix = content
    notes: list[str] = []
    if data[:4] == b"PAR1" or suffix in (".parquet", ".pq"):
        frame, notes = parquet_from_bytes(data, name, MAX_COLUMNS)
    elif data[:4] == b"PK\x03\x04" or suffix in (".xlsx", ".xlsm"):
        frame, notes = _excel(data, name)
    elif data[:8] == b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" or suffix == ".xls":
        raise DataError(FORMATS, f"the old Excel file {name}", "save it as .xlsx or CSV")
    elif suffix in (".json", ".jsonl", ".ndjson") or (
        suffix not in (".csv", ".tsv") and data.lstrip()[:2] in (b"[{", b'{"')
    ):
        frame, notes = _json(data, name, suffix)
    else:
        frame, notes = read_delimited(data, name)
    return _finished(frame, notes, name)


def _finished(frame: pd.DataFrame, notes: list[str], name: str) -> pd.DataFrame:
    if not len(frame.columns) or not len(frame):
        raise DataError("a table with columns and rows", f"none in {name}", "check how it was saved")
    if len(frame) > MAX_ROWS or len(frame.columns) > MAX_COLUMNS:
        raise DataError(
            f"at most {MAX_ROWS:,} rows and {MAX_COLUMNS:,} columns",
            f"{len(frame):,} rows and {len(frame.columns):,} columns in {name}",
            "take a sample of the rows or leave columns out",
        )
    names, renamed = unique_names(list(frame.columns))
    frame = frame.set_axis(pd.Index(names), axis=1).reset_index(drop=True)
    for column in names:
        if frame[column].dtype == object:
            frame[column], note = _plain(frame[column])
            notes += [f"column {column!r}: {note}"] if note else []
    frame.attrs["notes"] = notes + renamed
    return frame


def _plain(cells: pd.Series) -> tuple[pd.Series, str]:
    """Objects that are lists or mappings as JSON text; strings with broken characters repaired."""
    nested = [isinstance(cell, (Mapping, list, tuple)) or hasattr(cell, "tolist") for cell in cells]
    note = ""
    if any(nested):
        cells = pd.Series([text_of(c) if n else c for c, n in zip(cells, nested, strict=True)], dtype=object)
        note = "nested values are written as JSON text"
    if all(cell is None or isinstance(cell, str) for cell in cells):
        mended = [None if c is None else c.encode("utf-8", "replace").decode("utf-8") for c in cells]
        return pd.Series(mended, dtype="str"), note
    return cells, note


def _excel(data: bytes, name: str) -> tuple[pd.DataFrame, list[str]]:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            if sum(item.file_size for item in archive.infolist()) > MAX_UNPACKED_BYTES:
                raise DataError(
                    "an Excel file of usual size", f"a far larger one in {name}", "save it as CSV"
                )
        with pd.ExcelFile(io.BytesIO(data), engine="openpyxl") as book:
            titles = [str(title) for title in book.sheet_names]
            frame = pd.read_excel(book, sheet_name=0, keep_default_na=False, na_values=[""])
    except DataError:
        raise
    except Exception as error:  # openpyxl raises whatever its XML parser meets
        raise DataError("a whole Excel file (.xlsx)", f"{name}: {_brief(error)}", "save it as CSV") from error
    frame = frame.dropna(how="all")
    frame.columns = pd.Index(["" if str(c).startswith("Unnamed: ") else c for c in frame.columns])
    others = f"only the first sheet {titles[0]!r} of {len(titles)} was read"
    return frame, [others] if len(titles) > 1 else []


def _json(data: bytes, name: str, suffix: str) -> tuple[pd.DataFrame, list[str]]:
    text, note = decode(data, name)
    notes = [note] if note else []
    try:
        value = _lines(text) if suffix in (".jsonl", ".ndjson") else json.loads(text)
    except ValueError as error:
        try:
            value = json.loads(text) if suffix in (".jsonl", ".ndjson") else _lines(text)
        except ValueError:
            raise DataError(
                "whole JSON", f"{name}: {error}", "check that it was written to the end"
            ) from error
    except RecursionError as error:
        raise DataError(_JSON_TABLE, f"values nested too deep in {name}", "flatten it") from error
    if _SURROGATE.search(text):
        value = json.loads(json.dumps(value, ensure_ascii=False).encode("utf-8", "replace"))
    frame = _json_table(value)
    if frame is None:
        raise DataError(_JSON_TABLE, f"{type(value).__name__} of another shape in {name}", "rewrite it so")
    return frame, notes


def _lines(text: str) -> list[Any]:
    return [json.loads(line) for line in text.split("\n") if line.strip()]


def _json_table(value: Any) -> pd.DataFrame | None:
    try:
        if isinstance(value, list):
            rows = value and all(isinstance(row, dict) for row in value)
            return pd.DataFrame(value) if rows else None
        if not isinstance(value, dict):
            return None
        if set(value) >= {"columns", "data"} and isinstance(value["columns"], list):
            return pd.DataFrame(value["data"], columns=value["columns"])
        lists = [value[key] for key in _RECORD_KEYS if isinstance(value.get(key), list)]
        if lists and lists[0] and isinstance(lists[0][0], dict):
            return _json_table(lists[0])
        columns = all(isinstance(cells, list) for cells in value.values())
        keyed = all(isinstance(cells, dict) for cells in value.values())
        return pd.DataFrame(value) if value and (columns or keyed) else None
    except (ValueError, TypeError) as error:
        raise DataError(_JSON_TABLE, str(error)[:120], "make all columns equally long") from error


def _brief(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
