"""The colours of the points of a map: by kind, by groups, or by numbers on a scale. One colour number a point."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difflm.map_data import MapData
from pages.shared.palette import Palette

KIND = "real or synthetic"
NEAREST = "distance to the nearest real record"
CROWDED = "density of real records around it"
FEW = 8
"""Numbers of up to so many different values are groups."""
STEPS = 241
"""Colours on a scale of numbers; a number of colours, and the one for missing values, fit one byte."""


@dataclass(frozen=True)
class Colouring:
    """`codes` (n,) number the `colours` of the points; the legend names groups, the bar a scale."""

    title: str
    codes: NDArray[np.uint8]
    colours: list[str]
    legend: list[dict[str, Any]] = field(default_factory=list)
    bar: dict[str, Any] | None = None


def colouring(data: MapData, palette: Palette, color: str, values: pd.Series | None = None) -> Colouring:
    """Colours by `color`: KIND, a column, or what `values` (one a point) are called."""
    synthetic = (data.kind == "synthetic").astype(np.uint8)
    if color == KIND:
        return Colouring(color, synthetic, [palette.real, palette.synthetic], _kinds(data, 0, 1))
    values = data.rows[color] if values is None else values
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if numeric and values.nunique() > FEW:
        return _by_number(data, palette, color, values)
    labels = values.astype("string").fillna("(missing)")
    top = list(labels.value_counts().index[: len(palette.cycle) - 1])
    numbers = pd.Index(top).get_indexer(pd.Index(labels))
    codes = np.where(numbers < 0, len(top), numbers).astype(np.uint8)
    legend = [_entry(label, code, code) for code, label in enumerate(top)]
    if others := labels[numbers < 0].nunique():
        legend.append(_entry(f"{others:,} others", len(top), len(top)))
    return Colouring(color, codes, [*palette.cycle[: len(top)], palette.muted], legend)


def _by_number(data: MapData, palette: Palette, color: str, values: pd.Series) -> Colouring:
    known = values.astype("float64").to_numpy(na_value=np.nan)
    known = np.where(np.isfinite(known), known, np.nan)
    low, high = np.nanquantile(known, [0.01, 0.99])
    share = np.clip((known - low) / ((high - low) or 1.0), 0, 1)
    codes = np.where(np.isnan(share), STEPS, np.nan_to_num(share) * (STEPS - 1)).astype(np.uint8)
    bar = {"low": f"{low:,.4g}", "high": f"{high:,.4g}", "count": STEPS}
    return Colouring(color, codes, [*palette.shades(STEPS), palette.muted], _kinds(data, None, None), bar)


def _kinds(data: MapData, real: int | None, synthetic: int | None) -> list[dict[str, Any]]:
    """One entry for each kind that is there; without a colour it explains the shape alone."""
    present = [("real", "r", real, "circle"), ("synthetic", "s", synthetic, "diamond")]
    return [_entry(name, key, code, shape) for name, key, code, shape in present if (data.kind == name).any()]


def _entry(label: str, key: str | int, code: int | None, shape: str = "circle") -> dict[str, Any]:
    """`key` is what a press on it hides: a kind or a colour number."""
    return {"label": str(label)[:28], "key": key, "code": code, "shape": shape}
