"""Tables that a person brings or picks, and the one that is in use."""

from __future__ import annotations

import hashlib
import os
import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st
from difflm.data import BUILTIN, Dataset, load, load_builtin, read_table

from difflm.errors import DataError
from difflm.runs import clean_name, run_path, runs_root
from difflm.schema import Schema
from pages.shared.column_editor import Choice
from pages.shared.session import visitor_folder


@dataclass(frozen=True)
class Data:
    """The table in use: what `difflm fit` gets."""

    name: str
    source: str
    """A file, or the name of a built-in table."""
    target: str | None
    rows: int
    columns: list[str]
    fingerprint: str
    builtin: bool

    def arguments(self, run: Path, preset: str, changes: dict[str, Any]) -> list[str]:
        """What stands after `difflm` to train on this table."""
        parts = ["fit", self.source, "--run", _short(run), "--preset", preset]
        if self.target:
            parts += ["--target", self.target]
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
    source: str
    licence: str
    builtin: bool

    def keep(self, chosen: pd.DataFrame, choice: Choice, target: str | None, fingerprint: str) -> Data:
        """Put the table into use; a changed or uploaded one goes to the visitor's private folder."""
        source = self.name
        if not self.builtin or choice.kinds or len(choice.keep) < self.frame.shape[1]:
            path = visitor_folder() / f"{fingerprint[:16]}.parquet"
            chosen.to_parquet(path, index=False)
            path.chmod(0o600)
            source = str(path)
        return Data(
            self.name, source, target, len(chosen), list(chosen.columns), fingerprint, source == self.name
        )


def from_upload(name: str, content: bytes) -> Table:
    """Read an uploaded file through a private copy with its own ending."""
    digest = hashlib.sha256(content).hexdigest()
    return _read(name, digest, st.session_state["visitor"], content)


@st.cache_data(max_entries=4, show_spinner=False, scope="session")
def _read(name: str, digest: str, visitor: str, _content: bytes) -> Table:
    path = visitor_folder() / f"upload-{digest[:16]}{Path(name).suffix.lower()}"
    try:
        path.write_bytes(_content)
        path.chmod(0o600)
        frame = read_table(path)
    except OSError as error:
        raise DataError(
            "room for the uploaded file", str(error), "free disk, then upload it again"
        ) from error
    finally:
        path.unlink(missing_ok=True)
    return Table(
        Path(name).stem or "table", frame, digest[:16], list(frame.attrs.get("notes", [])), name, "", False
    )


@st.cache_data(max_entries=2, show_spinner=False)
def from_builtin(name: str) -> Table:
    """A built-in table, all of its rows."""
    data = load_builtin(name)
    frame = pd.concat([data.train, data.validation, data.test], ignore_index=True)
    return Table(name, frame, name.replace("/", "-"), list(data.notes), data.source, data.licence, True)


def prepare(table: Table, choice: Choice, target: str | None) -> tuple[pd.DataFrame, Schema, Dataset]:
    """The table as decided, its schema and its split."""
    if not choice.keep:
        raise DataError("at least one column to learn", "none", "tick a column")
    return _prepare(
        table.digest, tuple(choice.keep), tuple(sorted(choice.kinds.items())), target, table, choice
    )


@st.cache_data(max_entries=4, show_spinner="Splitting …", scope="session")
def _prepare(
    digest: str,
    keep: tuple[str, ...],
    kinds: tuple[Any, ...],
    target: str | None,
    _table: Table,
    _choice: Choice,
) -> tuple[pd.DataFrame, Schema, Dataset]:
    chosen = _table.frame[list(keep)]
    schema = Schema.infer(chosen, target=target, kinds=_choice.kinds)
    return chosen, schema, load(chosen, target=target)


def current() -> Data | None:
    """The table in use in this session."""
    return st.session_state.get("data")


def built_in_choice() -> Data | None:
    """Pick a built-in table without leaving the page."""
    name = st.selectbox(
        "Built-in table", list(BUILTIN), index=None, placeholder="choose one", width=340, key="train-builtin"
    )
    if name is None:
        return None
    with st.spinner("Loading the table …"):
        table = from_builtin(name)
    frame = table.frame
    return Data(name, name, None, len(frame), list(frame.columns), "", True)


def new_run_path(name: str, *, exact: bool = False) -> Path:
    """A folder for a run named after a table; with `exact` under this very name."""
    root, clean = runs_root(), clean_name(name)
    if exact:
        if run_path(root, clean).exists():
            raise DataError(
                "a new name for the run", f"{clean}, which is there already", "choose another name"
            )
        return run_path(root, clean)
    number = 1
    while (path := run_path(root, clean if number == 1 else f"{clean}-{number}")).exists():
        number += 1
    return path


def command_line(arguments: list[str]) -> str:
    """The command to copy."""
    return "python -m difflm " + " ".join(shlex.quote(part) for part in arguments)


def _short(path: Path) -> str:
    """Relative to here where that is shorter."""
    relative = os.path.relpath(path)
    return str(path) if relative.startswith("..") else relative
