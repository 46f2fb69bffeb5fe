"""CSV and its relatives: encoding and separator found, cells typed without losing a digit.

Every cell is read as a string first; a column becomes numbers only where that is exact, so that "007"
and 20-digit codes stay what they are.
"""

from __future__ import annotations

import contextlib
import csv
import io
import itertools
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv as arrow_csv

from difflm.cells import EXACT, MISSING_WORDS
from difflm.errors import DataError

MAX_CELL = 1_000_000
"""Longest cell in characters; more points to a quote that is never closed."""
BLOCK_BYTES = 16 * 1024**2
"""Bytes of a long file that are read at once."""
_SEPARATORS = (",", ";", "\t", "|")
_NO_SEPARATOR = "\x1f"
_SAMPLE_BYTES = 256 * 1024
_HEAD_BYTES = 8 * 1024**2
_BOMS = {b"\xef\xbb\xbf": "utf-8-sig", b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}
_NUMBER = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*|\s*[+-]?inf(inity)?\s*", re.IGNORECASE)
_COMMA_NUMBER = re.compile(r"\s*[+-]?(\d{1,3}(\.\d{3})+|\d+)(,\d+)?\s*")


class Text(NamedTuple):
    """Decoded text and a note on its encoding."""

    text: str
    note: str


def decode(data: bytes, name: str) -> Text:
    """Text in UTF-8, UTF-16 with a mark, Windows-1252 or Latin-1; DataError for binary content."""
    for mark, encoding in _BOMS.items():
        if data.startswith(mark):
            try:
                return Text(data.decode(encoding), "" if encoding == "utf-8-sig" else f"read as {encoding}")
            except UnicodeDecodeError as error:
                raise DataError(
                    f"{encoding} text as the file's mark says", str(error), "save it anew"
                ) from error
    if b"\x00" in data[:_SAMPLE_BYTES]:
        raise DataError("a text file", f"binary content in {name}", "save the table as CSV or Parquet")
    try:
        return Text(data.decode("utf-8"), "")
    except UnicodeDecodeError:
        pass
    try:
        return Text(data.decode("cp1252"), "not UTF-8: read as Windows-1252 (Western European)")
    except UnicodeDecodeError:
        return Text(data.decode("latin-1"), "not UTF-8: read as Latin-1")


def read_delimited(data: bytes, name: str) -> tuple[pd.DataFrame, list[str]]:
    """A table from text with one header line, and notes on what was assumed."""
    text, note = decode(data, name)
    notes = [note] if note else []
    if "\n" not in text:
        text = text.replace("\r", "\n") + "\n"
    separator = find_separator(text[:_SAMPLE_BYTES])
    table = _cells(text.encode("utf-8", errors="replace"), separator, name)
    header, below, remark = _header(table)
    if not table.num_rows > below:
        raise DataError("rows below the header line", f"only a header line in {name}", "add rows")
    frame, remarks = typed_frame(header, table.slice(below), separator)
    return frame, [*notes, *remark, *remarks]


class Stream(NamedTuple):
    """A table that is read in batches of cells as strings; null where empty."""

    header: list[str]
    separator: str
    schema: pa.Schema
    batches: Iterator[pa.RecordBatch]
    notes: list[str]


def open_delimited(path: Path) -> Stream:
    """The rows of a CSV file in UTF-8, a block at a time. pa.ArrowInvalid or DataError where a line or the
    text is not as in the first block: `read_delimited` may still read that, and says what is wrong."""
    with path.open("rb") as file:
        head = file.read(_HEAD_BYTES)
    text = head.decode("utf-8-sig", errors="ignore")
    if b"\x00" in head or "\n" not in text:
        raise pa.ArrowInvalid("not lines of text in UTF-8")
    separator = find_separator(text[:_SAMPLE_BYTES])
    reader = arrow_csv.open_csv(
        path,
        arrow_csv.ReadOptions(autogenerate_column_names=True, block_size=BLOCK_BYTES),
        arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True),
        _as_strings(text, separator),
    )
    first = reader.read_next_batch()
    header, below, notes = _header(pa.Table.from_batches([first]))
    return Stream(header, separator, reader.schema, itertools.chain([first.slice(below)], reader), notes)


