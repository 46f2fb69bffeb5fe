"""Distinct records, exact copies of training records, and records nearer to them than unseen ones are."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, final

import numpy as np
from numpy.typing import NDArray

from difflm.metrics.base import Figure, Result
from difflm.metrics.documents.base import DocumentBench, DocumentMetric, Documents, register
from difflm.metrics.documents.shapes import name_of
from difflm.metrics.documents.similarity import Base, shingles

NEAR = 0.02
CLOSEST, SHOWN = 20, 600


@final
@register
class Distinct(DocumentMetric):
    """Share of different records among all; for tools also of different names."""

    name = "distinct"

    def figures(self) -> tuple[Figure, ...]:
        return (
            Figure(
                name="distinct",
                label="Distinct",
                goal="max",
                bounds=(0.0, 1.0),
                best=1.0,
                digits=4,
                meaning="Different records over all records. Layout, comments and the order of JSON keys do not "
                "make a difference. Below 1: the generator repeats itself.",
            ),
        )

    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        keys = bench.read(synthetic).keys
        return Result({"distinct": len(set(keys)) / len(keys)})


@final
@register
class DistinctNames(DocumentMetric):
    """Share of different names among the definitions that have one."""

    name = "distinct_names"
    records = ("tool",)

    def figures(self) -> tuple[Figure, ...]:
        return (
            Figure(
                name="distinct_names",
                label="Distinct names",
                goal="max",
                bounds=(0.0, 1.0),
                best=None,
                meaning="Different names over all named definitions (tool and API together where both are "
                "given). Real definitions repeat names too: read it beside unseen real records.",
            ),
        )

    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        names = [name for value in bench.read(synthetic).values if (name := name_of(value)) is not None]
        if not names:
            return self.unknown("Distinct names are not computed: no record has a name in a known place.")
        return Result({"distinct_names": len(set(names)) / len(names)})


@final
@register
class Copies(DocumentMetric):
    """Exact copies by normalised text; near copies by Jaccard similarity of runs of three tokens."""

    name = "copies"
    private = True

    def figures(self) -> tuple[Figure, ...]:
        return (
            Figure(
                name="near_copies",
                label="Near copies",
                goal="target",
                bounds=(0.0, 1.0),
                best=NEAR,
                digits=4,
                meaning="Share of records more similar to some training record than 98 % of unseen real records "
                "are (shared runs of three words and signs). About 2 % is what real records have by "
                "definition; more is memorising.",
            ),
            Figure(
                name="exact_copies",
                label="Exact copies",
                goal="min",
                bounds=(0.0, 1.0),
                best=0.0,
                digits=4,
                meaning="Share of records that say the same as a training record: layout, comments and the order "
                "of JSON keys do not count. Compare with the next line.",
            ),
            Figure(
                name="exact_copies_holdout",
                label="Exact copies, of unseen real records",
                goal="min",
                bounds=(0.0, 1.0),
                best=None,
                digits=4,
                meaning="The same share for real records that were never trained on: what chance gives.",
            ),
        )

    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        documents = bench.read(synthetic)
        base = _base(bench)
        rows = _subsample(bench, len(documents))
        near = base.nearest(shingles([documents.tokens[i] for i in rows]))
        if "unseen" not in bench.cache:
            picked = [bench.holdout.tokens[i] for i in _subsample(bench, len(bench.holdout))]
            bench.cache["unseen"] = base.nearest(shingles(picked)).similarity
        unseen: NDArray[np.float32] = bench.cache["unseen"]
        threshold = float(np.quantile(unseen, 1 - NEAR, method="higher"))
        expected = _nearer(unseen, threshold)
        notes = []
        if expected > 2 * NEAR and len(unseen) >= 1 / NEAR:
            notes.append(
                f"Near copies: {expected:.1%} of unseen real records are as near as that, since many are "
                "equally near; this is the figure to compare with instead of 2 %."
            )
        scores: dict[str, float | None] = {
            "near_copies": _nearer(near.similarity, threshold),
            "exact_copies": _known(bench.training, documents),
            "exact_copies_holdout": _known(bench.training, bench.holdout),
        }
        order = np.argsort(-near.similarity, kind="stable")[:CLOSEST]
        quantiles = [0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
        details = {
            "threshold": 1 - threshold,
            "quantiles": quantiles,
            "distance": np.quantile(1 - near.similarity, quantiles).tolist(),
            "distance_holdout": np.quantile(1 - unseen, quantiles).tolist(),
            "rows": {"train": len(bench.training), "holdout": len(unseen), "synthetic": len(rows)},
            "closest": [
                {
                    "distance": float(1 - near.similarity[i]),
                    "synthetic": _shown(bench, documents[int(rows[i])]),
                    "real": _shown(bench, bench.training[int(near.index[i])]),
                }
                for i in order
            ],
        }
        return Result(scores, {"dcr": details}, notes)


def _base(bench: DocumentBench) -> Base:
    if "shingles" not in bench.cache:
        bench.cache["shingles"] = Base(shingles(bench.training.tokens))
    base: Base = bench.cache["shingles"]
    return base


def _subsample(bench: DocumentBench, count: int) -> NDArray[np.intp]:
    if count <= bench.max_documents:
        return np.arange(count)
    return np.sort(bench.rng(3).choice(count, bench.max_documents, replace=False))


def _nearer(similarity: NDArray[np.float32], threshold: float) -> float:
    """Share at least as similar as the threshold; what shares nothing with any record is not near."""
    return float(np.mean((similarity >= threshold) & (similarity > 0)))


def _known(training: Documents, documents: Documents) -> float:
    known = set(training.keys)
    return float(np.mean([key in known for key in documents.keys]))


def _shown(bench: DocumentBench, text: str) -> dict[str, Any]:
    return {bench.record: text if len(text) <= SHOWN else f"{text[:SHOWN]} ..."}
