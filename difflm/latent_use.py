"""How much of the records the latent of a model carries: the figure that stands beside every fidelity figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from difflm.latent.posterior import active_dimensions, kl_per_dimension
from difflm.metrics.reconstruction import exact_cells
from difflm.pipeline import DiffLM
from difflm.training.fit import some_rows

LEAST_LOOKED_AT = 200
"""Records that the latent use is measured on at least, however long they are."""
CHARACTERS = 4
"""Characters of a token of text, about."""


def latent_use(model: DiffLM, rows: pd.DataFrame, most_tokens: int = 500_000) -> dict[str, Any]:
    """KL (nats a record), active dimensions and share of cells of `rows` exactly right from mu, by column.

    Of many rows a sample of about `most_tokens` is looked at."""
    table = model.schema.record == "table"
    tokens = max(model.artifact.codec.fixed, 1) if table else max(model.schema.longest // CHARACTERS, 1)
    most = max(LEAST_LOOKED_AT, most_tokens // tokens)
    rows = rows.iloc[some_rows(len(rows), most, model.config.seed)]
    kl = kl_per_dimension(*model.posterior(rows))
    real = model.schema.canonical(rows)
    per_column = exact_cells(model.schema, real, model.schema.canonical(model.reconstruct(rows)))
    core = per_column
    if model.artifact.model.details is not None:
        rebuilt = model.schema.canonical(model.reconstruct(rows, details=False))
        core = exact_cells(model.schema, real, rebuilt)
    return {
        "kl": float(kl.sum(dim=1).mean()),
        "active": active_dimensions(kl),
        "dimensions": kl.shape[1],
        "reconstruction": float(np.mean(list(per_column.values()))) if per_column else float("nan"),
        "core": float(np.mean(list(core.values()))) if core else float("nan"),
        "per_column": per_column,
        "core_per_column": core,
        "rows": len(rows),
    }
