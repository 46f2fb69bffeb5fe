"""Shape of JSON documents: which keys they have, what the values are, how many parameters there are."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from typing import Any, final

from difflm.metrics.base import Figure, Result
from difflm.metrics.documents.base import DocumentBench, DocumentMetric, register
from difflm.metrics.documents.distributions import histogram, ks, most_apart, total_variation
from difflm.metrics.documents.lengths import error_figure
from difflm.metrics.documents.shapes import Path, count_paths, parameter_count, spell, type_name, walk

FEW = 24
"""Of a key with at most this many different training values the values count, of others the types."""
REPEATED = 4
"""... and which occur this often on average."""
NO_JSON = "Shapes of JSON are not computed: no record of one side is JSON."


@final
@register
class KeyShape(DocumentMetric):
    """Distance of how often keys occur: over all documents, and as shares of documents that have them."""

    name = "key_shape"
    records = ("tool",)

    def figures(self) -> tuple[Figure, ...]:
        return (
            error_figure(
                "key_shape",
                "Keys, shape error %",
                "How far the shares of keys among all keys are off. A key is named by its path; items of an array "
                "are one, and so are the names of parameters.",
            ),
            error_figure(
                "key_presence",
                "Keys present, error %",
                "For each key the share of records that have it: the summed differences between generated and "
                "training records over the summed larger shares. 100: no key in common.",
            ),
        )

    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        values = bench.read(synthetic).values
        if not values or not bench.training.values:
            return self.unknown(NO_JSON)
        if "paths" not in bench.cache:
            bench.cache["paths"] = count_paths(bench.training.values, bench.maps)
        often, present = bench.cache["paths"]
        found, found_in = count_paths(values, bench.maps)
        names = {path: spell(path) for path in {**often, **found}}
        n, m = len(bench.training.values), len(values)
        pairs = {path: (present[path] / n, found_in[path] / m) for path in names}
        apart, most = sum(abs(a - b) for a, b in pairs.values()), sum(map(max, pairs.values()))
        scores: dict[str, float | None] = {
            "key_shape": 100 * total_variation(often, found),
            "key_presence": 100 * apart / most if most else 0.0,
        }
        worst = sorted(pairs, key=lambda path: (-abs(pairs[path][0] - pairs[path][1]), names[path]))[:20]
        details = {
            "shares": most_apart(often, found, names),
            "presence": [
                {"name": names[path], "real": pairs[path][0], "synthetic": pairs[path][1]} for path in worst
            ],
            "maps": sorted(map(spell, bench.maps)),
        }
        return Result(scores, {"keys": details})


@final
@register
class ValueTypes(DocumentMetric):
    """Total variation distance of value types by key, weighted by how often the key occurs, x 100."""

    name = "value_types"
    records = ("tool",)

    def figures(self) -> tuple[Figure, ...]:
        return (
            error_figure(
                "value_types",
                "Values, shape error %",
                "For each key how far its values are off, weighted by how often the key occurs: JSON types, and for "
                "keys with few different values the values themselves. A key that one side lacks counts 100.",
            ),
        )

    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        values = bench.read(synthetic).values
        if not values or not bench.training.values:
            return self.unknown(NO_JSON)
        if "value_types" not in bench.cache:
            chosen = _categories(bench)
            bench.cache["value_types"] = (chosen, _kinds(bench.training.values, bench, chosen))
        chosen, real = bench.cache["value_types"]
        generated = _kinds(values, bench, chosen)
        totals = [sum(counts.total() for counts in side.values()) for side in (real, generated)]
        empty: Counter[str] = Counter()
        errors, weights = {}, {}
        for path in {**real, **generated}:
            a, b = real.get(path, empty), generated.get(path, empty)
            errors[path] = total_variation(a, b)
            weights[path] = (a.total() / totals[0] + b.total() / totals[1]) / 2
        score = 100 * sum(errors[path] * weights[path] for path in errors)
        worst = sorted(errors, key=lambda path: (-errors[path] * weights[path], spell(path)))[:20]
        rows = [{"name": spell(path), "error": 100 * errors[path], "weight": weights[path]} for path in worst]
        return Result({"value_types": score}, {"value_types": rows})


def _categories(bench: DocumentBench) -> frozenset[Path]:
    """Paths whose scalars take few values, each of them often, in the training documents."""
    seen: dict[Path, set[str]] = {}
    count: Counter[Path] = Counter()
    for document in bench.training.values:
        for path, value in walk(document, bench.maps):
            if not isinstance(value, dict | list):
                count[path] += 1
                known = seen.setdefault(path, set())
                if len(known) <= FEW:
                    known.add(json.dumps(value))
    return frozenset(path for path, known in seen.items() if len(known) <= min(FEW, count[path] / REPEATED))


def _kinds(
    documents: Sequence[Any], bench: DocumentBench, categories: frozenset[Path]
) -> dict[Path, Counter[str]]:
    kinds: dict[Path, Counter[str]] = {}
    for document in documents:
        for path, value in walk(document, bench.maps):
            category = path in categories and not isinstance(value, dict | list)
            kinds.setdefault(path, Counter())[json.dumps(value) if category else type_name(value)] += 1
    return kinds


@final
@register
class Parameters(DocumentMetric):
    """Kolmogorov-Smirnov statistic of the number of parameters of a definition, x 100."""

    name = "parameters"
    records = ("tool",)

    def figures(self) -> tuple[Figure, ...]:
        return (
            error_figure(
                "parameters",
                "Number of parameters, error %",
                "The largest gap between the distributions of how many parameters a definition has.",
            ),
        )

    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        real, generated = (
            [float(n) for value in side if (n := parameter_count(value)) is not None]
            for side in (bench.training.values, bench.read(synthetic).values)
        )
        if not real or not generated:
            return self.unknown(
                "Parameters are not counted: the records of one side have none in a known place."
            )
        column = histogram("number of parameters", real, generated, "count")
        return Result({"parameters": 100 * ks(real, generated)}, {"columns": [column]})
