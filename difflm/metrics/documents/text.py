"""Shape of plain text: are its characters and its words those of real text, as often?"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import final

from difflm.metrics.base import Figure, Result
from difflm.metrics.documents.base import DocumentBench, DocumentMetric, Documents, register
from difflm.metrics.documents.distributions import bars, most_apart, total_variation
from difflm.metrics.documents.lengths import error_figure

FREQUENT = 200
REST = "(other words)"


@final
@register
class TextShape(DocumentMetric):
    """Total variation distance of characters, and of the frequent words, x 100."""

    name = "text_shape"
    records = ("text",)

    def figures(self) -> tuple[Figure, ...]:
        return (
            error_figure(
                "characters",
                "Characters, shape error %",
                "How far the shares of characters are from those of the training records.",
            ),
            error_figure(
                "words",
                "Words, shape error %",
                f"The same for words and signs, with the {FREQUENT} most frequent ones of the training records "
                "each on its own and all others as one.",
            ),
        )

    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        documents = bench.read(synthetic)
        characters = _characters(bench.training), _characters(documents)
        every = _words(bench.training)
        kept = {word for word, _ in sorted(every.items(), key=lambda item: (-item[1], item[0]))[:FREQUENT]}
        words = _lumped(every, kept), _lumped(_words(documents), kept)
        scores: dict[str, float | None] = {
            "characters": 100 * total_variation(*characters),
            "words": 100 * total_variation(*words),
        }
        names = {word: word for word in (*kept, REST)}
        details = {
            "columns": [bars("words", *words, "text"), bars("characters", *characters, "text")],
            "words": most_apart(*words, names),
        }
        return Result(scores, details)


def _characters(documents: Documents) -> Counter[str]:
    return sum((Counter(text) for text in documents.texts), Counter())


def _words(documents: Documents) -> Counter[str]:
    return Counter(token for tokens in documents.tokens for token in tokens)


def _lumped(counts: Counter[str], kept: set[str]) -> Counter[str]:
    result = Counter({word: counts[word] for word in kept if counts[word]})
    if rest := counts.total() - result.total():
        result[REST] = rest
    return result
