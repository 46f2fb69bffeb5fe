"""Tables written chunk by chunk, which appear under their name only when they are whole."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, final

from difflm.disk import appearing, make_folder
from difflm.errors import ConfigError

if TYPE_CHECKING:
    import pandas as pd


GROUP_ROWS = 32_768
"""Least rows of a row group in Parquet, the last one apart."""


class Writer(ABC):
    """Takes chunks with the same columns; the base of one class per kind of file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @abstractmethod
    def write(self, chunk: pd.DataFrame) -> None:
        """Add rows."""

    @abstractmethod
    def close(self) -> None:
        """Finish the file."""


@final
class SeparatedWriter(Writer):
    """CSV or TSV with a header line; missing cells are empty."""

    def __init__(self, path: Path, separator: str = ",") -> None:
        super().__init__(path)
        self.separator = separator
        self.file = path.open("w", encoding="utf-8", newline="")
        self.began = False

    def write(self, chunk: pd.DataFrame) -> None:
        chunk.to_csv(self.file, index=False, header=not self.began, sep=self.separator)
        self.began = True

    def close(self) -> None:
        self.file.close()


@final
class LinesWriter(Writer):
    """One JSON object a line."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.file = path.open("w", encoding="utf-8")

    def write(self, chunk: pd.DataFrame) -> None:
        text = chunk.to_json(orient="records", lines=True, force_ascii=False, date_format="iso")
        if len(chunk):
            self.file.write(text if text.endswith("\n") else text + "\n")

    def close(self) -> None:
        self.file.close()


@final
class ParquetWriter(Writer):
    """Row groups of at least GROUP_ROWS rows, gathered from the chunks, so that any reader can skip and stream.

    A column whose type grows after that (a first missing cell) rewrites the file so far, a row group at a time."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.writer: Any = None
        self.waiting: list[Any] = []
        self.rows = 0
        self.notes: dict[str, str] = {}
        """What the footer tells beside the rows."""

    def write(self, chunk: pd.DataFrame) -> None:
        import pyarrow as pa

        table = pa.Table.from_pandas(chunk, preserve_index=False).replace_schema_metadata(None)
        self.waiting.append(table)
        self.rows += len(table)
        if self.rows >= GROUP_ROWS:
            self._write_group()

    def close(self) -> None:
        try:
            if self.waiting:
                self._write_group()
        finally:
            if self.writer is not None:
                self.writer.add_key_value_metadata(self.notes)
                self.writer.close()

    def _write_group(self) -> None:
        import pyarrow as pa
        import pyarrow.parquet as pq

        schemas = [table.schema for table in self.waiting]
        known = [] if self.writer is None else [self.writer.schema]
        schema = pa.unify_schemas([*known, *schemas], promote_options="permissive")
        if self.writer is None:
            self.writer = pq.ParquetWriter(self.path, schema)
        elif not schema.equals(self.writer.schema):
            self._grow(schema)
        group = pa.concat_tables(table.cast(schema) for table in self.waiting)
        self.writer.write_table(group, row_group_size=max(len(group), 1))
        self.waiting, self.rows = [], 0

    def _grow(self, schema: Any) -> None:
        import pyarrow.parquet as pq

        self.writer.close()
        narrow = self.path.with_name(f"{self.path.name}.old")
        os.replace(self.path, narrow)
        try:
            self.writer = pq.ParquetWriter(self.path, schema)
            with pq.ParquetFile(narrow) as old:
                for number in range(old.num_row_groups):
                    group = old.read_row_group(number).cast(schema)
                    self.writer.write_table(group, row_group_size=max(len(group), 1))
        finally:
            narrow.unlink()


WRITERS: dict[str, type[Writer]] = {
    ".csv": SeparatedWriter,
    ".tsv": SeparatedWriter,
    ".parquet": ParquetWriter,
    ".jsonl": LinesWriter,
}


def check_ending(path: Path) -> None:
    """ConfigError for a kind of file that cannot be written."""
    if path.suffix.lower() not in WRITERS:
        raise ConfigError(
            f"a file that ends in {', '.join(WRITERS)}", repr(path.name), "choose one of these endings"
        )


@contextmanager
def writing(path: Path) -> Iterator[Writer]:
    """A writer by the ending of `path`. After an error an earlier file is as it was."""
    check_ending(path)
    make_folder(path.parent)
    with appearing(path) as temporary:
        made: dict[str, Any] = {"separator": "\t"} if path.suffix.lower() == ".tsv" else {}
        writer = WRITERS[path.suffix.lower()](temporary, **made)
        try:
            yield writer
        finally:
            writer.close()
