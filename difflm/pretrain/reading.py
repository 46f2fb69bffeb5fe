"""Files of a source as documents: code, whole or by function; docstrings and prose; tool definitions."""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator

from difflm.data.python_source import Unit, parse_python, snippets
from difflm.errors import DataError
from difflm.pretrain.documents import Document, digest
from difflm.pretrain.tools import tool_documents

SHORTEST, LONGEST = 60, 6000
"""Characters of a function or class that is a document of its own."""
UNITS: tuple[Unit, ...] = ("file",) * 4 + ("function",) * 5 + ("class",)
"""What a file is cut into: one of these, by its name."""
SHORTEST_TEXT, LONGEST_TEXT = 160, 8000
LONGEST_LINE, LONGEST_PARAGRAPH = 400, 4000
"""Characters of a line of code, and of a line of prose."""
MOST_DIGITS = 0.15
"""Share of digits beyond which a file is a table of numbers."""

Function = ast.FunctionDef | ast.AsyncFunctionDef
_NOTICE = re.compile(r"\A(?:#!.*\n)?(?:\s*\n)*(?=(?:#.*\n)*#.*(?i:copyright|licen[cs]e))(?:#.*\n)+")
"""The licence at the head of a file: the same in thousands of files, and named once in the card."""
_BLANK_LINES = re.compile(r"\n{4,}")


def read_python(text: str, source: str, origin: str) -> list[Document]:
    """Documents of a Python file; none where it does not parse or was not written by people."""
    if not _readable(text, LONGEST_LINE):
        return []
    try:
        tree = parse_python(text)
        unit = UNITS[digest(origin + ", unit") % len(UNITS)]
        pieces = [_NOTICE.sub("", text).strip()] if unit == "file" else _pieces(text, origin, unit)
    except DataError:
        return []
    found = [Document("code", piece + "\n", source, origin) for piece in pieces]
    found += [Document("text", piece, source, origin) for piece in _docstrings(tree)]
    for node in ast.walk(tree):
        if isinstance(node, Function):
            found += tool_documents(node, source, origin)
    return found


def read_prose(text: str, source: str, origin: str) -> list[Document]:
    """Markdown or reStructuredText, in pieces of bounded length that end with a paragraph."""
    if not _readable(text, LONGEST_PARAGRAPH):
        return []
    pieces, current = [], ""
    for paragraph in re.split(r"\n{2,}", _BLANK_LINES.sub("\n\n\n", text.strip())):
        if current and len(current) + len(paragraph) > LONGEST_TEXT:
            pieces.append(current)
            current = ""
        current = f"{current}\n\n{paragraph}" if current else paragraph
    pieces.append(current)
    wanted = [piece for piece in pieces if SHORTEST_TEXT <= len(piece) <= 2 * LONGEST_TEXT]
    return [Document("text", piece, source, origin) for piece in wanted]


def read_topics(text: str, source: str, origin: str) -> list[Document]:
    """The reference texts in the standard library's pydoc_data/topics.py: one dictionary of strings."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Dict):
            for value in node.values:
                if isinstance(value, ast.Constant) and isinstance(value.value, str):
                    found += read_prose(value.value, source, origin)
    return found


def _readable(text: str, longest: int) -> bool:
    """Whether a text has short lines and is no table of numbers."""
    if not text.strip() or max(map(len, text.splitlines()), default=0) > longest:
        return False
    return sum(map(text.count, "0123456789")) <= MOST_DIGITS * len(text)


def _pieces(text: str, origin: str, unit: Unit) -> list[str]:
    return [snippet.source for snippet in snippets(text, origin, unit, SHORTEST, LONGEST)]


def _docstrings(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | Function):
            text = ast.get_docstring(node, clean=False)
            if text and SHORTEST_TEXT <= len(cleaned := inspect.cleandoc(text)) <= LONGEST_TEXT:
                yield cleaned
