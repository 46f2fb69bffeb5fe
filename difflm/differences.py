"""Which cells differ between two tables of rows: for reconstructions and interpolation paths."""

from __future__ import annotations

import difflib
import json
from contextlib import suppress

import pandas as pd


def changed(before: pd.DataFrame, after: pd.DataFrame) -> pd.DataFrame:
    """Boolean frame shaped like `after`: row i, column c differs from row i of `before`.

    Two missing cells are the same; numbers are compared as numbers, everything else as text.
    """
    result = {}
    for name in after.columns:
        a, b = before[name].reset_index(drop=True), after[name].reset_index(drop=True)
        both = a.isna() & b.isna()
        one = a.isna() != b.isna()
        if pd.api.types.is_numeric_dtype(a) and pd.api.types.is_numeric_dtype(b):
            x, y = a.astype("float64"), b.astype("float64")
            differ = (x - y).abs() > 1e-9 * x.abs().clip(lower=1.0)
        else:
            differ = a.astype("string") != b.astype("string")
        result[name] = ((one | differ.fillna(False).astype(bool)) & ~both).to_numpy()
    return pd.DataFrame(result, index=after.index)


def changed_along(path: pd.DataFrame) -> pd.DataFrame:
    """Boolean frame shaped like `path`: the cell differs from the row before; the first row never does."""
    if len(path) == 0:
        return path.astype(bool)
    before = path.shift(1)
    before.iloc[0] = path.iloc[0]
    return changed(before, path)


def copies(rows: pd.DataFrame, real: pd.DataFrame) -> int:
    """How many of `rows` equal some row of `real` in every column that both have."""
    names = [name for name in rows.columns if name in real.columns]
    if not names or not len(rows):
        return 0
    a, b = (pd.util.hash_pandas_object(f[names].astype("string"), index=False) for f in (rows, real))
    return int(a.isin(set(b)).sum())


def document_difference(record: str, before: object, after: object) -> list[str]:
    """A unified diff (lines) of two documents without file names; JSON ("tool") is laid out line by line."""
    made = difflib.unified_diff(_lines(record, before), _lines(record, after), n=1, lineterm="")
    return [line for line in made if not line.startswith(("---", "+++"))]


def _lines(record: str, text: object) -> list[str]:
    plain = text if isinstance(text, str) else ""
    if record == "tool":
        with suppress(ValueError):
            plain = json.dumps(json.loads(plain), ensure_ascii=False, indent=1)
    return plain.splitlines()
