"""A table ready to learn from: its schema, its split, and what was noted on the way."""

from __future__ import annotations

import difflib
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from difflm.data.readers import MAX_COLUMNS
from difflm.data.sampled import MAX_ROWS
from difflm.data.split import split, split_rows
from difflm.disk import appearing, make_folder, read_json, write_atomic, write_json
from difflm.errors import ConfigError, DataError, RunError
from difflm.formats.registry import with_documents
from difflm.schema import Kind, Record, Schema, unique_names

MIN_ROWS = 10
"""Fewer rows leave nothing to hold out."""
GROUP_ROWS = 65_536
"""Rows of a row group in the run's copy, so that it can be read in parts."""
PARTS = ("train", "validation", "test")


@dataclass
class Dataset:
    """Typed rows in their original dtypes, split in three; the schema knows the training rows only."""

    name: str
    train: pd.DataFrame
    validation: pd.DataFrame
    test: pd.DataFrame
    schema: Schema
    fingerprint: str
    notes: list[str] = field(default_factory=list)
    source: str = ""
    licence: str = ""
    drawn: str = ""
    """What was drawn of a table with more rows, where that was so."""
    left_out: list[dict[str, str]] = field(default_factory=list)
    """Name and reason of each document that is not in the data set."""

    @classmethod
    def build(
        cls,
        name: str,
        frames: Mapping[str, pd.DataFrame],
        *,
        target: str | None = None,
        kinds: Mapping[str, Kind] | None = None,
        seed: int = 0,
        record: Record = "table",
        source: str = "",
        licence: str = "",
    ) -> Dataset:
        """From raw frames by part: all three, train and validation (train gives the test rows), or train
        alone (80/10/10 by `seed`). Kinds are inferred on all rows; ranges and categories on train alone.
        Documents ("tool", "code", "text") are frames with the one column of that name."""
        given = {part: named(frames[part]) for part in PARTS if part in frames}
        notes = [note for frame in given.values() for note in frame.attrs.get("notes", [])]
        drawn = "; ".join(
            f"{part} rows: {f.attrs['drawn']}" for part, f in frames.items() if "drawn" in f.attrs
        )
        drawn = drawn.removeprefix("train rows: ") if len(given) == 1 else drawn
        train = given["train"]
        for part, frame in given.items():
            _check(name, part, train, frame)
            frame.attrs = {}
        for wanted in [*([target] if target is not None else []), *(kinds or {})]:
            _known(str(wanted), list(train.columns))
        whole = pd.concat(list(given.values()), ignore_index=True) if len(given) > 1 else train
        schema = (
            Schema.infer(whole, target=target, kinds=kinds)
            if record == "table"
            else Schema.of_documents(record)
        )
        del whole
        if all(column.kind is Kind.identifier for column in schema.columns):
            raise DataError(
                "a column that can be learned",
                f"only identifiers in {name}",
                "set the kind of a column by hand",
            )
        parts = _parts(given, seed)
        canonical = {part: schema.canonical(parts.pop(part)) for part in PARTS}
        schema = schema.refit(canonical["train"])
        if record != "table":
            schema = with_documents(schema, canonical["train"])
        mark = fingerprint(canonical, schema)
        typed: dict[str, Any] = {part: schema.restore(canonical.pop(part)) for part in PARTS}
        notes = list(dict.fromkeys([*([drawn] if drawn else []), *notes, *schema.notes]))
        return cls(
            name,
            **typed,
            schema=schema,
            fingerprint=mark,
            notes=notes,
            source=source,
            licence=licence,
            drawn=drawn,
        )

    def write(self, folder: Path) -> None:
        """Write the split, then card.json, and schema.json last, as the mark that all is there."""
        make_folder(folder)
        for part in PARTS:
            table = pa.Table.from_pandas(getattr(self, part), preserve_index=False)
            with appearing(folder / f"{part}.parquet") as temporary:
                pq.write_table(table, temporary, row_group_size=GROUP_ROWS)
        card: dict[str, Any] = {"name": self.name, "source": self.source, "licence": self.licence}
        card |= {"fingerprint": self.fingerprint, "notes": self.notes, "drawn": self.drawn}
        card["rows"] = {part: len(getattr(self, part)) for part in PARTS}
        write_json(folder / "card.json", card)
        if self.left_out:
            write_json(folder / "left_out.json", {"left_out": self.left_out})
        write_atomic(folder / "schema.json", self.schema.model_dump_json(indent=1).encode())

    @classmethod
    def read(cls, folder: Path) -> Dataset:
        """The data set that `write` left in `folder`; RunError when it is not whole."""
        card = read_json(folder / "card.json")
        listed = folder / "left_out.json"
        try:
            schema = Schema.model_validate_json((folder / "schema.json").read_text(encoding="utf-8"))
            files = {part: folder / f"{part}.parquet" for part in PARTS}
            typed = {
                part: schema.restore(schema.canonical(pd.read_parquet(file))) for part, file in files.items()
            }
            return cls(
                name=card["name"],
                **typed,
                schema=schema,
                fingerprint=card["fingerprint"],
                notes=card["notes"],
                source=card["source"],
                licence=card["licence"],
                drawn=card.get("drawn", ""),
                left_out=read_json(listed)["left_out"] if listed.exists() else [],
            )
        except (OSError, ValueError, KeyError) as error:
            raise RunError(
                f"a whole data set in {folder}", str(error)[:120], "train the run again"
            ) from error


