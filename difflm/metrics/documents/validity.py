"""Validity: documents that are what their kind says, before any retry and among those given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import final

import numpy as np

from difflm.formats.json_references import references_hold, references_of
from difflm.metrics.base import Figure, Result
from difflm.metrics.documents.base import DocumentBench, DocumentMetric, Documents, register


def valid_share(bench: DocumentBench, synthetic: Sequence[str]) -> float:
    """Share of documents that are readable and, for tools with a schema, fit it."""
    documents = bench.read(synthetic)
    good = sum(map(bench.valid, documents.values)) if bench.valid else sum(documents.readable)
    return good / len(documents)


def _figure(name: str, label: str, meaning: str) -> Figure:
    return Figure(name=name, label=label, goal="max", bounds=(0.0, 1.0), best=1.0, digits=4, meaning=meaning)


RAW = _figure(
    "raw_validity",
    "Raw validity",
    "Share of generated records that are valid before anything is thrown away or tried again. Where the "
    "generator did not report it, the share of the given records that are valid.",
)


@final
@register
class CodeValidity(DocumentMetric):
    """Share of snippets that Python's own parser reads."""

    name = "code_validity"
    records = ("code",)

    def figures(self) -> tuple[Figure, ...]:
        meaning = "Share of the given records that Python's parser reads. It says nothing about what they do."
        return (RAW, _figure("parses", "Parses", meaning))

    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        share = float(np.mean(bench.read(synthetic).readable))
        return Result({"raw_validity": share, "parses": share})


@final
@register
class ToolValidity(DocumentMetric):
    """Share of documents that are JSON, and share that fit the JSON Schema."""

    name = "tool_validity"
    records = ("tool",)

    def figures(self) -> tuple[Figure, ...]:
        return (
            RAW,
            _figure("parses", "Is JSON", "Share of the given records that are JSON, each key once, no NaN."),
            _figure(
                "schema_valid", "Fits the schema", "Share of the given records that fit the JSON Schema."
            ),
            _figure(
                "references",
                "Names exist",
                "Share of the given records in which lists name keys that are there, where they do so in all training "
                "records, as required names properties of a tool.",
            ),
        )

    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        documents = bench.read(synthetic)
        share = valid_share(bench, documents)
        scores: dict[str, float | None] = {
            "raw_validity": share,
            "parses": float(np.mean(documents.readable)),
            "schema_valid": share if bench.valid else None,
            "references": self._references(bench, documents),
        }
        notes = [] if bench.valid else ["No JSON Schema was given: whether records fit it is not known."]
        return Result(scores, {}, notes)

    @staticmethod
    def _references(bench: DocumentBench, documents: Documents) -> float | None:
        if "references" not in bench.cache:
            bench.cache["references"] = references_of(bench.training.values)
        references = bench.cache["references"]
        if not references:
            return None
        return sum(references_hold(one, references) for one in documents.values) / len(documents)


@final
@register
class TextValidity(DocumentMetric):
    """Share of texts that have something in them, all of it characters."""

    name = "text_validity"
    records = ("text",)

    def figures(self) -> tuple[Figure, ...]:
        return (
            RAW,
            _figure("parses", "Readable", "Share of the given records that are neither empty nor cut."),
        )

    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        share = float(np.mean(bench.read(synthetic).readable))
        return Result({"raw_validity": share, "parses": share})
