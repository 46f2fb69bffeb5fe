"""Which kind of record values, columns and folders hold: a table, JSON documents, Python or text."""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import PurePosixPath
from typing import Any, Literal, NamedTuple

import numpy as np
import pandas as pd

from difflm.cells import text_of
from difflm.data.files import TABLES
from difflm.data.json_documents import THE_DOCUMENT, Flaw, parse_json
from difflm.data.python_source import parse_python, unix_lines
from difflm.errors import ConfigError, DataError
from difflm.schema import Record, unique_names

Document = Literal["tool", "code", "text"]
PYTHON = (".py", ".pyi", ".pyw")
JSONS = (".json", ".jsonl", ".ndjson")
TEXTS = (".txt", ".text", ".md", ".rst", ".log", ".tex")
SOURCES = (
    *(".c", ".cc", ".cpp", ".cs", ".css", ".go", ".h", ".hpp", ".html", ".java", ".jl", ".js", ".kt", ".lua"),
    *(".php", ".pl", ".r", ".rb", ".rs", ".scala", ".sh", ".sql", ".swift", ".toml", ".ts", ".xml", ".yaml"),
    ".yml",
)
"""Suffixes of other languages, which are text here."""
FIELDS = {
    "tool": ("tool", "function", "definition", "schema", "json", "document", "content", "text"),
    "code": ("code", "function", "source", "content", "solution", "program", "snippet", "text", "output"),
    "text": ("text", "content", "document", "sentence", "body", "review", "description"),
}
"""Names that the column or field of a kind often has, the likeliest first."""
SAMPLE = 200
"""Records that are looked at."""
KIND_NAMES = {"tool": "JSON documents", "code": "Python source", "text": "text"}
_FENCE = re.compile(r"\s*```[ \t]*(?:python|py|json)?[ \t]*\n(.*?)\n?```\s*", re.DOTALL | re.IGNORECASE)
_LEAST_CODE, _MOST_CODE = 20, 200_000
_WRAPPERS = ("code", "text", "content", "function", "tool")
_TELLING = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Import, ast.ImportFrom,
    ast.For, ast.While, ast.If, ast.With, ast.Try, ast.Return,
)  # fmt: skip
_METADATA = re.compile(
    r"((.*[_ .-])?(id|idx|index|uid|uuid|key|hash|md5|sha\d*|path|file|url|uri|link|split|subset|source|origin)"
    r"|name|file_?name|title|entry_point|repo|repository|licen[cs]e|lang|language)",
    re.IGNORECASE,
)


class Found(NamedTuple):
    """The kind of record, the column or field that holds it (None where the whole record does), and why."""

    record: Record
    column: str | None
    reason: str


def is_json_object(cell: str) -> bool:
    """Whether a cell is a JSON object that is not empty."""
    plain = cell.strip()
    if not (plain.startswith("{") and plain.endswith("}")):
        return False
    try:
        value = parse_json(plain)
    except DataError:
        return False
    return isinstance(value, Flaw) or (isinstance(value, dict) and bool(value))


def is_python(cell: str) -> bool:
    """Whether a cell is Python of some length with a definition, an import, a block or several statements."""
    plain = unfenced(unix_lines(cell))
    if not _LEAST_CODE <= len(plain.strip()) <= _MOST_CODE:
        return False
    try:
        body = parse_python(plain).body
    except DataError:
        return False
    assigned = any(isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign) for node in body)
    return any(isinstance(node, _TELLING) for node in body) or (len(body) > 1 and assigned)


def unfenced(text: str) -> str:
    """What stands inside, where all of `text` is one block of Markdown code."""
    found = _FENCE.fullmatch(text) if text.lstrip().startswith("```") else None
    return found[1] if found and "```" not in found[1] else text


def document_columns(frame: pd.DataFrame, filled: float = 0.5) -> dict[str, Document]:
    """Columns whose cells are JSON objects (at least 90 %: "tool") or Python (at least 70 %: "code") in a
    sample of the rows, and of which at least the share `filled` is not empty."""
    made: dict[str, Document] = {}
    for name, cells in _samples(frame).items():
        plain = [cell for cell in cells if cell and cell.strip()]
        if not plain or len(plain) < filled * len(cells):
            continue
        if np.mean([is_json_object(cell) for cell in plain]) >= 0.9:
            made[name] = "tool"
        elif np.mean([is_python(cell) for cell in plain]) >= 0.7:
            made[name] = "code"
    return made


