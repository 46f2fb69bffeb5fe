"""Documents in: folders and zips of source, JSON, and columns of tables, as a frame of one kind of record."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any, Literal, NamedTuple, get_args

import pandas as pd

from difflm.data.archives import MAX_SOURCE_BYTES, Tree, Upload, Zip
from difflm.data.collecting import Collector, cell_text
from difflm.data.delimited import Text, decode
from difflm.data.files import MAX_UNPACKED_BYTES, read_content, unpacked
from difflm.data.json_documents import THE_DOCUMENT, Flaw, parse_documents
from difflm.data.python_source import UTF16_MARKS, Unit, source_text, unix_lines
from difflm.data.readers import read_table, table_from_bytes
from difflm.data.recognition import (
    JSONS,
    PYTHON,
    SAMPLE,
    Document,
    Found,
    column_in,
    distinct,
    document_columns,
    find_column,
    is_nested,
    is_table,
    of_column,
    of_files,
    of_frame,
    of_values,
    one_table,
)
from difflm.data.samples import form_of, head_of, sample_of, tree_of
from difflm.errors import ConfigError, DataError

__all__ = ["Found", "Upload", "detect_record", "documents_of", "read_documents"]

Wanted = Literal["auto", "tool", "code", "text"]
Source = str | Path | Upload
_LABELS = ("path", "file", "name", "title", "task_id", "id")


def detect_record(source: Source | pd.DataFrame) -> Found:
    """The kind of record in `source`, the column or field that holds it, and the reason; from a sample.

    Documents only where the source clearly holds nothing else: a folder or zip of Python source, JSON or
    text files with no more tables among them; a .py, .md or .txt file (lines of .txt that all have as many
    cells are a table); JSON objects that hold objects in turn, as tool definitions do, or that differ in
    most of their keys; and a table with one column of JSON objects or Python beside nothing but metadata
    (see `recognition.of_frame`). Everything else is a "table", and what it has of documents stands in the
    reason: `read_documents` reads it when the kind or column is named. DataError for a source that is not
    there, that could do harm, or whose records are of several kinds.
    """
    if isinstance(source, pd.DataFrame):
        return of_frame(source)
    given = _given(source)
    tree = tree_of(given)
    if tree is None:
        return sample_of(given)
    with tree:
        if inner := _packed_for(tree):
            return sample_of(given, tree, inner)
        found = of_files(tree.files)
        if found.record != "table":
            tree.check(tree.files)
    return found


def read_documents(
    path: Source | pd.DataFrame,
    record: Wanted = "auto",
    column: str | None = None,
    longest: int | None = None,
    *,
    unit: Unit | None = None,
) -> pd.DataFrame:
    """The documents in `path` as a frame of one column named after their kind, each of them once.

    Reads a folder or zip (.py as "code", .json and .jsonl as "tool", for "text" each file a record), a .py
    file, JSON and JSONL (each object a document, or one of its fields), tables of which one column holds
    documents (`column`, else the one whose cells are such), and text files, a line a record. `unit` says
    what of Python is a record: by default the functions of a single file, else whole files or cells.
    `longest` is the most characters of a record, at most a million.

    `attrs`: "record" the kind, "notes" for the user, "left_out" a {"name", "reason"} for every record that
    is not in the frame, "names" of those that are (not for lines). DataError where there is none at all.
    """
    if record not in get_args(Wanted):
        raise ConfigError(f"a kind out of {', '.join(get_args(Wanted))}", repr(record))
    if isinstance(path, pd.DataFrame):
        return documents_of(path, record, column, longest, unit=unit)
    asked = _Asked(record, column, longest, unit)
    given = _given(path)
    tree = tree_of(given)
    if tree is None:
        return _of_file(given, None, asked)
    with tree:
        if inner := _packed_for(tree):
            return _of_file(given, (tree, inner), asked)
        return _of_tree(tree, asked)


def documents_of(
    frame: pd.DataFrame,
    record: Wanted = "auto",
    column: str | None = None,
    longest: int | None = None,
    *,
    unit: Unit | None = None,
) -> pd.DataFrame:
    """The documents in a column of `frame`, as from `read_documents`; ConfigError for an unknown column."""
    table = distinct(frame)
    kind, field = _resolved(table, record, column)
    made = Collector(kind, longest, unit or "file")
    for name, cell in zip(_row_names(table, field), table[field], strict=True):
        made.add(cell_text(cell), name)
    documents = made.frame(f"column {field!r}")
    others = [name for name in table.columns if name != field]
    notes = [f"column {field!r} is read; the other {len(others)} are left out"] if others else []
    told = [note for note in table.attrs["notes"] if not note.startswith("column ") or repr(field) in note]
    return _noted(documents, [*told, *notes])


class _Asked(NamedTuple):
    """What the caller of `read_documents` asked for."""

    record: Wanted
    column: str | None
    longest: int | None
    unit: Unit | None


def _of_file(given: Path | Upload, packed: tuple[Tree, str] | None, asked: _Asked) -> pd.DataFrame:
    """The documents of one file, be it packed."""
    record, column, longest, unit = asked
    head = head_of(given, *(packed or ()))
    form = form_of(head)
    if form == "table" and head.suffix == ".txt" and record != "auto" and column is None:
        form = "lines"
    if form == "table":
        frame = read_table(given) if isinstance(given, Path) else table_from_bytes(given.data, given.name)
        return documents_of(frame, record, column, longest, unit=unit)
    if packed:
        data = unpacked(packed[0].read(packed[1], MAX_UNPACKED_BYTES), head.name).data
    else:
        data = (read_content(given) if isinstance(given, Path) else unpacked(given.data, given.name)).data
    if form == "json":
        return _of_json(decode(data, head.name), head.name, asked)
    kind = record if record != "auto" else "code" if form == "python" else "text"
    made = Collector(kind, longest, unit or ("function" if form == "python" else "file"))
    text = source_text(data, head.name) if form == "python" else decode(data, head.name)
    if kind == "code":
        made.add(text.text, head.name)
    else:
        for number, line in enumerate(unix_lines(text.text).removesuffix("\n").split("\n"), 1):
            made.add(line, f"line {number}")
    return _noted(made.frame(head.name, named=kind == "code"), [text.note])


def _of_json(text: Text, name: str, asked: _Asked) -> pd.DataFrame:
    """The documents of a JSON file."""
    named = parse_documents(text.text, name)
    values = [value for _, value in named]
    objects = [value for value in values if isinstance(value, dict)]
    record: Wanted = asked.record
    column = asked.column
    if objects and named[0][0] == THE_DOCUMENT and is_table(objects[0]):
        table = table_from_bytes(text.text.encode("utf-8", "replace"), name)
        return documents_of(table, record, column, asked.longest, unit=asked.unit)
    if all(isinstance(value, Flaw | DataError) for value in values):
        record = "tool" if record == "auto" else record
    elif record == "auto" and column is None:
        found = of_values(named, name)
        if found.record != "table":
            record, column = found.record, found.column
    if record == "auto" or column is not None or (objects and not _whole(objects, record)):
        if not objects:
            raise DataError(f"documents in {name}", "JSON without objects or strings", "rewrite it")
        record, column = _resolved(pd.DataFrame(objects[: 10 * SAMPLE]), record, column)
    made = Collector(record, asked.longest, asked.unit or "file")
    for place, value in named:
        _add_value(made, value, place, column)
    return _noted(made.frame(name), [text.note])


def _whole(objects: Sequence[dict[str, Any]], record: str) -> bool:
    """Whether the objects themselves are the documents, and not one of their fields."""
    some = objects[:SAMPLE]
    flat = sum(map(is_nested, some)) * 2 < len(some)
    return record == "tool" and not (flat and "tool" in document_columns(pd.DataFrame(some)).values())


def _add_value(made: Collector, value: Any, name: str, column: str | None) -> None:
    """One parsed value, or the field `column` of it, into `made`."""
    if isinstance(value, DataError):
        made.leave(name, f"not JSON: {value.got}")
    elif isinstance(value, Flaw) or (column is None and made.record == "tool"):
        made.add_value(value, name)
    elif column is None and isinstance(value, str):
        made.add(value, name)
    elif column is None or not isinstance(value, dict):
        made.leave(name, f"other kind: {type(value).__name__} instead of {column or 'text'}")
    elif isinstance(cell := value.get(column), dict | Flaw):
        made.add_value(cell, name)
    else:
        made.add(cell_text(cell), name)


def _of_tree(tree: Tree, asked: _Asked) -> pd.DataFrame:
    """The documents of all files of a folder or zip that are of one kind."""
    found = of_files(tree.files)
    record = found.record if asked.record == "auto" else asked.record
    if record == "table":
        raise DataError(f"Python, JSON or text files in {tree.name}", found.reason, "name one of its files")
    suffixes = {"code": PYTHON, "tool": JSONS, "text": None}[record]
    wanted = [file for file in tree.files if suffixes is None or file.lower().endswith(suffixes)]
    tree.check(wanted)
    made = Collector(record, asked.longest, asked.unit or "file")
    made.left_out += tree.left_out
    taken = set(wanted)
    for file, size in tree.files.items():
        if file not in taken:
            made.leave(file, f"other kind: a {PurePosixPath(file).suffix or 'file without suffix'} file")
        elif size > MAX_SOURCE_BYTES:
            made.leave(file, f"too long: {size:,} bytes (at most {MAX_SOURCE_BYTES:,})")
        else:
            _add_file(made, tree, file)
    return _noted(made.frame(tree.name), tree.notes)


def _add_file(made: Collector, tree: Tree, file: str) -> None:
    """One file of a folder or zip into `made`, with the reason where it cannot be read."""
    try:
        data = tree.read(file)
        if b"\x00" in data and not data.startswith(UTF16_MARKS):
            made.leave(file, "binary: a null byte")
            return
        text = (source_text if made.record == "code" else decode)(data, file)
        made.changes[text.note] += bool(text.note)
        if made.record != "tool":
            made.add(text.text, file)
        elif not text.text.strip():
            made.leave(file, "empty")
        else:
            for place, value in parse_documents(text.text, file):
                _add_value(made, value, file if place == THE_DOCUMENT else f"{file}: {place}", None)
    except DataError as error:
        made.leave(file, f"unreadable: {error.got}")


def _resolved(table: pd.DataFrame, record: Wanted, column: str | None) -> tuple[Document, str]:
    """Kind and column of the documents of a table: as asked for, else by the cells."""
    if column is not None:
        field = column_in(table, column)
        return (of_column(table, field) if record == "auto" else record), field
    if record != "auto":
        return record, find_column(table, record)
    found = of_frame(table)
    if found.record != "table" and found.column is not None:
        return found.record, found.column
    kinds = set(document_columns(table).values())
    if len(kinds) != 1:
        what = "columns of JSON objects and of Python" if kinds else "neither JSON objects nor Python in any"
        raise DataError("a column that holds documents", what, "name the column, or read it as a table")
    return (kind := kinds.pop()), find_column(table, kind)


def _row_names(table: pd.DataFrame, field: str) -> list[str]:
    """Names of the rows: a column such as "path" where all its cells differ, else their numbers."""
    for label in _LABELS:
        if label in table.columns and label != field:
            names = [cell_text(cell) for cell in table[label]]
            if all(names) and len(set(names)) == len(names):
                return names
    return [f"row {number}" for number in range(1, len(table) + 1)]


def _packed_for(tree: Tree) -> str | None:
    """The one table that a zip holds, which is read like the file itself."""
    return one_table(tree.files) if isinstance(tree, Zip) else None


def _given(source: Source) -> Path | Upload:
    return Path(source) if isinstance(source, str) else source


def _noted(frame: pd.DataFrame, notes: Sequence[str]) -> pd.DataFrame:
    frame.attrs["notes"] = [*(note for note in notes if note), *frame.attrs["notes"]]
    return frame
