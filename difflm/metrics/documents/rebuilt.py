"""Reconstruction of documents: how much of a real one comes back from its latent (EVALUATION.md)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from difflm.errors import DataError
from difflm.metrics.documents.base import Documents
from difflm.metrics.documents.shapes import UNREADABLE, leaves, read_json
from difflm.metrics.documents.syntax import lexemes, read_code, read_nodes, words


def json_leaves_right(real: Sequence[str], rebuilt: Sequence[str]) -> float:
    """Share of JSON leaves that are exactly right, over all documents (n texts each, pair by pair).

    A leaf is a scalar or an empty container with its full path, positions in arrays included. Leaves that
    only the rebuilt document has count as wrong, as do all leaves of one that is no JSON. DataError where
    the counts differ or a real document is no JSON.
    """
    _paired(real, rebuilt)
    right = total = 0
    for number, (text, other) in enumerate(zip(real, rebuilt, strict=True)):
        value, again = read_json(text)[0], read_json(other)[0]
        if value is UNREADABLE:
            raise DataError(
                "real documents that are JSON", f"another text at position {number}", "leave it out"
            )
        wanted = leaves(value)
        found = {} if again is UNREADABLE else leaves(again)
        right += sum(path in found and _same(found[path], leaf) for path, leaf in wanted.items())
        total += len({**wanted, **found})
    return right / total


def _same(a: object, b: object) -> bool:
    # In Python True == 1 == 1.0, in JSON they are different texts.
    return type(a) is type(b) and a == b


def code_right(real: Sequence[str], rebuilt: Sequence[str]) -> dict[str, float]:
    """Means over pairs of snippets: exact (same text), tree (same syntax tree), tokens (edit similarity), nodes.

    tokens: 1 - edit distance / length of the longer, comments left out. nodes: share of syntax nodes, each
    with its parent's type and its own names and constants, in common with the larger tree; 0 where the
    rebuilt snippet does not parse. Pairs whose real snippet does not parse count in neither tree nor nodes.
    """
    _paired(real, rebuilt)
    trees, nodes = [], []
    for text, other in zip(real, rebuilt, strict=True):
        a, b = read_code(text), read_code(other)
        if a is not None:
            trees.append(b is not None and a.key == b.key)
            nodes.append(_overlap(read_nodes(text), read_nodes(other)))
    return {
        "exact": _mean([a == b for a, b in zip(real, rebuilt, strict=True)]),
        "tree": _mean(trees),
        "tokens": _mean(
            [edit_similarity(lexemes(a), lexemes(b)) for a, b in zip(real, rebuilt, strict=True)]
        ),
        "nodes": _mean(nodes),
    }


def text_right(real: Sequence[str], rebuilt: Sequence[str]) -> dict[str, float]:
    """Means over pairs of texts: exact (same text), tokens (edit similarity of words and signs)."""
    _paired(real, rebuilt)
    pairs = list(zip(real, rebuilt, strict=True))
    tokens = [edit_similarity(words(a), words(b)) for a, b in pairs]
    return {"exact": float(np.mean([a == b for a, b in pairs])), "tokens": float(np.mean(tokens))}


def _mean(values: Sequence[float]) -> float:
    return float(np.mean(values)) if values else float("nan")


def _paired(real: Sequence[str], rebuilt: Sequence[str]) -> None:
    if len(real) != len(rebuilt) or not len(real):
        raise DataError(
            "as many rebuilt as real documents, one at least", f"{len(real)} real and {len(rebuilt)} rebuilt"
        )


def _overlap(a: Counter[tuple[str, ...]] | None, b: Counter[tuple[str, ...]] | None) -> float:
    if a is None or b is None:
        return 0.0
    larger = max(a.total(), b.total())
    return (a & b).total() / larger if larger else 1.0


def edit_similarity(a: Sequence[str], b: Sequence[str]) -> float:
    """1 - edit distance / length of the longer, in [0, 1]; 1 for two empty ones."""
    longer = max(len(a), len(b))
    return 1 - edit_distance(a, b) / longer if longer else 1.0


def edit_distance(a: Sequence[str], b: Sequence[str]) -> int:
    """Insertions, deletions and replacements of tokens from a to b.

    Myers 1999 with the score of Hyyrö 2003: one column of the table is two integers of len(a) bits, so that
    the cost is len(b) steps on integers.
    """
    if not a or not b:
        return max(len(a), len(b))
    places: dict[str, int] = {}
    for i, token in enumerate(a):
        places[token] = places.get(token, 0) | 1 << i
    full, last = (1 << len(a)) - 1, 1 << (len(a) - 1)
    up, down, distance = full, 0, len(a)
    for token in b:
        equal = places.get(token, 0)
        vertical = equal | down
        diagonal = (((equal & up) + up) ^ up) | equal
        plus = down | (full & ~(diagonal | up))
        minus = up & diagonal
        distance += bool(plus & last) - bool(minus & last)
        plus, minus = (plus << 1) | 1, minus << 1
        up = (minus | ~(vertical | plus)) & full
        down = plus & vertical & full
    return distance


def documents_right(documents: Documents, rebuilt: Sequence[str]) -> dict[str, float]:
    """The figures of reconstruction for the kind of the documents, the main one first."""
    if documents.record == "tool":
        share = json_leaves_right(documents, rebuilt)
        same = [a == b for a, b in zip(documents.keys, Documents("tool", rebuilt).keys, strict=True)]
        return {"leaves": share, "exact": float(np.mean(same))}
    if documents.record == "code":
        figures = code_right(documents, rebuilt)
        return {name: figures[name] for name in ("tokens", "nodes", "tree", "exact")}
    figures = text_right(documents, rebuilt)
    return {name: figures[name] for name in ("tokens", "exact")}
