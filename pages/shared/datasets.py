"""Tables that a person brings or picks, and the one that is in use."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import streamlit as st

from difflm.data import (
    BUILTIN,
    Builtin,
    Dataset,
    Found,
    Upload,
    Wanted,
    detect_record,
    load,
    load_builtin,
    read_documents,
    table_from_bytes,
)
from difflm.errors import DataError
from difflm.runs import clean_name, run_path, runs_root
from difflm.schema import Kind, Record, Schema
from pages.shared.column_editor import Choice
from pages.shared.public import is_public, named
from pages.shared.session import visitor_folder
from pages.shared.words import table_size

if TYPE_CHECKING:
    from streamlit.runtime.uploaded_file_manager import UploadedFile


@dataclass(frozen=True)
class Data:
    """The table in use: what `difflm fit` gets."""

    name: str
    source: str
    """A file, or the name of a built-in table."""
    target: str | None
    rows: int
    columns: list[str]
    kinds: dict[str, str]
    """Kinds by column that are not left to inference."""
    record: Record = "table"
    longest: int = 0
    """Characters of the longest document."""

    def arguments(self, run: Path, preset: str, changes: dict[str, Any]) -> list[str]:
        """What stands after `difflm` to train on this table."""
        parts = ["fit", self.source, "--run", short(run), "--preset", preset]
        if self.record != "table":
            parts += ["--format", self.record]
        if self.target:
            parts += ["--target", self.target]
        for name, kind in self.kinds.items():
            parts += ["--kind", f"{name}={kind}"]
        for key, value in changes.items():
            parts += ["--set", f"{key}={'none' if value is None else value}"]
        return parts


@dataclass(frozen=True)
class Table:
    """A table as it was read, before anything was decided about it."""

    name: str
    frame: pd.DataFrame
    digest: str
    notes: list[str]
    about: str = ""
    """What it is and where it comes from."""
    is_builtin: bool = False
    record: Record = "table"
    reason: str = ""
    """Why the records are what they were taken for."""
    left_out: tuple[dict[str, str], ...] = ()
    """Documents that could not be read, with their reasons."""

    @property
    def builtin(self) -> Builtin | None:
        """What is known of a built-in table."""
        return BUILTIN[self.name] if self.is_builtin else None

    @property
    def kinds(self) -> Mapping[str, Kind]:
        """Kinds that are known beforehand."""
        return self.builtin.kinds if self.builtin else {}

    def untouched(self, choice: Choice) -> bool:
        """Whether a built-in table is taken as it is, so that its name alone says what to train on."""
        return self.is_builtin and not choice.kinds and len(choice.keep) == self.frame.shape[1]

    def keep(self, choice: Choice, target: str | None, fingerprint: str) -> Data:
        """Put the table into use; a changed or uploaded one goes to the visitor's private folder."""
        source = self.name
        if not self.untouched(choice):
            path = visitor_folder() / f"{fingerprint[:16]}.parquet"
            table = pa.Table.from_pandas(self.frame[choice.keep], preserve_index=False)
            pq.write_table(table, path)
            path.chmod(0o600)
            source = str(path)
        kinds = {**self.kinds, **choice.kinds} if source != self.name else {}
        return Data(
            name=self.name,
            source=source,
            target=target,
            rows=len(self.frame),
            columns=choice.keep,
            kinds={name: str(kind) for name, kind in kinds.items() if name in choice.keep},
            record=self.record,
            longest=longest_document(self.frame, self.record),
        )


def from_upload(file: UploadedFile, record: Wanted = "auto") -> Table:
    """The table or the documents in an uploaded file, read in memory and never written down as it came."""
    return _read(Path(file.name).name, file.file_id, record, file)


# Kept as they are and not copied at each rerun: what was uploaded may be large, and nobody changes it.
@st.cache_resource(max_entries=2, show_spinner=False, scope="session")
def _read(name: str, file_id: str, wanted: Wanted, _file: UploadedFile) -> Table:
    content = _file.getvalue()
    digest = hashlib.sha256(content).hexdigest()[:16]
    upload = Upload(name, content)
    found = Found(wanted, None, "as you chose") if wanted != "auto" else detect_record(upload)
    stem = Path(name).stem or "table"
    if found.record == "table":
        frame = table_from_bytes(content, name)
        notes = list(frame.attrs.pop("notes", []))
        return Table(stem, frame, digest, notes, reason=found.reason)
    frame = read_documents(upload, found.record, found.column)
    left_out, notes = tuple(frame.attrs["left_out"]), list(frame.attrs["notes"])
    frame.attrs = {}
    digest = f"{digest}-{found.record}"
    return Table(stem, frame, digest, notes, record=found.record, reason=found.reason, left_out=left_out)


