"""Shape of code: are its syntax nodes of the types that real code has, and as many in a snippet?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import final

import numpy as np

from difflm.metrics.base import Figure, Result
from difflm.metrics.documents.base import DocumentBench, DocumentMetric, Documents, register
from difflm.metrics.documents.distributions import bars, ks, most_apart, total_variation
from difflm.metrics.documents.lengths import error_figure

RARE = 0.01
"""Node types in fewer of the snippets than this, on both sides, have no count of their own to compare."""


@final
@register
class NodeTypes(DocumentMetric):
    """Total variation distance of node types, and mean KS statistic of their counts in a snippet, x 100."""

    name = "node_types"
    records = ("code",)

    def figures(self) -> tuple[Figure, ...]:
        return (
            error_figure(
                "node_types",
                "Node types, shape error %",
                "How far the shares of syntax node types (calls, loops, names, ...) of all generated snippets are "
                "from those of the training snippets. Snippets that do not parse have no nodes.",
            ),
            error_figure(
                "node_counts",
                "Nodes in a snippet, shape error %",
                "How far the number of nodes of a type in a snippet is off, as the largest gap of the two "
                "distributions, averaged over the types that at least 1 % of the snippets have.",
            ),
        )

    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        real, generated = _types(bench.training), _types(bench.read(synthetic))
        if not real or not generated:
            return self.unknown("Node types are not computed: no snippet of one side parses.")
        totals = _total(real), _total(generated)
        counted = sorted({**totals[0], **totals[1]})
        gaps: dict[str, float] = {}
        for name in counted:
            a, b = ([float(one[name]) for one in side] for side in (real, generated))
            if max(np.count_nonzero(a) / len(a), np.count_nonzero(b) / len(b)) >= RARE:
                gaps[name] = ks(a, b)
        scores: dict[str, float | None] = {
            "node_types": 100 * total_variation(*totals),
            "node_counts": 100 * float(np.mean(list(gaps.values()))),
        }
        worst = sorted(gaps, key=lambda name: (-gaps[name], name))[:20]
        details = {
            "columns": [bars("node types", *totals, "syntax")],
            "node_types": {
                "shares": most_apart(*totals, {name: name for name in counted}),
                "counts": [{"name": name, "error": 100 * gaps[name]} for name in worst],
            },
        }
        return Result(scores, details)


def _total(counts: Sequence[Counter[str]]) -> Counter[str]:
    return sum(counts, Counter())


def _types(documents: Documents) -> list[Counter[str]]:
    return [one.types for one in documents.snippets if one is not None]
