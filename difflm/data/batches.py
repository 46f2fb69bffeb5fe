"""Parquet, CSV and JSON lines read by Arrow batches instead of whole, for long and for sampled tables."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from difflm.data.delimited import open_delimited, typed_frame
from difflm.data.files import FORMATS
from difflm.data.sampled import MAX_ROWS, Draw, reservoir
from difflm.errors import DataError

BATCH_ROWS = 65_536
JSON_ROWS = 50_000
"""Lines of JSON that become Python objects at once."""
INDEX = "__index_level_"
NO_INDEX = "the pandas index of the file was left out"
NO_VALUE = "__HIVE_DEFAULT_PARTITION__"

Read = tuple[pd.DataFrame, list[str], int]
"""Rows, notes, and how many rows they were drawn from."""


def read_parquet(path: Path, draw: Draw | None, max_columns: int) -> Read:
    """A Parquet file, or all of a folder; `key=value` in the names of its folders is a column."""
    files = sorted(_parquets(path)) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{FORMATS}, or a folder of Parquet files", f"the folder {path}", "name a file in it")
    keys = [_keys(file, path) for file in files]
    schema = _schema(files, keys, path)
    names = [title for title in schema.names if not title.startswith(INDEX)]
    notes = [] if len(names) == len(schema) else [NO_INDEX]
    notes += [f"read from {len(files):,} files"] if path.is_dir() else []
    schema = pa.schema([field for field in schema if field.name in names])
    if len(schema) > max_columns:
        raise DataError(
            f"at most {max_columns:,} columns", f"{len(schema):,} in {path.name}", "leave some out"
        )
    batches = (batch for file, own in zip(files, keys, strict=True) for batch in _batches(file, own, schema))
    kept = reservoir(batches, len(schema), draw, path.name)
    with _whole(path):
        table = kept.table(schema)
        kept.parts = []
        # Each column leaves Arrow as it becomes one of pandas.
        frame = table.to_pandas(ignore_metadata=True, split_blocks=True, self_destruct=True)
    return frame, notes, kept.seen


def parquet_from_bytes(data: bytes, name: str, max_columns: int) -> tuple[pd.DataFrame, list[str]]:
    """A Parquet file that is in memory already."""
    with _whole(Path(name)), pq.ParquetFile(pa.BufferReader(data)) as file:
        rows, columns = file.metadata.num_rows, file.metadata.num_columns
        if rows <= MAX_ROWS and columns <= max_columns:
            table = file.read()
            kept = [i for i, title in enumerate(table.column_names) if not title.startswith(INDEX)]
            notes = [] if len(kept) == table.num_columns else [NO_INDEX]
            return table.select(kept).to_pandas(ignore_metadata=True), notes
    raise DataError(
        f"at most {MAX_ROWS:,} rows and {max_columns:,} columns",
        f"{rows:,} rows and {columns:,} columns in {name}",
        "take a sample of the rows or leave columns out",
    )


def read_long_delimited(path: Path, draw: Draw | None) -> Read:
    """CSV and its relatives in UTF-8; pa.ArrowInvalid where only the tolerant reader could read it."""
    stream = open_delimited(path)
    kept = reservoir(stream.batches, len(stream.header), draw, path.name)
    table = kept.table(stream.schema)
    kept.parts = []
    frame, notes = typed_frame(stream.header, table, stream.separator)
    return frame, [*stream.notes, *notes], kept.seen


def read_long_lines(
    path: Path, draw: Draw | None, parse: Callable[[bytes], tuple[pd.DataFrame, list[str]]]
) -> Read:
    """One JSON object a line; only the lines that stay are parsed, by `parse`, part by part."""
    with path.open("rb") as file:
        first = parse(next((line for line in file if line.strip()), b""))[0]

    def batches() -> Iterator[pa.RecordBatch]:
        with path.open("rb") as file:
            lines = (line for line in file if line.strip())
            while some := list(itertools.islice(lines, JSON_ROWS)):
                yield pa.record_batch({"line": pa.array(some, pa.large_binary())})

    kept = reservoir(batches(), first.shape[1], draw, path.name)
    frames, notes, names = [], [], dict.fromkeys(first.columns)
    table = kept.table(pa.schema({"line": pa.large_binary()}))
    for at in range(0, len(table), JSON_ROWS):
        frame, own = parse(b"\n".join(table["line"].slice(at, JSON_ROWS).to_pylist()))
        names |= dict.fromkeys(frame.columns)
        # A column that is missing in one part only has the type of the others.
        frames.append(frame.dropna(axis=1, how="all"))
        notes += own
    made = pd.concat(frames, ignore_index=True).reindex(columns=list(names))
    return made, list(dict.fromkeys(notes)), kept.seen


def _parquets(folder: Path) -> Iterator[Path]:
    for path in folder.rglob("*"):
        hidden = any(part[0] in "._" for part in path.relative_to(folder).parts)
        if path.suffix.lower() in (".parquet", ".pq") and path.is_file() and not hidden:
            yield path


def _keys(file: Path, folder: Path) -> dict[str, str]:
    if file == folder:
        return {}
    parts = (part.partition("=") for part in file.relative_to(folder).parts[:-1])
    return {key: value for key, sign, value in parts if sign}


def _with_keys(table: pa.Table, keys: dict[str, str]) -> pa.Table:
    for key, value in keys.items():
        if key not in table.column_names:
            cell = pa.scalar(None if value == NO_VALUE else value, pa.string())
            table = table.append_column(key, pa.repeat(cell, len(table)))
    return table


def _schema(files: list[Path], keys: list[dict[str, str]], path: Path) -> pa.Schema:
    """The columns of all files, each of a type that holds the cells of every file."""
    schemas = []
    for file, own in zip(files, keys, strict=True):
        with _whole(file):
            plain = pq.read_schema(file, memory_map=True).remove_metadata()
            schemas.append(_with_keys(plain.empty_table(), own).schema if own else plain)
    if len(schemas) == 1:
        return schemas[0]
    try:
        return pa.unify_schemas(schemas, promote_options="permissive")
    except pa.ArrowException as error:
        raise DataError(f"like columns in all files of {path}", _brief(error), "read one file") from error


def _batches(file: Path, keys: dict[str, str], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
    """The rows of one file in the columns and types of `schema`."""
    with _whole(file), pq.ParquetFile(file, memory_map=True, pre_buffer=False) as source:
        own = source.schema_arrow.names
        wanted = None if own == schema.names else [name for name in own if name in schema.names]
        for batch in source.iter_batches(BATCH_ROWS, columns=wanted):
            if batch.schema.equals(schema):
                yield batch
                continue
            table = _with_keys(pa.Table.from_batches([batch]), keys)
            for field in schema:
                if field.name not in table.column_names:
                    table = table.append_column(field, pa.nulls(len(table), field.type))
            yield from table.select(schema.names).cast(schema).to_batches()


@contextmanager
def _whole(file: Path) -> Iterator[None]:
    """DataError for a Parquet file that is cut off or broken."""
    try:
        yield
    except (pa.ArrowException, OSError, ValueError) as error:
        raise DataError(
            "a whole Parquet file", f"{file.name}: {_brief(error)}", "save or download it again"
        ) from error


def _brief(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:120]
