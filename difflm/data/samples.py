"""The first part of a file, unpacked: what form it has, and which kind of record that shows."""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import zlib
from pathlib import Path, PurePosixPath
from typing import BinaryIO, Literal, NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from difflm.data.archives import Folder, Tree, Upload, Zip
from difflm.data.delimited import decode, find_separator, read_delimited
from difflm.data.files import read_content, refuse_code
from difflm.data.json_documents import first_documents, parse_documents, parse_lines
from difflm.data.recognition import JSONS, PYTHON, SAMPLE, SOURCES, TEXTS, Found, of_frame, of_values
from difflm.errors import DataError

Form = Literal["python", "json", "lines", "table"]
HEAD_BYTES = 4 * 1024**2
"""Bytes of a file that are looked at."""
_BOOKS = (".xlsx", ".xlsm", ".xls")
_PACKED = (b"PAR1", b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


class Head(NamedTuple):
    """The first bytes of an unpacked file, and whether they are all."""

    name: str
    data: bytes
    whole: bool

    @property
    def suffix(self) -> str:
        """The suffix in lower case."""
        return PurePosixPath(self.name.lower()).suffix

    @property
    def text(self) -> str:
        """Whole lines of the head as text; DataError for binary content."""
        data, end = self.data, self.data.rfind(b"\n") + 1
        utf16 = data[:2] in (b"\xff\xfe", b"\xfe\xff")
        cut = len(data) - len(data) % 2 if utf16 else end or len(data)
        return decode(data if self.whole else data[:cut], self.name).text


def tree_of(given: Path | Upload) -> Tree | None:
    """The folder or zip that a path or upload is; None for any other file."""
    if isinstance(given, Path) and given.is_dir():
        return Folder(given)
    if PurePosixPath(given.name.lower()).suffix in _BOOKS:
        return None
    with _stream(given) as stream:
        packed = stream.read(4) == b"PK\x03\x04"
    return Zip(given) if packed else None


def head_of(given: Path | Upload, tree: Tree | None = None, inner: str | None = None) -> Head:
    """The head of a file, of what is in its gz, or of the file `inner` of a zip."""
    refuse_code(given.name)
    if tree is not None and inner is not None:
        refuse_code(inner)
        data = tree.read(inner, HEAD_BYTES + 1)
        return Head(PurePosixPath(inner).name, data[:HEAD_BYTES], len(data) <= HEAD_BYTES)
    name = given.name
    with _stream(given) as stream:
        data = stream.read(HEAD_BYTES + 1)
    if data[:2] == b"\x1f\x8b":
        name = name[: -len(PurePosixPath(name).suffix)] if name.lower().endswith((".gz", ".gzip")) else name
        with _stream(given) as stream:
            data = _gunzipped(stream, name)
    return Head(name, data[:HEAD_BYTES], len(data) <= HEAD_BYTES)


def form_of(head: Head) -> Form:
    """What a file is to be read as."""
    suffix = head.suffix
    if head.data[:4] in _PACKED or suffix in (*_BOOKS, ".parquet", ".pq"):
        return "table"
    if suffix in PYTHON:
        return "python"
    text = head.text
    if suffix in JSONS or (suffix not in (".csv", ".tsv") and text.lstrip()[:2] in ("[{", '{"')):
        return "json"
    if suffix in (*TEXTS, *SOURCES):
        return "table" if suffix == ".txt" and _aligned(text) else "lines"
    return "table"


def sample_of(given: Path | Upload, tree: Tree | None = None, inner: str | None = None) -> Found:
    """The kind of record that the head of a file shows."""
    head = head_of(given, tree, inner)
    form = form_of(head)
    if form == "python":
        return Found("code", None, "a file of Python source")
    if form == "lines":
        return Found("text", None, "lines of text")
    if form == "json":
        return of_values(_values(head), head.name)
    frame = _frame(given, head)
    return Found("table", None, "a file of a table") if frame is None else of_frame(frame)


def _values(head: Head) -> list[tuple[str, object]]:
    """The first named values of a JSON file."""
    if head.whole:
        return parse_documents(head.text, head.name)
    if head.suffix == ".json" and (made := first_documents(head.text, SAMPLE)):
        return [("", value) for value in made]
    return parse_lines("\n".join(head.text.split("\n")[: 2 * SAMPLE]))


def _frame(given: Path | Upload, head: Head) -> pd.DataFrame | None:
    """The first rows of a table; None where they cannot be had so cheaply."""
    try:
        if head.data[:4] == b"PAR1":
            source = _whole_file(given, head)
            if source is None:
                return None
            with pq.ParquetFile(source) as file:
                return next(file.iter_batches(SAMPLE)).to_pandas()
        if head.data[:4] in _PACKED or head.suffix in _BOOKS:
            return None
        return read_delimited(_rows(head).encode(), head.name)[0]
    except (DataError, pa.ArrowException, OSError, StopIteration):
        return None


def _whole_file(given: Path | Upload, head: Head) -> Path | pa.BufferReader | None:
    """The whole of a file that may be read from its end; None where it would have to be unpacked."""
    if head.whole:
        return pa.BufferReader(head.data)
    if given.name != head.name:
        return None
    return pa.BufferReader(given.data) if isinstance(given, Upload) else given


def _rows(head: Head) -> str:
    """The header line and the first whole rows of a CSV file."""
    text = head.text
    lines = list(io.StringIO(text, newline=""))
    reader = csv.reader(lines, delimiter=find_separator(text[:65_536]))
    ends = [reader.line_num for _ in itertools.islice(reader, SAMPLE + 1)]
    ends = ends if len(ends) > SAMPLE or head.whole or len(ends) < 3 else ends[:-1]
    return "".join(lines[: ends[-1]] if ends else lines)


def _aligned(text: str) -> bool:
    """Whether nearly all of the first lines have as many cells, and more than one."""
    try:
        separator = find_separator(text[:65_536])
        rows = list(itertools.islice(csv.reader(io.StringIO(text), delimiter=separator), SAMPLE))
    except (DataError, csv.Error):
        return False
    counts = [len(row) for row in rows if row]
    return len(counts) > 2 and counts[0] > 1 and counts.count(counts[0]) >= 0.9 * len(counts)


def _stream(given: Path | Upload) -> BinaryIO:
    """The bytes of a file; DataError where there is none."""
    if isinstance(given, Upload):
        return io.BytesIO(given.data)
    try:
        return given.open("rb")
    except OSError:
        read_content(given)
        raise


def _gunzipped(stream: BinaryIO, name: str) -> bytes:
    try:
        with gzip.open(stream) as plain:
            return plain.read(HEAD_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("a whole gz file", f"{name}: {error}", "download or pack it again") from error
