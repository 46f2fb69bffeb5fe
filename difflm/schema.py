"""The columns of a table: inferred once, then the contract for every row, real or generated."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict

from difflm.columns import Column, Kind, Unit, ValueType
from difflm.conversion import canonical_cells, restored_cells
from difflm.errors import SchemaError
from difflm.inference import infer_column

__all__ = ["DOCUMENTS", "Column", "Kind", "Record", "Schema", "Unit", "ValueType", "unique_names"]

NUMERIC = (Kind.integer, Kind.real, Kind.datetime)
Record = Literal["table", "tool", "code", "text"]
DOCUMENTS = get_args(Record)[1:]
RULES = ("missing", "range", "category", "decimals")


class Schema(BaseModel):
    """Columns in table order, the column that evaluation predicts, and what is to be known of them."""

    model_config = ConfigDict(extra="forbid")

    columns: list[Column]
    target: str | None = None
    notes: list[str] = []
    record: Record = "table"
    """What a record is; a document ("tool": JSON, "code", "text") is the one column of that name."""
    json_schema: dict[str, Any] | None = None
    """tool: the JSON Schema of the documents."""
    longest: int = 0
    """Documents: characters of the longest."""

    @property
    def names(self) -> list[str]:
        """Column names in order."""
        return [column.name for column in self.columns]

    def column(self, name: str) -> Column:
        """The column called `name`; SchemaError naming the known ones."""
        for column in self.columns:
            if column.name == name:
                return column
        raise SchemaError(f"a column out of {_listed(self.names)}", repr(name), "check the spelling")

    @classmethod
    def of_documents(cls, record: Record) -> Schema:
        """One column that holds whole documents."""
        return cls(columns=[Column(name=record, kind=Kind.text)], record=record)

    @classmethod
    def infer(
        cls, df: pd.DataFrame, target: str | None = None, kinds: Mapping[str, Kind] | None = None
    ) -> Schema:
        """Kinds, storage, ranges and categories of `df` (n, columns); `kinds` overrules the guesses.

        Duplicate or empty column names are renamed, with a note; `canonical` renames the same way.
        Raises SchemaError for no columns, or a target or a kind for a column that is not there.
        """
        if not len(df.columns):
            raise SchemaError("a table with at least one column", "none", "check the file")
        names, notes = unique_names(list(df.columns))
        wanted = {str(name): _kind(name, kind) for name, kind in (kinds or {}).items()}
        for name in [*wanted, *([target] if target is not None else [])]:
            if name not in names:
                raise SchemaError(f"a column out of {_listed(names)}", repr(name), "check the spelling")
        columns = []
        for position, name in enumerate(names):
            # One column at a time, so that the canonical table is never whole in memory.
            column = infer_column(name, df.iloc[:, position], wanted.get(name))
            columns.append(_fitted(column, canonical_cells(column, df.iloc[:, position])))
        return cls(columns=columns, target=target, notes=notes + _told(columns))

    def refit(self, rows: pd.DataFrame) -> Schema:
        """The same types with the ranges, categories and missing cells of canonical `rows` alone,
        so that what only validation or test rows hold is not known to the model."""
        columns = [_fitted(column, rows[column.name]) for column in self.columns]
        own = [note for note in self.notes if not note.startswith("column ")]
        return self.model_copy(update={"columns": columns, "notes": own + _told(columns)})

    def canonical(self, df: pd.DataFrame) -> pd.DataFrame:
        """Canonical cells (n, columns) with a fresh index; extra columns are left out, unseen
        categories stay as strings. SchemaError for a column that is not there or cells that do not parse."""
        names, _ = unique_names(list(df.columns))
        positions = {name: position for position, name in enumerate(names)}
        absent = [name for name in self.names if name not in positions]
        if absent:
            raise SchemaError(
                f"the columns {_listed(self.names)}",
                f"a table without {_listed(absent)}",
                "add these columns",
            )
        made = {c.name: canonical_cells(c, df.iloc[:, positions[c.name]]) for c in self.columns}
        return pd.DataFrame(made, index=pd.RangeIndex(len(df)))

    def restore(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Canonical `rows` in the original dtypes, with a fresh index; columns that are absent stay so."""
        made = {
            c.name: restored_cells(c, rows[c.name].reset_index(drop=True))
            for c in self.columns
            if c.name in rows.columns
        }
        return pd.DataFrame(made, index=pd.RangeIndex(len(rows)))

    def violations(self, rows: pd.DataFrame) -> dict[str, int]:
        """How many canonical `rows` break each rule: missing, range, category, decimals."""
        return {rule: int(broken.sum()) for rule, broken in self._broken(rows).items()}

    def broken(self, rows: pd.DataFrame) -> pd.Series:
        """(n,) which canonical `rows` break a rule, with the index of `rows`."""
        return pd.Series(np.any(list(self._broken(rows).values()), axis=0), index=rows.index)

    def _broken(self, rows: pd.DataFrame) -> dict[str, NDArray[np.bool_]]:
        broken = {rule: np.zeros(len(rows), dtype=bool) for rule in RULES}
        for column in self.columns:
            if column.name not in rows.columns:
                continue
            cells = rows[column.name]
            absent = cells.isna().to_numpy(dtype=bool)
            if not column.missing:
                broken["missing"] |= absent
            if column.kind in NUMERIC and column.minimum is not None and column.maximum is not None:
                outside = (cells < column.minimum) | (cells > column.maximum)
                broken["range"] |= outside.fillna(False).to_numpy(dtype=bool)
            if column.kind in (Kind.category, Kind.boolean) and column.categories is not None:
                broken["category"] |= ~absent & ~cells.isin(column.categories).to_numpy(dtype=bool)
            if column.kind is Kind.real and column.decimals < 15:
                values = cells.to_numpy(dtype=np.float64, na_value=np.nan)
                broken["decimals"] |= ~absent & ~_written(values, column.decimals)
        return broken


