"""Lengths of documents: whether generated ones are as long as real ones, and as various."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

from difflm.metrics.base import Figure, Result
from difflm.metrics.documents.base import DocumentBench, DocumentMetric, Documents, register
from difflm.metrics.documents.distributions import histogram, ks


def error_figure(name: str, label: str, meaning: str) -> Figure:
    """A distance of distributions, in per cent."""
    return Figure(
        name=name, label=label, goal="min", bounds=(0.0, 100.0), best=0.0, digits=2, meaning=meaning
    )


@final
@register
class Lengths(DocumentMetric):
    """Kolmogorov-Smirnov statistic of the lengths in characters and in tokens, x 100."""

    name = "lengths"

    def figures(self) -> tuple[Figure, ...]:
        meaning = "The largest gap between the distributions of lengths of generated and training records, counted in "
        return (
            error_figure("length_characters", "Length error %, characters", f"{meaning}characters."),
            error_figure("length_tokens", "Length error %, tokens", f"{meaning}words and signs."),
        )

    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        documents = bench.read(synthetic)
        scores: dict[str, float | None] = {}
        columns = []
        for unit in ("characters", "tokens"):
            real, generated = _lengths(bench.training, unit), _lengths(documents, unit)
            scores[f"length_{unit}"] = 100 * ks(real, generated)
            columns.append(histogram(f"length in {unit}", real, generated, "length"))
        return Result(scores, {"columns": columns})


def _lengths(documents: Documents, unit: str) -> list[float]:
    return [float(len(one)) for one in (documents.tokens if unit == "tokens" else documents.texts)]
