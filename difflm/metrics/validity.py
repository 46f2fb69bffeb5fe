"""Raw validity: the share of records that fit the schema, before any retry."""

from __future__ import annotations

from typing import final

import numpy as np

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
        schema = bench.schema
        broken = {rule: count for rule, count in schema.violations(synthetic.frame).items() if count}
        # Counts by rule cannot be added up to rows: one row may break several.
        share = 1.0 - float(np.mean(schema.broken(synthetic.frame)))
        return Result({"raw_validity": share}, {"violations": broken})