def unique_names(names: list[object]) -> tuple[list[str], list[str]]:
    """Column names as distinct strings, with a note on each kind of change."""
    made: list[str] = []
    renamed: list[str] = []
    taken = {str(name) for name in names}
    for position, name in enumerate(names):
        plain = " ".join(map(str, name)) if isinstance(name, tuple) else str(name)
        wanted = plain if plain.strip() and plain != "nan" else f"column_{position + 1}"
        fresh, count = wanted, 1
        while fresh in made or (fresh != plain and fresh in taken):
            count += 1
            fresh = f"{wanted}_{count}"
        if fresh != plain:
            renamed.append(f"{plain!r} to {fresh!r}")
        made.append(fresh)
    notes = [f"renamed duplicate or empty column names: {', '.join(renamed[:20])}"] if renamed else []
    return made, notes


def _told(columns: list[Column]) -> list[str]:
    return [f"column {column.name!r}: {column.note}" for column in columns if column.note]


def _fitted(column: Column, cells: pd.Series) -> Column:
    """`column` with the statistics of canonical `cells`."""
    fitted = column.model_copy()
    known = cells[cells.notna()]
    fitted.missing = len(known) < len(cells)
    if column.kind in NUMERIC:
        plain = known.to_numpy(dtype=np.float64 if column.kind is Kind.real else np.int64)
        fitted.distinct = len(np.unique(plain))
        fitted.minimum = plain.min().item() if len(plain) else None
        fitted.maximum = plain.max().item() if len(plain) else None
    elif column.kind in (Kind.category, Kind.boolean):
        tally = known.value_counts()
        order = sorted(zip(tally.index, tally, strict=True), key=lambda item: (-item[1], item[0]))
        fitted.categories = [str(value) for value, _ in order]
        fitted.distinct = len(order)
    else:
        fitted.distinct = int(known.nunique())
    constant = "the same value in every row"
    if fitted.distinct == 1 and not fitted.missing and constant not in fitted.note:
        fitted.note = "; ".join(part for part in (fitted.note, constant) if part)
    return fitted


def _written(values: NDArray[np.float64], places: int) -> NDArray[np.bool_]:
    """(n,) values that `places` decimals write exactly."""
    beyond = np.abs(values) >= 2.0**53 / 10.0**places
    near = np.where(beyond, 0.0, values)
    return beyond | (np.round(near, places) == near)


def _kind(name: object, kind: object) -> Kind:
    try:
        return Kind(str(kind))
    except ValueError as error:
        raise SchemaError(
            f"a kind out of {', '.join(Kind)} for {name!r}", repr(kind), "choose one"
        ) from error


def _listed(names: list[str]) -> str:
    shown = ", ".join(names[:20])
    return shown if len(names) <= 20 else f"{shown} and {len(names) - 20} more"
