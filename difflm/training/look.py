"""What each evaluation of stage 1 looks at beside the losses: cells that are rebuilt, and rows written so far.

There is no prior yet: rows are written from a Gaussian fitted to the latents of held-out rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import torch

from difflm.generation import decode_latents, rebuild
from difflm.metrics.reconstruction import exact_cells
from difflm.metrics.shape import shape_error
from difflm.metrics.table import Codec, Encoded
from difflm.models.compact import CompactDecoder
from difflm.models.decoder import Batch
from difflm.models.vae import LatentLM
from difflm.priors.gaussian import GaussianPrior
from difflm.schema import Kind, Schema
from difflm.seeding import seeded
from difflm.training.host import Host

LOOKED_AT, LOOKED_DOCUMENTS = 512, 16
"""Held-out records that are rebuilt in an evaluation: by the compact decoder, and by any other."""
WRITTEN, WRITTEN_DOCUMENTS = 256, 3
"""Records that are written in an evaluation."""
WIDE_TOKENS, LEAST_ROWS = 48, 32
"""Of rows with more tokens than these fewer are looked at, by the square (each token attends to all before it), so many
at least: an evaluation of a wide table takes no longer."""
SHOWN = 6
COMPARED = 5_000
"""Training rows that the written ones are held against."""


@dataclass(frozen=True)
class Look:
    """Looks at a model that is being trained; `encode` gives mu, logvar of a batch."""

    model: LatentLM
    schema: Schema
    train: pd.DataFrame
    held: pd.DataFrame
    batch: Batch
    """What encoder and decoder read of the first `held` rows."""
    encode: Callable[[LatentLM, Batch], tuple[torch.Tensor, torch.Tensor]]
    host: Host
    noise: float
    """Of the latents that rows are written from, as in generation."""

    def __call__(self) -> dict[str, Any]:
        """Figures of the evaluation; a few rows go to the host."""
        compact = isinstance(self.model.decoder, CompactDecoder)
        share = min(1.0, WIDE_TOKENS / self.batch["ids"].shape[1]) ** 2 if compact else 1.0
        looked = max(LEAST_ROWS, int(LOOKED_AT * share)) if compact else LOOKED_DOCUMENTS
        count = max(LEAST_ROWS, int(WRITTEN * share)) if compact else WRITTEN_DOCUMENTS
        some = {k: v[:looked] for k, v in self.batch.items()}
        values: dict[str, Any] = {"accuracy": self._accuracy(some, True)}
        # Writing a document takes as many steps as it has tokens: the core alone is looked at when all is done.
        if self.model.details is not None and compact:
            values["core_accuracy"] = self._accuracy(some, False)
        rows, valid = self._written(some, count)
        values["valid"] = valid
        if self.schema.record == "table":
            values["shape"], values["shape_of_real"] = self._shape(rows)
        named = [c.name for c in self.schema.columns if c.kind is not Kind.identifier]
        shown = self.schema.restore(rows.iloc[:SHOWN].reindex(columns=self.schema.names))
        records = shown[named].astype(object).map(str).to_dict("records")
        seconds = round(self.host.seconds, 2)
        self.host.on_progress({"event": "sample", "stage": "vae", "seconds": seconds, "rows": records})
        return {name: value for name, value in values.items() if value is not None}

    def _accuracy(self, some: Batch, details: bool) -> float | None:
        """Share of held-out cells that come back exactly: from both levels of the latent, or from the core alone."""
        rows, index = rebuild(self.model, some, details)
        shares = exact_cells(self.schema, self.held.iloc[index.numpy()], rows)
        return sum(shares.values()) / len(shares) if shares else None

    def _written(self, some: Batch, count: int) -> tuple[pd.DataFrame, float]:
        """Rows from the Gaussian, and the share of attempts that gave one."""
        mu, logvar = self.encode(self.model, some)
        generator = seeded(0, "look")
        spread = (logvar / 2).exp() * torch.randn(mu.shape, generator=generator)
        z = GaussianPrior.fit(mu + spread).sample(count, generator, self.noise)
        rows, _, _ = decode_latents(self.model, z, self.noise, 1.0, 0)
        return rows, len(rows) / count

    def _shape(self, rows: pd.DataFrame) -> tuple[float | None, float | None]:
        """Shape error of the written rows, and of as many unseen real ones."""
        if not len(rows) or not any(c.kind is not Kind.identifier for c in self.schema.columns):
            return None, None
        codec, real, unseen = self._real
        written = codec.encode(rows.reindex(columns=real.frame.columns))
        others = unseen.take(np.arange(min(len(rows), len(unseen))))
        return shape_error(codec, real, written), shape_error(codec, real, others)

    @cached_property
    def _real(self) -> tuple[Codec, Encoded, Encoded]:
        """What written rows are held against, and unseen rows to be held against it likewise."""
        real = self.train.iloc[:COMPARED]
        codec = Codec(self.schema, [real, self.held])
        return codec, codec.encode(real), codec.encode(self.held.iloc[:WRITTEN])
