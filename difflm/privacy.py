"""Rows kept apart from the real ones: what lies nearer to a training row than unseen real rows do is left out."""

from __future__ import annotations

import numpy as np
import pandas as pd

from difflm.errors import ConfigError
from difflm.metrics.dcr import NEAR
from difflm.metrics.neighbours import holdout_to_train, nearest, spaces
from difflm.metrics.table import Bench
from difflm.schema import Schema

REASON = "nearer to a real row than unseen rows are"


class Apart:
    """A test of canonical rows: True where the nearest training row is as far as it is for 98 % of unseen rows.

    The same distance and limit as the report's near copies; the unseen rows are those of the validation split, so
    that the test rows stay unseen. A table that repeats itself has limit 0, and then nothing is left out."""

    def __init__(self, schema: Schema, train: pd.DataFrame, unseen: pd.DataFrame, seed: int = 0) -> None:
        if not len(unseen):
            raise ConfigError("validation rows to tell what is near", "none", "train with a validation split")
        self.bench = Bench.build(schema, schema.canonical(train), schema.canonical(unseen), seed=seed)
        self.limit = float(np.quantile(holdout_to_train(self.bench).first, NEAR))

    def __call__(self, rows: pd.DataFrame) -> pd.Series:
        if self.limit == 0 or not len(rows):
            return pd.Series(True, index=rows.index)
        table = self.bench.encode(rows)
        references, queries = spaces(self.bench, [self.bench.train, table])
        return pd.Series(nearest(queries, references).first >= self.limit, index=rows.index)