def find_column(frame: pd.DataFrame, record: Document) -> str:
    """The column that holds the documents of kind `record`, by its cells, then by its name.
    DataError that lists the columns where there is none or it is not clear."""
    if record == "text":
        words = {name: [c.split() for c in cells if c] for name, cells in _samples(frame).items()}
        likely = [name for name, cells in words.items() if cells and np.mean([len(c) for c in cells]) >= 3]
        likely = likely or list(words)
    else:
        likely = [name for name, kind in document_columns(frame).items() if kind == record]
    if len(likely) == 1:
        return likely[0]
    by_name = {name.lower(): name for name in reversed(likely)}
    chosen = next((by_name[field] for field in FIELDS[record] if field in by_name), None)
    if chosen is None:
        raise DataError(
            f"one column that holds {KIND_NAMES[record]}",
            f"{_listed(likely)} that may" if likely else f"none among {_listed(frame.columns)}",
            "name the column",
        )
    return chosen


def distinct(frame: pd.DataFrame) -> pd.DataFrame:
    """A shallow copy with distinct string names of columns, and notes of it beside the frame's own."""
    names, renamed = unique_names(list(frame.columns))
    made = frame.set_axis(pd.Index(names, dtype=object), axis=1)
    made.attrs = {"notes": [*frame.attrs.get("notes", []), *renamed]}
    return made


def column_in(frame: pd.DataFrame, column: str) -> str:
    """`column`, which has to be one of `frame`; ConfigError with the columns otherwise."""
    if column not in frame.columns:
        raise ConfigError(f"a column out of {_listed(frame.columns)}", repr(column), "check the spelling")
    return column


def of_column(frame: pd.DataFrame, column: str) -> Document:
    """The kind of the documents in one column."""
    return document_columns(frame[[column]], filled=0.0).get(column, "text")


def of_frame(frame: pd.DataFrame) -> Found:
    """Documents only where one column, filled in at least 90 % of the rows, holds JSON objects or Python and
    all others are metadata: named like it (id, path, name, split, source, licence ...), strings of one
    word that are all different, one and the same value, or empty; or where the only column is called
    like text and holds sentences. Everything else is a table."""
    frame = distinct(frame)
    columns = list(frame.columns)
    if len(columns) == 1 and columns[0].lower() in FIELDS["text"] and not document_columns(frame):
        cells = [cell for cell in _samples(frame).get(columns[0], []) if cell]
        if cells and np.mean([len(cell.split()) for cell in cells]) >= 3:
            return Found("text", columns[0], f"the only column {columns[0]!r} holds sentences")
    found = document_columns(frame, filled=0.9)
    for column, record in found.items():
        others = [name for name in columns if name != column]
        if all(name not in found and _metadata(name, frame) for name in others):
            rest = f", the other {len(others)} are metadata" if others else ""
            return Found(record, column, f"column {column!r} holds {KIND_NAMES[record]}{rest}")
    held = ", ".join(f"column {name!r} holds {KIND_NAMES[kind]}" for name, kind in found.items())
    reason = f"a table of {len(columns)} columns" + (f"; {held}: name it to learn that alone" if held else "")
    return Found("table", None, reason)


def of_values(named: Sequence[tuple[str, Any]], name: str) -> Found:
    """What the named values of a JSON file are: objects of which half hold objects in turn, or that share
    less than half of their keys, are documents; flat ones are rows, see `of_frame`; strings are text.
    DataError where they are of several kinds."""
    sample = [value for _, value in named if not isinstance(value, Flaw | DataError)][:SAMPLE]
    objects = [value for value in sample if isinstance(value, dict)]
    texts = sum(isinstance(value, str) for value in sample)
    _one_kind(sample, name)
    if len(objects) * 2 < len(sample) or not objects:
        if sample and texts * 2 >= len(sample):
            return Found("text", None, "strings")
        return Found("table", None, "JSON of another shape than a list of objects")
    if named[0][0] == THE_DOCUMENT and is_table(objects[0]):
        return Found("table", None, "one JSON object of columns or rows")
    if sum(map(is_nested, objects)) * 2 >= len(objects):
        return Found("tool", None, "JSON objects that hold objects in turn")
    keys = {key for value in objects for key in value}
    if np.mean([len(value) for value in objects]) < len(keys) / 2:
        return Found("tool", None, "JSON objects that differ in their keys")
    return of_frame(pd.DataFrame(objects))


