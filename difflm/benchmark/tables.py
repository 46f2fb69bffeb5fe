"""The rows of a benchmark: one split for all models, written in the form that every script can read"""

from __future__ import annotations

import io
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from difflm.data import Dataset, load
from difflm.data.builtin import log_scored
from difflm.disk import make_folder, write_atomic, write_json
from difflm.errors import RunError
from difflm.identifiers import fresh_identifiers
from difflm.runs import clean_name
from difflm.schema import Column, Kind

SPLIT_SEED = 0
"""Of the split and of the choice of rows: the seeds of a benchmark are those of the models alone."""
LEAST_VALIDATION = 500
"""Validation rows that are kept at least where training rows are cut: fewer would choose the best step by luck."""
NUMBERS = (Kind.integer, Kind.real, Kind.datetime)


@dataclass(frozen=True)
class Table:
    """A data set, and what the command line called it."""

    source: str
    dataset: Dataset

    @property
    def name(self) -> str:
        """Name for people."""
        return self.dataset.name

    @property
    def folder(self) -> str:
        """Name of its folder: readable, and different for different rows."""
        return f"{clean_name(self.name)}-{self.dataset.fingerprint[:8]}"

    @property
    def log_scored(self) -> bool:
        """Whether its target is scored as log(clip(y, 1, 20000)) without being asked for it."""
        return log_scored(self.name, self.dataset.schema.target)

    @property
    def learned(self) -> list[Column]:
        """Columns that models learn: all but identifiers."""
        return [column for column in self.dataset.schema.columns if column.kind is not Kind.identifier]


def load_table(source: str, target: str | None, rows: int | None) -> Table:
    """The table that `difflm fit` would read, its training rows cut to a seeded choice of `rows`.

    Validation rows are cut in proportion, as if the table were smaller; test rows all stay, to score with."""
    dataset = load(source, target=target, seed=SPLIT_SEED)
    if rows is not None and rows < len(dataset.train):
        in_proportion = rows * len(dataset.validation) // len(dataset.train)
        validation = _some(dataset.validation, max(in_proportion, LEAST_VALIDATION))
        frames = {"train": _some(dataset.train, rows), "validation": validation, "test": dataset.test}
        schema = dataset.schema
        dataset = Dataset.build(
            dataset.name,
            frames,
            target=schema.target,
            kinds={column.name: column.kind for column in schema.columns},
            source=dataset.source,
            licence=dataset.licence,
        )
    return Table(source, dataset)


def _some(frame: pd.DataFrame, most: int) -> pd.DataFrame:
    return frame.iloc[np.sort(np.random.default_rng(SPLIT_SEED).permutation(len(frame))[:most])]


def write_job(folder: Path, table: Table, **asked: Any) -> None:
    """What the script of a peer finds in its folder: train.parquet and job.json."""
    make_folder(folder)
    schema, columns = table.dataset.schema, table.learned
    canonical = schema.canonical(table.dataset.train)[[column.name for column in columns]]
    buffer = io.BytesIO()
    canonical.to_parquet(buffer, index=False)
    write_atomic(folder / "train.parquet", buffer.getvalue())
    told = [{"name": c.name, "kind": str(c.kind), "unit": c.unit, "missing": c.missing} for c in columns]
    target = schema.target if schema.target in {column.name for column in columns} else None
    write_json(folder / "job.json", {"columns": told, "target": target, **asked})


def read_set(path: Path, table: Table, seed: int) -> pd.DataFrame:
    """Rows that a peer wrote, in the table's own types.

    Numbers are cut to the training range and rounded to the column's decimals, as SDV does it for its
    models; a number that a peer cannot say is missing. Identifiers are drawn afresh, as for difflm."""
    try:
        made = pd.read_parquet(path)
        cells = {column.name: _cells(column, made[column.name]) for column in table.learned}
    except (OSError, ValueError, KeyError) as error:
        raise RunError(f"rows of a peer in {path.name}", str(error)[:200], "see its log") from error
    frame = pd.DataFrame(cells)
    if not len(frame):
        raise RunError("generated rows", "none", "see the log of the model")
    for column in table.dataset.schema.columns:
        if column.kind is Kind.identifier:
            frame[column.name] = pd.Series(fresh_identifiers(column, None, len(frame), seed, 0), dtype=object)
    return table.dataset.schema.restore(frame[table.dataset.schema.names])


def _cells(column: Column, cells: pd.Series) -> pd.Series:
    if column.kind not in NUMBERS:
        return cells.astype(object).where(cells.notna(), None).map(str, na_action="ignore")
    if column.kind is not Kind.real and str(cells.dtype) in ("Int64", "int64"):
        # Not through floats: counts of nanoseconds do not fit one.
        return cells.astype("Int64").clip(column.minimum, column.maximum)
    values = pd.to_numeric(cells, errors="coerce").astype("Float64").astype("float64")
    values = values.where(np.isfinite(values)).clip(column.minimum, column.maximum)
    if column.kind is Kind.real:
        return values.round(column.decimals) if column.decimals < 15 else values
    return values.round().astype("Int64")
