"""Data in: read a file, a frame or a built-in set, tell tables from documents, check it, split it."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from difflm.data.builtin import BUILTIN, Builtin, load_builtin
from difflm.data.dataset import MIN_ROWS, Dataset, fingerprint
from difflm.data.document_sets import Fits, Wanted, document_set
from difflm.data.documents import Found, Upload, detect_record, read_documents
from difflm.data.readers import read_table, table_from_bytes
from difflm.data.sampled import Draw, drawn_rows
from difflm.errors import DataError
from difflm.schema import Kind

__all__ = [
    "BUILTIN",
    "MIN_ROWS",
    "Builtin",
    "Dataset",
    "Found",
    "Upload",
    "Wanted",
    "detect_record",
    "fingerprint",
    "load",
    "load_builtin",
    "read_documents",
    "read_table",
    "table_from_bytes",
]

Source = str | Path | pd.DataFrame


def load(
    source: Source,
    *,
    target: str | None = None,
    validation: Source | None = None,
    kinds: Mapping[str, Kind] | None = None,
    seed: int = 0,
    max_rows: int | None = None,
    record: Wanted = "auto",
    column: str | None = None,
    fits: Fits | None = None,
) -> Dataset:
    """A data set from a file, a folder of Parquet files, a frame, or the name of a built-in set.

    `record` says what a record is; "auto" takes what `detect_record` finds. Documents are read from `column` where it
    is named, and those that `fits` refuses are left out and listed.

    Of a long table `max_rows` are drawn by `seed`, by default as many as a training has room for.

    Without `validation` the rows are split 80/10/10 by `seed` (paper tables keep the paper's split);
    with it, a tenth of `source` becomes the test rows. `kinds` overrules inferred kinds by column.
    Raises DataError for what cannot be learned from, ConfigError for a target or kind of an unknown column.
    """
    if isinstance(source, str) and source in BUILTIN and validation is None:
        return load_builtin(source, target=target, kinds=kinds, seed=seed, max_rows=max_rows, fits=fits)
    for one in (source, validation):
        _check_name(one)
    wanted = detect_record(source).record if record == "auto" and column is None else record
    if wanted != "table":
        read = {"train": read_documents(source, wanted, column)}
        kind = read["train"].attrs["record"]
        if validation is not None:
            read["validation"] = read_documents(validation, kind, column)
        origin = "a data frame" if isinstance(source, pd.DataFrame) else Path(source).name
        return document_set(Path(origin).stem, read, kind, fits, seed=seed, source=origin)
    draw = Draw(seed, max_rows)
    frames = {"train": _frame(source, draw)}
    if validation is not None:
        frames["validation"] = _frame(validation, draw)
    path = None if isinstance(source, pd.DataFrame) else Path(source)
    name, origin = (path.stem, path.name) if path else ("table", "a data frame")
    return Dataset.build(name, frames, target=target, kinds=kinds, seed=seed, source=origin)


def _frame(source: Source, draw: Draw) -> pd.DataFrame:
    if isinstance(source, pd.DataFrame):
        return drawn_rows(source, draw)
    if isinstance(source, str) and source in BUILTIN:
        frames = BUILTIN[source].frames()
        return pd.concat(list(frames.values()), ignore_index=True)
    return read_table(source, draw)


def _check_name(source: Source | None) -> None:
    """DataError for what is no source at all, and with the nearest names for what is neither a file nor built in."""
    if source is None or isinstance(source, pd.DataFrame):
        return
    if not isinstance(source, str | Path):
        do = "give the rows themselves, as a data frame or a file"
        raise DataError("a data frame, a path, or the name of a built-in set", type(source).__name__, do)
    if source in BUILTIN or Path(source).exists():
        return
    if near := difflib.get_close_matches(str(source), BUILTIN, n=2):
        raise DataError("a file or a built-in set", repr(str(source)), f"did you mean {' or '.join(near)}?")