def of_files(files: Iterable[str]) -> Found:
    """What the files of a folder or zip are, by their suffixes: Python where there is any and no more tables
    than that, else what most are."""
    counts = Counter(PurePosixPath(file).suffix.lower() for file in files)
    tables = sum(counts[suffix] for suffix in TABLES if suffix not in (*JSONS, *TEXTS))
    python = sum(counts[suffix] for suffix in PYTHON)
    if python and python >= tables:
        return Found("code", None, f"{python:,} files of Python source")
    jsons, texts = (sum(counts[suffix] for suffix in kind) for kind in (JSONS, TEXTS + SOURCES))
    if tables >= max(jsons, texts):
        what = f"{tables:,} files of tables" if tables else "no files of source, JSON or text"
        return Found("table", None, what)
    if jsons >= texts:
        return Found("tool", None, f"{jsons:,} JSON files")
    return Found("text", None, f"{texts:,} files of text")


def one_table(files: Iterable[str]) -> str | None:
    """The file that a zip is packed for: its only table beside at most one Python file, its only JSON file
    beside none, or its only text."""
    suffixes = {file: PurePosixPath(file).suffix.lower() for file in files}
    tables = [file for file, suffix in suffixes.items() if suffix in TABLES]
    if len(tables) != 1:
        return None
    own = suffixes.pop(tables[0])
    python = sum(suffix in PYTHON for suffix in suffixes.values())
    texts = sum(suffix in (*TEXTS, *SOURCES) for suffix in suffixes.values())
    if own in TEXTS:
        return tables[0] if not python + texts else None
    return tables[0] if python <= (0 if own in JSONS else 1) else None


def _samples(frame: pd.DataFrame) -> dict[str, list[str | None]]:
    """Some cells of every column that is not of numbers, truth values or dates, as text."""
    rows = sorted({int(row) for row in np.linspace(0, len(frame) - 1, SAMPLE)} if len(frame) else ())
    made = {}
    for position, name in enumerate(frame.columns):
        cells = frame.iloc[:, position]
        if cells.dtype == object or pd.api.types.is_string_dtype(cells):
            made[str(name)] = [text_of(cell) for cell in cells.iloc[rows]]
    return made


def _metadata(name: str, frame: pd.DataFrame) -> bool:
    """Whether a column tells of the records instead of being part of them."""
    cells = frame[name]
    if _METADATA.fullmatch(name) or cells.isna().all():
        return True
    known = [text_of(cell) for cell in cells.dropna()[:1000]]
    words = all(cell and not cell.split()[1:] and not re.fullmatch(r"[\d.,+-]+", cell) for cell in known)
    return len(set(known)) == 1 or (words and len(set(known)) == len(known) > 1)


def is_nested(value: dict[str, Any]) -> bool:
    """Whether an object holds objects, itself or in a list."""
    inner = [part for item in value.values() for part in (item if isinstance(item, list) else [item])]
    return any(isinstance(part, dict) for part in inner)


def is_table(value: dict[str, Any]) -> bool:
    """Whether one object is a table: by columns, by rows under their names, or split in columns and data."""
    cells = list(value.values())
    same = any(all(isinstance(cell, kind) for cell in cells) for kind in (list, dict))
    return (bool(cells) and same) or set(value) >= {"columns", "data"}


def _one_kind(values: Sequence[Any], name: str) -> None:
    """DataError where at least a fifth each are of two kinds that have nothing in common."""
    groups = Counter(map(_shape, values)).most_common(2)
    if len(groups) < 2 or groups[1][1] * 5 < len(values):
        return
    (one, first), (other, second) = groups
    wrapped = any(field in _WRAPPERS for field in (*one[1], *other[1]))
    if one[0] == other[0] and (set(one[1]) & set(other[1]) or not wrapped):
        return
    raise DataError(
        f"records of one kind in {name}",
        f"{first:,} of {_told(one)} and {second:,} of {_told(other)} in its first {len(values):,}",
        "give each kind a file of its own, or say which kind to read",
    )


def _shape(value: Any) -> tuple[str, tuple[str, ...]]:
    names = {dict: "objects", list: "lists", str: "strings", bool: "truth values", type(None): "null"}
    return names.get(type(value), "numbers"), tuple(sorted(value)) if isinstance(value, dict) else ()


def _told(shape: tuple[str, tuple[str, ...]]) -> str:
    return f"{shape[0]} with {_listed(shape[1][:4])}" if shape[1] else shape[0]


def _listed(names: Iterable[object]) -> str:
    shown = [str(name) for name in names]
    return ", ".join(shown[:12]) + (", ..." if len(shown) > 12 else "")
