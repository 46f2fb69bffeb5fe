"""Python text as its node types, and as a key that layout and comments do not change."""

from __future__ import annotations

import ast
import hashlib
import re
import warnings
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

SKIPPED = ("ctx", "kind", "type_comment")
"""Fields that follow from the place of a node or from how a literal is spelt."""
_STRING = r"\"\"\"[\s\S]*?\"\"\"|'''[\s\S]*?'''|\"(?:\\.|[^\"\\\n])*\"|'(?:\\.|[^'\\\n])*'"
_LEXEME = re.compile(rf"({_STRING})|#[^\n]*|\w+|[^\w\s]")
_WORD = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True)
class Snippet:
    """What is compared of a parsed snippet."""

    key: str
    """Digest of the tree: equal for snippets that differ in layout, comments and quotes only."""
    types: Counter[str]
    """Nodes by type, without the module itself and without load and store contexts."""


def parse(text: str) -> ast.Module | None:
    """The syntax tree, or None where Python does not parse the text."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(text)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


def read_code(text: str) -> Snippet | None:
    """The snippet, or None where it does not parse."""
    tree = parse(text)
    if tree is None:
        return None
    types: Counter[str] = Counter()
    parts: list[str] = []
    # A stack of its own instead of ast.dump: one pass for both, and no limit to the depth.
    stack: list[object] = [tree.body]
    while stack:
        item = stack.pop()
        if isinstance(item, ast.AST):
            name = type(item).__name__
            types[name] += 1
            parts.append(name)
            stack += [getattr(item, field, None) for field in reversed(item._fields) if field not in SKIPPED]
        elif isinstance(item, list):
            parts.append(f"[{len(item)}")
            stack += reversed(item)
        else:
            parts.append(_scalar(item))
    # Scalars are representations, which have no line break: the joined text is unambiguous.
    return Snippet(hashlib.sha256("\n".join(parts).encode("utf-8", "replace")).hexdigest(), types)


def read_nodes(text: str) -> Counter[tuple[str, ...]] | None:
    """Nodes by (type of the parent, field, type, own names and constants); None where it does not parse."""
    tree = parse(text)
    if tree is None:
        return None
    nodes: Counter[tuple[str, ...]] = Counter()
    stack: list[tuple[str, str, ast.AST]] = [("", "", node) for node in tree.body]
    while stack:
        parent, place, node = stack.pop()
        name = type(node).__name__
        own: list[str] = []
        for field, value in ast.iter_fields(node):
            if field in SKIPPED:
                continue
            for item in value if isinstance(value, list) else [value]:
                if isinstance(item, ast.AST):
                    stack.append((name, field, item))
                else:
                    own.append(_scalar(item))
        nodes[parent, place, name, *own] += 1
    return nodes


def _scalar(value: object) -> str:
    # repr refuses integers of more than 4,300 digits.
    return hex(value) if type(value) is int else repr(value)


def lexemes(text: str) -> list[str]:
    """Names, numbers and signs of code that need not parse; strings word by word, comments left out."""
    return list(_lexemes(text))


def _lexemes(text: str) -> Iterator[str]:
    for match in _LEXEME.finditer(text):
        found = match[0]
        if match[1] is not None:
            yield from _WORD.findall(found)
        elif not found.startswith("#"):
            yield found


def words(text: str) -> list[str]:
    """Words and signs of any text."""
    return _WORD.findall(text)
