"""Frames as arrays: one code book shared by all tables of a comparison, and the bench that holds them.

n rows, p number columns (integer, real, datetime; text as its length), q code columns (category, boolean).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difflm.errors import DataError

if TYPE_CHECKING:
    from difflm.schema import Schema

NUMBER_KINDS = frozenset({"integer", "real", "datetime"})
CODE_KINDS = frozenset({"category", "boolean"})


@dataclass(frozen=True)
class Encoded:
    """One table: numbers (n, p) float64 with NaN for missing, codes (n, q) int32, and its canonical frame."""

    frame: pd.DataFrame
    numbers: NDArray[np.float64]
    codes: NDArray[np.int32]

    def __len__(self) -> int:
        return len(self.frame)

    def take(self, rows: NDArray[np.intp]) -> Encoded:
        """The given rows, in the given order."""
        return Encoded(self.frame.iloc[rows], self.numbers[rows], self.codes[rows])


class Codec:
    """Code book: column order, and an integer for each category of the real tables.

    Codes 0..k-1 are the categories by frequency, k is any value that no real table has, k + 1 is missing.
    """

    def __init__(self, schema: Schema, frames: Sequence[pd.DataFrame]) -> None:
        self.number_names: list[str] = []
        self.text_names: list[str] = []
        self.code_names: list[str] = []
        self.categories: dict[str, pd.Index] = {}
        self.left_out: list[str] = []
        for column in schema.columns:
            kind = str(column.kind)
            if kind in NUMBER_KINDS:
                self.number_names.append(column.name)
            elif kind == "text":
                self.text_names.append(column.name)
            elif kind in CODE_KINDS:
                self.code_names.append(column.name)
                values = pd.concat([frame[column.name] for frame in frames], ignore_index=True).dropna()
                counts = values.astype(str).value_counts()
                # Ties by name, so that the codes depend on the values alone and not on the order of rows.
                order = sorted(counts.items(), key=lambda item: (-item[1], str(item[0])))
                self.categories[column.name] = pd.Index([str(value) for value, _ in order], dtype=object)
            else:
                self.left_out.append(column.name)
        self.number_names += self.text_names
        if not self.number_names and not self.code_names:
            raise DataError(
                "at least one column that is not an identifier",
                f"only {', '.join(self.left_out) or 'none'}",
                "set the kind of a column to what it holds",
            )

    @property
    def levels(self) -> list[int]:
        """Codes per code column, with the one for unknown and the one for missing."""
        return [len(self.categories[name]) + 2 for name in self.code_names]

    @property
    def names(self) -> list[str]:
        """All compared columns, numbers first."""
        return self.number_names + self.code_names

    def encode(self, frame: pd.DataFrame) -> Encoded:
        """Encode a canonical frame; infinities count as missing."""
        numbers = np.full((len(frame), len(self.number_names)), np.nan)
        for j, name in enumerate(self.number_names):
            series = frame[name].astype(object).str.len() if name in self.text_names else frame[name]
            numbers[:, j] = pd.to_numeric(series).astype("Float64").to_numpy(dtype=float, na_value=np.nan)
        numbers[~np.isfinite(numbers)] = np.nan
        codes = np.zeros((len(frame), len(self.code_names)), dtype=np.int32)
        for j, name in enumerate(self.code_names):
            index = self.categories[name]
            missing = frame[name].isna().to_numpy()
            found = index.get_indexer(pd.Index(frame[name].astype(object)))
            codes[:, j] = np.where(missing, len(index) + 1, np.where(found < 0, len(index), found))
        return Encoded(frame, numbers, codes)


@dataclass
class Bench:
    """The real side of a comparison: tables in one code book, target and seed."""

    schema: Schema
    codec: Codec
    train: Encoded
    test: Encoded
    validation: Encoded
    seed: int = 0
    target: str | None = None
    log_clip: bool = False
    """Numeric target: score log(clip(y, 1, 20000)), the protocol of the papers for Beijing."""
    max_rows: int = 50_000
    """Metrics that compare rows one by one use a seeded subsample of at most this many."""
    borrowed: NDArray[np.intp] | None = None
    """Training rows that stand in for a validation split when none was given."""
    cache: dict[str, Any] = field(default_factory=dict, repr=False)

    @classmethod
    def build(
        cls,
        schema: Schema,
        train: pd.DataFrame,
        test: pd.DataFrame,
        validation: pd.DataFrame | None = None,
        *,
        target: str | None = None,
        seed: int = 0,
        **options: Any,
    ) -> Bench:
        """From canonical frames; without a validation split a seeded tenth of the training rows is used."""
        for name, frame in (("training", train), ("test", test)):
            if not len(frame):
                raise DataError(f"at least one {name} row", "none", f"pass a {name} table with rows")
        borrowed: NDArray[np.intp] | None = None
        if validation is None or not len(validation):
            borrowed = sample_rows(len(train), max(1, len(train) // 10), np.random.default_rng(seed))
            validation = train.iloc[borrowed]
        codec = Codec(schema, [train, test, validation])
        wanted = target if target is not None else schema.target
        return cls(
            schema,
            codec,
            codec.encode(train),
            codec.encode(test),
            codec.encode(validation),
            seed=seed,
            target=wanted,
            borrowed=borrowed,
            **options,
        )

    def encode(self, frame: pd.DataFrame) -> Encoded:
        """A further canonical frame in the same code book."""
        return self.codec.encode(frame)

    def halved(self) -> tuple[Bench, Encoded]:
        """A bench with one half of the test rows, and the other half to be scored as if generated."""
        order = self.rng(4).permutation(len(self.test))
        half = len(order) // 2
        return replace(self, test=self.test.take(order[half:]), cache={}), self.test.take(order[:half])

    def rng(self, purpose: int = 0) -> np.random.Generator:
        """A fresh generator: metrics do not disturb each other's draws."""
        return np.random.default_rng([self.seed, purpose])

    def ranges(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Lowest value and positive width (p,) of each number column in the real training rows."""
        return column_ranges(self.train.numbers)


def column_ranges(numbers: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Lowest value and width (p,); width 1 for a constant or empty column."""
    known = ~np.isnan(numbers)
    low = np.where(known, numbers, np.inf).min(axis=0, initial=np.inf)
    high = np.where(known, numbers, -np.inf).max(axis=0, initial=-np.inf)
    empty = ~known.any(axis=0)
    low, high = np.where(empty, 0.0, low), np.where(empty, 1.0, high)
    width = high / 2 - low / 2  # halves first: the width of +-1e308 does not fit a float
    return low, np.where(width > 0, np.minimum(width, 8e307) * 2, 1.0)


def sample_rows(count: int, size: int, rng: np.random.Generator) -> NDArray[np.intp]:
    """`size` distinct row numbers of `count` in random order; all of them when there are no more."""
    return rng.permutation(count)[:size]


def row_keys(frame: pd.DataFrame, names: Iterable[str]) -> NDArray[np.uint64]:
    """(n,) one hash per row over the given columns, for exact equality; missing equals missing."""
    columns = {}
    for name in names:
        series = frame[name]
        if pd.api.types.is_numeric_dtype(series):
            columns[name] = series.astype("Float64").to_numpy(dtype=float, na_value=np.nan) + 0.0
        else:
            columns[name] = series.astype(object).where(series.notna(), None).to_numpy()
    hashes = pd.util.hash_pandas_object(pd.DataFrame(columns), index=False)
    return np.asarray(hashes, dtype=np.uint64)
