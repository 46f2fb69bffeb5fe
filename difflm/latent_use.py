"""How much of the records the latent of a model carries: the figure that stands beside every fidelity figure."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from difflm.latent.posterior import active_dimensions, kl_per_dimension
from difflm.metrics.reconstruction import exact_cells
from difflm.models.compact import CompactDecoder
from difflm.pipeline import DiffLM
from difflm.training.costs import LEAST_USE_ROWS
from difflm.training.fit import mean_tokens, prepare, some_rows

LEAST_DOCUMENTS = 200
"""Documents that the latent use is measured on at least, however long they are. Of a table see LEAST_USE_ROWS."""
COUNTED = 64
"""Records whose tokens are counted, to tell how long they are."""
FOREIGN = 10
"""How many tokens the compact decoder writes while a language model writes one."""


def latent_use(model: DiffLM, rows: pd.DataFrame, most_tokens: int = 500_000) -> dict[str, Any]:
    """KL (nats a record), active dimensions and share of cells of `rows` exactly right from mu, by column.

    Of many rows a sample of about `most_tokens` is looked at, a tenth of that where a language model writes them."""
    latent = model.artifact.model
    tokens = mean_tokens(prepare(latent, model.schema.canonical(rows.iloc[:COUNTED])))
    compact = isinstance(latent.decoder, CompactDecoder)
    cost = max(tokens, 1.0) * (1 if compact else FOREIGN)
    most = max(LEAST_USE_ROWS if compact else LEAST_DOCUMENTS, int(most_tokens / cost))
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
