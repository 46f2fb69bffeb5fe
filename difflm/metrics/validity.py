"""Raw validity: the share of records that fit the schema, before any retry."""

from __future__ import annotations

from typing import final

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difflm.metrics.base import Figure, Metric, Result, register
from difflm.metrics.table import Bench, Encoded


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
        valid = valid_rows(bench, synthetic.frame)
        return Result({"raw_validity": float(valid.mean())}, {"violations": broken})


def valid_rows(bench: Bench, frame: pd.DataFrame) -> NDArray[np.bool_]:
    """(n,) rows without a violation, found by halving: `Schema.violations` counts, it does not point."""
    valid = np.ones(len(frame), dtype=bool)
    stack = [(0, len(frame))]
    while stack:
        start, stop = stack.pop()
        if not any(bench.schema.violations(frame.iloc[start:stop]).values()):
            continue
        if stop - start == 1:
            valid[start] = False
            continue
        middle = (start + stop) // 2
        stack += [(start, middle), (middle, stop)]
    return valid
