"""The parts of a generated table: `part-00000.parquet`, ..., each of a few chunks, there whole or not at all.

A part tells in its footer which chunks it holds, how they went, and the number of its first identifier.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difflm.cli.writers import ParquetWriter
from difflm.disk import appearing
from difflm.errors import RunError

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

NOTES = "difflm"
"""Key of what a footer tells."""
NAME = re.compile(r"part-(\d{5,})\.parquet")


@dataclass(frozen=True)
class Notes:
    """What a part knows of itself; `settings` is the digest of all that its rows depend on."""

    number: int
    chunks: tuple[int, int]
    first: int
    tally: dict[str, Any]
    settings: str


@dataclass(frozen=True)
class Part:
    """A whole part on disk."""

    path: Path
    rows: int
    schema: pa.Schema
    notes: Notes


def part_path(folder: Path, number: int) -> Path:
    """Where a part lies."""
    return folder / f"part-{number:05d}.parquet"


def write_part(path: Path, frames: Iterable[pd.DataFrame], notes: Notes) -> None:
    """Frames of the same columns, with dtypes that may differ, as one file in Arrow's types."""
    with appearing(path) as temporary:
        writer = ParquetWriter(temporary)
        writer.notes = {NOTES: json.dumps(asdict(notes))}
        try:
            for frame in frames:
                writer.write(frame)
        finally:
            writer.close()


def write_frame(path: Path, frame: pd.DataFrame, notes: Notes) -> None:
    """One frame that `read_frame` gives back with its very dtypes."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pa.Table.from_pandas(frame, preserve_index=False)
    own = {**(table.schema.metadata or {}), NOTES: json.dumps(asdict(notes))}
    with appearing(path) as temporary:
        pq.write_table(table.replace_schema_metadata(own), temporary)


def read_frame(part: Part) -> pd.DataFrame:
    """The rows of a part."""
    import pyarrow.parquet as pq

    frame: pd.DataFrame = pq.ParquetFile(part.path).read().to_pandas()
    return frame


def read_parts(folder: Path, known: dict[Path, Part] | None = None) -> list[Part]:
    """The parts that are there, by number; `known` keeps footers that need not be read again.

    Raises RunError for a part that is broken or was not written here."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    found = []
    for path in sorted(folder.iterdir()):
        if not NAME.fullmatch(path.name):
            continue
        if known is not None and path in known:
            found.append(known[path])
            continue
        try:
            footer = pq.read_metadata(path)
            told = json.loads((footer.metadata or {})[NOTES.encode()])
        except (OSError, pa.ArrowException, KeyError, ValueError) as error:
            got = f"a file of something else ({type(error).__name__})"
            raise RunError(
                f"a part of this generation in {path.name}", got, "choose another --out"
            ) from error
        notes = Notes(**{**told, "chunks": tuple(told["chunks"])})
        # What pandas notes differs from part to part and says nothing about the cells.
        schema = footer.schema.to_arrow_schema().remove_metadata()
        found.append(Part(path, footer.num_rows, schema, notes))
        if known is not None:
            known[path] = found[-1]
    return sorted(found, key=lambda part: part.notes.number)


def rewrite(
    part: Part, notes: Notes, rows: int, schema: pa.Schema, columns: pd.DataFrame | None = None
) -> None:
    """The first `rows` rows of a part in the types of `schema`, with `columns` in place of its own."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    table = pq.ParquetFile(part.path).read().slice(0, rows).replace_schema_metadata(None)
    if columns is not None and len(columns.columns):
        given = pa.Table.from_pandas(columns.iloc[:rows], preserve_index=False)
        for name in given.column_names:
            table = table.set_column(table.column_names.index(name), name, given[name])
    table = table.cast(schema).replace_schema_metadata({NOTES: json.dumps(asdict(notes))})
    with appearing(part.path) as temporary:
        pq.write_table(table, temporary)