@st.cache_resource(max_entries=2, show_spinner=False)
def from_builtin(name: str) -> Table:
    """A built-in table, all of its rows."""
    known = BUILTIN[name]
    frame = pd.concat(list(known.frames().values()), ignore_index=True)
    about = f"{known.description} Source: {known.source}. Licence: {known.licence}"
    frame.attrs = {}
    return Table(name, frame, name.replace("/", "-"), [], about, True, known.record)


def inferred(table: Table) -> Schema:
    """What the columns of a table seem to be."""
    return _inferred(table.digest, table)


@st.cache_resource(max_entries=4, show_spinner="Looking at the columns …", scope="session")
def _inferred(digest: str, _table: Table) -> Schema:
    return Schema.infer(_table.frame, kinds=_table.kinds)


def prepare(table: Table, choice: Choice, target: str | None) -> Dataset:
    """The table as decided, with its schema and split."""
    if not choice.keep:
        raise DataError("at least one column to learn", "none", "tick a column")
    return _prepare(
        table.digest, tuple(choice.keep), tuple(sorted(choice.kinds.items())), target, table, choice
    )


@st.cache_resource(max_entries=2, show_spinner="Splitting …", scope="session")
def _prepare(
    digest: str,
    keep: tuple[str, ...],
    kinds: tuple[Any, ...],
    target: str | None,
    _table: Table,
    _choice: Choice,
) -> Dataset:
    if _table.untouched(_choice):
        return load_builtin(_table.name, target=target)
    known = {name: kind for name, kind in _table.kinds.items() if name in keep}
    frame = _table.frame[list(keep)]
    if _table.record != "table":
        return load(frame, record=_table.record, column=_table.record)
    return load(frame, target=target, kinds={**known, **_choice.kinds}, record="table")


def current() -> Data | None:
    """The table in use in this session."""
    return st.session_state.get("data")


def builtin_title(name: str) -> str:
    """Title and size of a built-in table."""
    known = BUILTIN[name]
    if known.rows is None:
        return f"{known.title}: {known.source}"
    return f"{known.title}: {table_size(known.rows, known.columns)}"


def built_in_choice() -> Data | None:
    """Pick a built-in table without leaving the page."""
    name = st.selectbox(
        "Built-in data",
        list(BUILTIN),
        index=None,
        format_func=builtin_title,
        placeholder="choose one",
        width=340,
        key="train-builtin",
    )
    if name is None:
        return None
    with st.spinner("Loading the table …"):
        table = from_builtin(name)
    known = BUILTIN[name]
    longest = longest_document(table.frame, known.record)
    return Data(
        name, name, known.target, len(table.frame), list(table.frame.columns), {}, known.record, longest
    )


def new_run_path(name: str, *, exact: bool = False) -> Path:
    """A folder for a run named after a table; with `exact` under this very name."""
    root, clean = runs_root(), named(clean_name(name))
    if exact:
        if run_path(root, clean).exists():
            raise DataError(
                "a new name for the run", f"{clean}, which is there already", "choose another name"
            )
        return run_path(root, clean)
    number = 1
    while (path := run_path(root, clean if number == 1 else named(clean_name(f"{name}-{number}")))).exists():
        number += 1
    return path


def longest_document(frame: pd.DataFrame, record: Record) -> int:
    """Characters of the longest; 0 for a table."""
    return 0 if record == "table" else int(frame[record].astype(str).str.len().max())


def command_line(arguments: list[str]) -> str:
    """The command to copy; visitors of a shared machine see names in place of its folders."""
    if is_public():
        arguments = [Path(part).name if os.path.isabs(part) else part for part in arguments]
    return "python -m difflm " + " ".join(shlex.quote(part) for part in arguments)


def short(path: Path) -> str:
    """Relative to here where that is shorter."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
