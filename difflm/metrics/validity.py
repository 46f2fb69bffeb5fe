"""Raw validity: the share of records that fit the schema, before any retry."""

from __future__ import annotations

from typing import TYPE_CHECKING, final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difflm.metrics.base import Figure, Metric, Result, register
from difflm.metrics.table import CODE_KINDS, NUMBER_KINDS, Bench, Encoded

if TYPE_CHECKING:
    from difflm.schema import Schema


@final
@register
class Validity(Metric):
    """Share of rows that break nothing of the schema: missing, range, category, decimals."""

    name = "validity"

    def figures(self, bench: Bench) -> tuple[Figure, ...]:
        return (
            Figure(
                name="raw_validity",
                label="Raw validity",
                goal="max",
                bounds=(0.0, 1.0),
                best=1.0,
                meaning="Share of generated records that parse and fit the column types, ranges and known "
                "categories before anything is thrown away. Where the generator did not report it, the share "
                "of the given rows that fit.",
            ),
        )

    def compute(self, bench: Bench, synthetic: Encoded) -> Result:
        if not len(synthetic):
            return Result({"raw_validity": None})
        broken = {k: v for k, v in bench.schema.violations(synthetic.frame).items() if v}
        valid = valid_rows(bench.schema, synthetic.frame) if broken else np.ones(len(synthetic), dtype=bool)
        return Result({"raw_validity": float(valid.mean())}, {"violations": broken})


def valid_rows(schema: Schema, frame: pd.DataFrame) -> NDArray[np.bool_]:
    """(n,) rows of a canonical frame without any violation.

    The rules are those of `Schema.violations`, whose counts by rule cannot be added up to rows.
    """
    valid = np.ones(len(frame), dtype=bool)
    for column in schema.columns:
        values, missing = frame[column.name], frame[column.name].isna().to_numpy()
        fits = np.ones(len(frame), dtype=bool)
        if str(column.kind) in NUMBER_KINDS:
            numbers = values.astype("Float64").to_numpy(dtype=float, na_value=np.nan)
            low = -np.inf if column.minimum is None else float(column.minimum)
            high = np.inf if column.maximum is None else float(column.maximum)
            fits = (numbers >= low) & (numbers <= high)
            if str(column.kind) == "real" and column.decimals <= 15:  # what a float can tell apart
                fits &= np.isclose(numbers, np.round(numbers, column.decimals), rtol=1e-12, atol=0)
        elif str(column.kind) in CODE_KINDS and column.categories is not None:
            fits = values.isin(column.categories).to_numpy()
        valid &= np.where(missing, column.missing, fits)
    return valid