def named(frame: pd.DataFrame) -> pd.DataFrame:
    """A shallow copy with distinct string column names and a fresh index, notes of it in attrs."""
    names, renamed = unique_names(list(frame.columns))
    made = frame.set_axis(pd.Index(names, dtype=object), axis=1).reset_index(drop=True)
    made.attrs = {"notes": [*frame.attrs.get("notes", []), *renamed]}
    return made


def fingerprint(parts: Mapping[str, pd.DataFrame], schema: Schema) -> str:
    """sha256 over the canonical cells of each part, its column names and kinds: the same rows in the same
    split give the same mark, whatever file they came from."""
    digest = hashlib.sha256()
    for column in schema.columns:
        digest.update(f"{column.name}\x00{column.kind}\x00".encode("utf-8", "replace"))
    for part in PARTS:
        digest.update(f"{part}\x00{len(parts[part])}\x00".encode())
        for column in schema.columns:
            cells = parts[part][column.name]
            digest.update(np.packbits(cells.isna().to_numpy(dtype=bool)).tobytes())
            if cells.dtype == object:
                plain = cells.fillna("").astype(object)
                digest.update(pd.util.hash_array(plain.to_numpy(), categorize=True).tobytes())
            else:
                digest.update(
                    cells.fillna(0).to_numpy(dtype=None if cells.dtype == float else np.int64).tobytes()
                )
    return digest.hexdigest()


def _parts(given: Mapping[str, pd.DataFrame], seed: int) -> dict[str, pd.DataFrame]:
    train = given["train"]
    if "test" in given and "validation" in given:
        return dict(given)
    if "validation" in given:
        kept, _, tested = split_rows(len(train), seed)
        kept = np.setdiff1d(np.arange(len(train)), tested)
        return {**given, "train": train.iloc[kept], "test": train.iloc[tested]}
    return dict(zip(PARTS, split(train, seed), strict=True))


def _check(name: str, part: str, train: pd.DataFrame, frame: pd.DataFrame) -> None:
    """DataError for too few or too many rows or columns, and for parts whose columns differ."""
    what = name if part == "train" else f"the {part} rows of {name}"
    least = MIN_ROWS if part == "train" else 1
    if not len(frame.columns):
        raise DataError("a table with at least one column", f"none in {what}", "check the file")
    if len(frame) < least:
        raise DataError(f"at least {least} rows", f"{len(frame)} in {what}", "add rows")
    if len(frame) > MAX_ROWS or len(frame.columns) > MAX_COLUMNS:
        shape = f"{len(frame):,} x {len(frame.columns):,} in {what}"
        raise DataError(f"at most {MAX_ROWS:,} rows and {MAX_COLUMNS:,} columns", shape, "take a sample")
    if set(frame.columns) != set(train.columns):
        absent = ", ".join(sorted(set(train.columns) - set(frame.columns))[:8])
        extra = ", ".join(sorted(set(frame.columns) - set(train.columns))[:8])
        raise DataError(
            f"the same columns in {what} as in the training rows",
            "; ".join(t for t in (f"no {absent}" if absent else "", f"also {extra}" if extra else "") if t),
            "give both files the same header",
        )


def _known(wanted: str, columns: list[str]) -> None:
    """ConfigError with the nearest names when `wanted` is no column."""
    if wanted in columns:
        return
    near = [name for name in columns if name.lower() == wanted.lower()]
    near = near or difflib.get_close_matches(wanted, columns, n=3, cutoff=0.5)
    shown = ", ".join(columns[:12]) + (" ..." if len(columns) > 12 else "")
    hint = f"did you mean {' or '.join(near)}?" if near else "name one of these"
    raise ConfigError(f"a column out of {shown}", repr(wanted), hint)