def typed_frame(header: list[str], table: pa.Table, separator: str) -> tuple[pd.DataFrame, list[str]]:
    """Columns of strings as numbers where that is exact, and notes on it."""
    if not header[-1] and table.num_columns > 1 and table.column(-1).null_count == table.num_rows:
        header, table = header[:-1], table.remove_column(table.num_columns - 1)
    series, notes = [], []
    for title in header:
        made, remark = _typed(_one_array(table.column(0)), separator != ",")
        # What was typed is let go.
        table = table.remove_column(0) if table.num_columns > 1 else table
        series.append(made)
        notes += [f"column {title!r}: {remark}"] if remark else []
    frame = pd.concat(series, axis=1)
    frame.columns = pd.Index(header)
    return frame, notes


def _one_array(column: pa.ChunkedArray) -> pa.Array:
    """One array, in a type that holds more than 2 GB of text where there is so much."""
    wide = column.nbytes > 2**30
    made = (column.cast(pa.large_string()) if wide else column).combine_chunks()
    return made.combine_chunks() if isinstance(made, pa.ChunkedArray) else made


def _header(table: pa.Table) -> tuple[list[str], int, list[str]]:
    """Column names, how many rows of `table` they take, and a note where there are none."""
    if _headerless(table):
        note = "no header line: columns are called column_1, column_2, ..."
        return [f"column_{i + 1}" for i in range(table.num_columns)], 0, [note]
    return [str(column[0].as_py() or "").strip() for column in table.columns], 1, []


def _as_strings(head: str, separator: str) -> arrow_csv.ConvertOptions:
    """All cells as strings, null where empty."""
    first = next(_rows(head, separator), [])
    return arrow_csv.ConvertOptions(
        column_types={f"f{i}": pa.string() for i in range(len(first))},
        null_values=[""],
        strings_can_be_null=True,
        quoted_strings_can_be_null=True,
    )


def find_separator(sample: str) -> str:
    """The separator that cuts the first lines into most cells, equally many in each."""
    best, score, below = _NO_SEPARATOR, 0.0, 1
    for separator in _SEPARATORS:
        rows = list(itertools.islice(_rows(sample, separator), 200))
        rows = rows[:-1] if len(rows) > 2 else rows
        if not rows or len(rows[0]) < 2:
            cut = {len(row) for row in rows[1:]}
            if len(rows) > 2 and len(cut) == 1:
                below = max(below, *cut)
            continue
        agree = sum(len(row) == len(rows[0]) for row in rows) / len(rows)
        if agree * (1 + len(rows[0]) / 1000) > score:
            best, score = separator, agree * (1 + len(rows[0]) / 1000)
    if best == _NO_SEPARATOR and below > 1:
        raise DataError(
            f"{below} column names in the first line, as many as cells below",
            "1",
            "remove title lines, or quote cells that hold the separator",
        )
    return best


def _rows(text: str, separator: str) -> Iterator[list[str]]:
    """The first lines as cells; ends early at what the csv module cannot read."""
    csv.field_size_limit(max(csv.field_size_limit(), _HEAD_BYTES))
    with contextlib.suppress(csv.Error):
        yield from (row for row in csv.reader(io.StringIO(text, newline=""), delimiter=separator) if row)


def _cells(data: bytes, separator: str, name: str, exact: bool = False) -> pa.Table:
    """All cells as strings, null where empty; the header line is the first row."""
    bad: list[arrow_csv.InvalidRow] = []

    def invalid(row: arrow_csv.InvalidRow) -> str:
        bad.append(row)
        return "error"

    head = data[:_HEAD_BYTES].decode("utf-8", errors="ignore")
    try:
        return arrow_csv.read_csv(
            io.BytesIO(data),
            arrow_csv.ReadOptions(
                autogenerate_column_names=True, block_size=min(len(data) + 1, 2**30), use_threads=not exact
            ),
            arrow_csv.ParseOptions(delimiter=separator, newlines_in_values=True, invalid_row_handler=invalid),
            _as_strings(head, separator),
        )
    except pa.ArrowInvalid as error:
        if bad and not exact:
            return _cells(data, separator, name, exact=True)
        if bad:
            row = bad[0]
            raise DataError(
                f"{row.expected_columns} cells in every line of {name}",
                f"{row.actual_columns} in line {row.number}: {row.text[:60]!r}",
                "quote cells that hold the separator, or repair the line",
            ) from error
        raise DataError(f"a table in {name}", str(error)[:200], "check its quotes and separators") from error


