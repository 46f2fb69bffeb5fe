"""The reference without relations: the parts of training records shuffled between the records."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator
from typing import Any

import numpy as np

from difflm.metrics.documents.base import DocumentBench, Documents
from difflm.metrics.documents.shapes import ANY, ITEM, Path, walk
from difflm.metrics.documents.syntax import SKIPPED, parse

HOW = {
    "tool": "In the row of independent columns each value was exchanged with one under the same key of another record.",
    "code": "In the row of independent columns each name and each constant was exchanged with one that has the same "
    "place in the syntax of another record.",
    "text": "In the row of independent columns words were shuffled between records.",
}


def shuffled(bench: DocumentBench) -> Documents:
    """Training documents with right parts and no relation between them, by the bench's seed."""
    rng = bench.rng(5)
    if bench.record == "tool":
        texts = _exchange_values(bench, rng)
    elif bench.record == "code":
        texts = _exchange_names(bench.training.texts, rng)
    else:
        parts = [text.split() for text in bench.training.texts]
        pool = [part for one in parts for part in one]
        order = iter(rng.permutation(len(pool)))
        texts = [" ".join(pool[next(order)] for _ in one) for one in parts]
    return Documents(bench.record, texts)


def _exchange_values(bench: DocumentBench, rng: np.random.Generator) -> list[str]:
    """Scalars under one path dealt out again over all documents; keys stay where they are."""
    pools: dict[Path, list[Any]] = {}
    for document in bench.training.values:
        for path, value in walk(document, bench.maps):
            if not isinstance(value, dict | list):
                pools.setdefault(path, []).append(value)
    decks = {path: iter([pool[i] for i in rng.permutation(len(pool))]) for path, pool in pools.items()}
    result = []
    for document in bench.training.values:
        holder = [json.loads(json.dumps(document))]
        # Places to fill: (container, key or position, path of what is there).
        stack: list[tuple[Any, Any, Path]] = [(holder, 0, ())]
        while stack:
            container, place, path = stack.pop()
            value = container[place]
            if isinstance(value, dict):
                one = path in bench.maps
                stack += [(value, key, (*path, ANY if one else key)) for key in value]
            elif isinstance(value, list):
                stack += [(value, number, (*path, ITEM)) for number in range(len(value))]
            else:
                container[place] = next(decks[path])
        result.append(json.dumps(holder[0], ensure_ascii=False))
    return result


Place = tuple[str, str, str, str]


def _exchange_names(texts: tuple[str, ...], rng: np.random.Generator) -> list[str]:
    """Names and constants of one place in the syntax dealt out again over all snippets that parse."""
    trees = [(text, tree) for text in texts if (tree := parse(text)) is not None]
    pools: dict[Place, list[Any]] = {}
    for _, tree in trees:
        for place, node, field in _scalars(tree):
            pools.setdefault(place, []).append(getattr(node, field))
    decks = {place: iter([pool[i] for i in rng.permutation(len(pool))]) for place, pool in pools.items()}
    result = []
    for text, tree in trees:
        for place, node, field in _scalars(tree):
            setattr(node, field, next(decks[place]))
        try:
            result.append(ast.unparse(tree))
        except (ValueError, RecursionError):
            # Some f-strings cannot be written in another way than they were.
            result.append(text)
    return result


def _scalars(tree: ast.AST) -> Iterator[tuple[Place, ast.AST, str]]:
    """(parent type, type, field, type of the value) of every name and constant, its node and field."""
    stack: list[tuple[str, ast.AST]] = [("", tree)]
    while stack:
        parent, node = stack.pop()
        name = type(node).__name__
        for field in node._fields:
            value = getattr(node, field, None)
            named = isinstance(value, str) or isinstance(node, ast.Constant)
            if field not in SKIPPED and named:
                yield (parent, name, field, type(value).__name__), node, field
        stack += [(name, child) for child in ast.iter_child_nodes(node)]
