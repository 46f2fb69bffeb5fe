"""Shape error: how far each column's own distribution is off."""

from __future__ import annotations

from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from difflm.conversion import as_written
from difflm.metrics.base import Figure, Metric, Result, register
from difflm.metrics.table import Bench, Codec, Encoded


def ks_distance(real: NDArray[np.float64], synthetic: NDArray[np.float64]) -> float:
    """Kolmogorov-Smirnov statistic of two samples (n,), (m,) without missing values, in [0, 1]."""
    real, synthetic = np.sort(real), np.sort(synthetic)
    points = np.concatenate([real, synthetic])
    below_real = np.searchsorted(real, points, side="right") / len(real)
    below_synthetic = np.searchsorted(synthetic, points, side="right") / len(synthetic)
    return float(np.abs(below_real - below_synthetic).max())


def number_error(real: NDArray[np.float64], synthetic: NDArray[np.float64]) -> float:
    """Shape error of a number column (n,), (m,) with NaN for missing, in [0, 1].

    Missing is a mass of its own. With missing shares a and b and KS statistic D of the known values:
    |a - b| + min(1 - a, 1 - b) D. This is D without missing values, |a - b| when only the shares differ,
    and where D is 1 the total variation distance of the two mixtures.
    """
    if not len(real) or not len(synthetic):
        return float(len(real) != len(synthetic))
    known_real, known_synthetic = real[~np.isnan(real)], synthetic[~np.isnan(synthetic)]
    share_real, share_synthetic = len(known_real) / len(real), len(known_synthetic) / len(synthetic)
    common = min(share_real, share_synthetic)
    distance = ks_distance(known_real, known_synthetic) if common > 0 else 0.0
    return abs(share_real - share_synthetic) + common * distance


def code_error(real: NDArray[np.int32], synthetic: NDArray[np.int32], levels: int) -> float:
    """Total variation distance of two code columns (n,), (m,); missing is one of the codes."""
    if not len(real) or not len(synthetic):
        return float(len(real) != len(synthetic))
    p = np.bincount(real, minlength=levels) / len(real)
    q = np.bincount(synthetic, minlength=levels) / len(synthetic)
    return float(np.abs(p - q).sum() / 2)


def column_errors(codec: Codec, real: Encoded, synthetic: Encoded) -> dict[str, float]:
    """Shape error x 100 of each column, numbers first."""
    numbers = {
        name: 100 * number_error(real.numbers[:, j], synthetic.numbers[:, j])
        for j, name in enumerate(codec.number_names)
    }
    return numbers | {
        name: 100 * code_error(real.codes[:, j], synthetic.codes[:, j], codec.levels[j])
        for j, name in enumerate(codec.code_names)
    }


def shape_error(codec: Codec, real: Encoded, synthetic: Encoded) -> float:
    """Mean over columns, x 100."""
    return float(np.mean(list(column_errors(codec, real, synthetic).values())))


def shares(counts: NDArray[np.intp], total: int) -> list[float]:
    return [round(float(c) / max(total, 1), 6) for c in counts]


@final
@register
class Shape(Metric):
    """Mean over columns of KS statistic (numbers) or total variation distance (categories), x 100."""

    name = "shape"
    bins = 24
    top = 24

    def figures(self, bench: Bench) -> tuple[Figure, ...]:
        return (
            Figure(
                name="shape",
                label="Shape error %",
                goal="min",
                bounds=(0.0, 100.0),
                best=0.0,
                digits=2,
                meaning="How far the distribution of single columns is off, averaged over columns. "
                "0 means every column looks like the real one on its own; it says nothing about "
                "whether columns fit together.",
            ),
        )

    def compute(self, bench: Bench, synthetic: Encoded) -> Result:
        codec, train = bench.codec, bench.train
        columns: list[dict[str, Any]] = []
        errors = column_errors(codec, train, synthetic)
        for j, name in enumerate(codec.number_names):
            kind = "text length" if name in codec.text_names else str(bench.schema.column(name).kind)
            entry = {"name": name, "kind": kind, "error": errors[name]}
            columns.append(entry | self._histogram(train.numbers[:, j], synthetic.numbers[:, j]))
            if kind == "datetime":
                edges = columns[-1]["edges"]
                columns[-1]["edge_labels"] = [as_written(bench.schema.column(name), e) for e in edges]
            if name in codec.text_names:
                columns[-1]["distinct_real"] = _distinct_share(train, name)
                columns[-1]["distinct_synthetic"] = _distinct_share(synthetic, name)
        for j, name in enumerate(codec.code_names):
            entry = {"name": name, "kind": str(bench.schema.column(name).kind), "error": errors[name]}
            labels = [*codec.categories[name], "(unknown)", "(missing)"]
            columns.append(entry | self._bars(train.codes[:, j], synthetic.codes[:, j], labels))
        columns.sort(key=lambda column: -column["error"])
        notes = []
        if codec.text_names:
            notes.append(f"Text columns count by their length only: {', '.join(codec.text_names)}.")
        if codec.left_out:
            notes.append(f"Identifier columns are left out: {', '.join(codec.left_out)}.")
        return Result({"shape": shape_error(codec, train, synthetic)}, {"columns": columns}, notes)

    def _histogram(self, real: NDArray[np.float64], synthetic: NDArray[np.float64]) -> dict[str, Any]:
        """Shares in equal bins over the real range, values outside in the end bins, missing beside them."""
        known = real[~np.isnan(real)]
        low, high = (float(known.min()), float(known.max())) if len(known) else (0.0, 1.0)
        edges = np.linspace(low, high if high > low else low + 1.0, self.bins + 1)
        result: dict[str, Any] = {"edges": [float(e) for e in edges]}
        for side, values in (("real", real), ("synthetic", synthetic)):
            inside = np.clip(values[~np.isnan(values)], edges[0], edges[-1])
            result[side] = shares(np.histogram(inside, edges)[0], len(values))
            result[f"missing_{side}"] = float(np.isnan(values).mean()) if len(values) else 0.0
        return result

    def _bars(
        self, real: NDArray[np.int32], synthetic: NDArray[np.int32], labels: list[str]
    ) -> dict[str, Any]:
        """Shares of the most frequent categories; the rest in one bar."""
        p, q = (np.bincount(codes, minlength=len(labels)) for codes in (real, synthetic))
        order = np.argsort(-(p / max(len(real), 1) + q / max(len(synthetic), 1)), kind="stable")
        order = order[(p + q)[order] > 0]
        shown, rest = order[: self.top], order[self.top :]
        result: dict[str, Any] = {"labels": [labels[i] for i in shown]}
        for side, counts, total in (("real", p, len(real)), ("synthetic", q, len(synthetic))):
            result[side] = shares(counts[shown], total)
            if len(rest):
                result[side] += shares(counts[rest].sum(keepdims=True), total)
            result[f"missing_{side}"] = float(counts[-1] / max(total, 1))
        if len(rest):
            result["labels"].append(f"({len(rest)} more)")
        return result


def _distinct_share(table: Encoded, name: str) -> float:
    known = table.frame[name].dropna()
    return float(known.nunique() / len(known)) if len(known) else 0.0
