"""Latent use: the share of cells that come back exactly (EVALUATION.md). n rows."""

from __future__ import annotations

import numpy as np
import pandas as pd

from difflm.schema import Kind, Schema


def exact_cells(schema: Schema, real: pd.DataFrame, rebuilt: pd.DataFrame) -> dict[str, float]:
    """Share of canonical cells of `rebuilt` equal to those of `real`, by column; identifiers are left out.

    Documents are no cells: theirs is the share of JSON leaves, or of tokens of code and text, that come back."""
    if schema.record != "table":
        from difflm.metrics.documents import Documents, documents_right

        texts = [frame[schema.record].fillna("").tolist() for frame in (real, rebuilt)]
        shares = documents_right(Documents(schema.record, texts[0]), texts[1]) if texts[0] else {}
        return {schema.record: next(iter(shares.values()), float("nan"))}
    shares = {}
    for column in schema.columns:
        if column.kind is Kind.identifier:
            continue
        a, b = real[column.name].reset_index(drop=True), rebuilt[column.name].reset_index(drop=True)
        if column.kind is Kind.real:
            x, y = a.to_numpy(np.float64, na_value=np.nan), b.to_numpy(np.float64, na_value=np.nan)
            same = np.isclose(x, y, rtol=1e-12, atol=0.5 * 10.0 ** -(column.decimals + 1), equal_nan=True)
        else:
            both = (a.isna() & b.isna()).to_numpy(dtype=bool)
            same = both | (a == b).fillna(False).to_numpy(dtype=bool)
        shares[column.name] = float(same.mean()) if len(same) else float("nan")
    return shares
