"""JSON documents of random nested schemas, and the JSON Schemas behind them."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any, NamedTuple

from difflm.pretrain.cells import MAKERS, Made
from difflm.pretrain.words import NOUNS, PREFIXES, Lexicon

DEEPEST = 4
OPTIONAL = 0.15
"""Share of the keys that a document may lack."""
TYPES = (
    "integer",
    "decimal",
    "category",
    "flag",
    "date",
    "key",
    "text",
    "object",
    "array",
    "records",
    "null",
)
WEIGHTS = (14, 12, 16, 8, 6, 5, 18, 11, 6, 5, 1)


class Node(NamedTuple):
    """One place of a schema: its type, what lies below, and how many values an array has at most.

    `ready` are values made beforehand, so that the documents of one schema share distributions and categories."""

    type: str
    keys: dict[str, Node]
    ready: Made | None = None
    most: int = 0


def make_schema(rng: random.Random, words: Lexicon, depth: int = 0) -> Node:
    """An object with 1 to 9 keys, at most DEEPEST levels deep."""
    style, keys = rng.choice(STYLES), {}
    for _ in range(rng.randint(1, 9 if depth == 0 else 5)):
        kind = rng.choices(TYPES, WEIGHTS)[0]
        if depth >= DEEPEST - 1 and kind in ("object", "records"):
            kind = "text"
        keys[_key(rng, words, kind, style)] = _node(rng, words, kind, depth)
    return Node("object", keys)


def _node(rng: random.Random, words: Lexicon, kind: str, depth: int) -> Node:
    if kind in ("object", "records"):
        below = make_schema(rng, words, depth + 1).keys
        return Node(kind, below, most=rng.randint(1, 3))
    if kind == "null":
        return Node(kind, {})
    scalar = rng.choice(["integer", "decimal", "category", "text"]) if kind == "array" else kind
    made = MAKERS[scalar](rng, rng.randint(4, 12), words)
    return Node("array" if kind == "array" else scalar, {}, made, rng.randint(1, 6))


def make_document(node: Node, rng: random.Random) -> Any:
    """A value of a schema; objects and records below may lack some keys."""
    if node.type == "object":
        wanted = {key: below for key, below in node.keys.items() if rng.random() >= OPTIONAL}
        return {key: make_document(below, rng) for key, below in wanted.items()}
    if node.type == "records":
        inner = Node("object", node.keys)
        return [make_document(inner, rng) for _ in range(rng.randint(0, node.most))]
    if node.type == "array":
        return [_value(node, rng) for _ in range(rng.randint(0, node.most))]
    return None if node.type == "null" or rng.random() < 0.03 else _value(node, rng)


def _value(node: Node, rng: random.Random) -> Any:
    assert node.ready is not None
    cell = rng.choice(node.ready.cells)
    return json.loads(cell) if node.ready.bare and cell is not None else cell


def json_schema(node: Node, words: Lexicon, rng: random.Random) -> dict[str, Any]:
    """The JSON Schema of a node, with descriptions here and there."""
    told = {"description": rng.choice(words.phrases)} if rng.random() < 0.3 else {}
    if node.type == "object":
        below = {key: json_schema(inner, words, rng) for key, inner in node.keys.items()}
        required = [key for key in below if rng.random() < 0.6]
        return {"type": "object", **told, "properties": below, "required": required}
    if node.type == "records":
        return {"type": "array", **told, "items": json_schema(Node("object", node.keys), words, rng)}
    if node.type == "null":
        return {"type": "null", **told}
    assert node.ready is not None
    known = [cell for cell in node.ready.cells if cell is not None]
    first = json.loads(known[0]) if node.ready.bare else known[0]
    scalar: dict[str, Any] = {"type": _type_of(first)}
    if node.type == "category" and rng.random() < 0.7:
        scalar["enum"] = sorted(set(known))
    if node.type == "date":
        scalar["format"] = "date-time" if ":" in known[0] else "date"
    return {"type": "array", **told, "items": scalar} if node.type == "array" else {**scalar, **told}


def _type_of(value: object) -> str:
    names: tuple[tuple[type, str], ...] = ((bool, "boolean"), (int, "integer"), (float, "number"))
    return next((name for kind, name in names if isinstance(value, kind)), "string")


def _key(rng: random.Random, words: Lexicon, kind: str, style: Callable[[list[str]], str]) -> str:
    if kind in NOUNS and rng.random() < 0.6:
        parts = rng.choice(NOUNS[kind]).split("_")
    else:
        parts = rng.choices(words.words, k=rng.choice([1, 1, 2]))
    return style([rng.choice(PREFIXES), *parts] if rng.random() < 0.15 else parts)


STYLES: tuple[Callable[[list[str]], str], ...] = (
    "_".join,
    "_".join,
    lambda parts: parts[0] + "".join(part.title() for part in parts[1:]),
    lambda parts: "".join(part.title() for part in parts),
    "-".join,
)


def shuffled(value: Any, rng: random.Random) -> Any:
    """The same document with the keys of every object in another order."""
    if isinstance(value, dict):
        return {key: shuffled(value[key], rng) for key in rng.sample(list(value), len(value))}
    return [shuffled(item, rng) for item in value] if isinstance(value, list) else value