def _headerless(table: pa.Table) -> bool:
    """Whether the first line holds numbers above numbers in most columns."""
    if table.num_rows < 3:
        return False
    heads = [column[0].as_py() for column in table.columns]
    numeric = [i for i, head in enumerate(heads) if head is not None and _NUMBER.fullmatch(head)]
    if len(numeric) * 3 < len(heads) or not numeric or len({heads[i] for i in numeric}) < len(numeric) / 2:
        return False
    years = all(re.fullmatch(r"\s*(1[5-9]|20|21)\d\d\s*", heads[i]) for i in numeric)
    return not years and all(_NUMBER.fullmatch(table.column(i)[1].as_py() or "0") for i in numeric)


def _typed(cells: pa.Array, commas: bool) -> tuple[pd.Series, str]:
    """Strings as integers or floats where nothing is lost by it, with a note on what was done."""
    longest = pc.max(pc.utf8_length(cells)).as_py() or 0
    if longest > MAX_CELL:
        raise DataError(
            f"cells of at most {MAX_CELL:,} characters", f"one of {longest:,}", "look for an open quote"
        )
    note = ""
    if cells.null_count < len(cells) and pc.all(pc.starts_with(cells, " ")).as_py():
        cells = pc.utf8_trim(cells, " ")
    sample = [cell for cell in cells.slice(0, 2000).to_pylist() if cell is not None]
    known = [cell for cell in sample if cell.strip().lower() not in MISSING_WORDS]
    if cells.null_count == len(cells) or not known:
        return _strings(cells), ""
    if commas and any("," in cell for cell in known) and all(map(_COMMA_NUMBER.fullmatch, known)):
        plain = pc.replace_substring(pc.replace_substring(cells, ".", ""), ",", ".")
        made = _numbers(plain)
        return (made[0], "decimal commas read as points") if made else (_strings(cells), "")
    if all(map(_NUMBER.fullmatch, known)) and (made := _numbers(cells)) is not None:
        note = f"{made[1]:,} cells such as 'NA' count as missing" if made[1] else ""
        return made[0], note
    return _strings(cells), ""


def _numbers(cells: pa.Array) -> tuple[pd.Series, int] | None:
    """Numbers and how many missing words were among them, or None where numbers would lose something."""
    lower = pc.utf8_lower(pc.utf8_trim_whitespace(cells))
    words = pc.fill_null(pc.is_in(lower, pa.array(sorted(MISSING_WORDS))), False)
    plain = pc.if_else(words, pa.scalar(None, pa.string()), pc.utf8_ltrim(lower, "+"))
    if pc.any(pc.match_substring_regex(plain, r"^-?0[0-9]")).as_py():
        return None
    count = pc.sum(words).as_py() or 0
    try:
        whole = plain.cast(pa.int64())
    except pa.ArrowInvalid:
        whole = None
    if whole is not None:
        span = pc.min_max(whole).as_py()
        huge = whole.null_count and max(abs(span["min"]), abs(span["max"])) >= EXACT
        series = (
            pd.Series(whole.to_pandas(integer_object_nulls=False))
            if not huge
            else pd.Series(pd.array(whole.to_pylist(), dtype="Int64"))
        )
        return series, count
    if pc.any(pc.match_substring_regex(plain, r"^-?[0-9]{16,}$")).as_py():
        return None
    try:
        return pd.Series(plain.cast(pa.float64()).to_pandas()), count
    except pa.ArrowInvalid:
        return None


def _strings(cells: pa.Array) -> pd.Series:
    return pd.Series(cells.to_pandas(), dtype="str")
