"""Python source: decoded as its first lines say, checked, and cut into functions, classes or files."""

from __future__ import annotations

import ast
import io
import tokenize
import warnings
from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

from difflm.data.delimited import Text, decode
from difflm.data.signatures import Definition, tool_definition
from difflm.errors import ConfigError, DataError

__all__ = [
    "UTF16_MARKS",
    "Definition",
    "Snippet",
    "Unit",
    "classes",
    "definitions",
    "functions",
    "parse_python",
    "snippets",
    "source_text",
    "tool_definition",
    "unix_lines",
]

Unit = Literal["function", "class", "file"]
_FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
_OVER_LINES = ('"""', "'''", "\\\n")
"""What a string that goes over lines has in it."""
UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")


class Snippet(NamedTuple):
    """A piece of a module as it stands there, moved to the left margin."""

    name: str
    """The module's name and the qualified name in it, joined by a colon."""
    source: str
    line: int
    """The line of the module where it starts, from 1."""
    docstring: str | None
    node: ast.Module | Definition


def source_text(data: bytes, name: str) -> Text:
    """Decoded source, by its mark or its coding line, else UTF-8 or Windows-1252; DataError for binary
    content or a coding that is unknown or wrong."""
    if not data.startswith(UTF16_MARKS) and b"\x00" not in data:
        try:
            encoding, _ = tokenize.detect_encoding(io.BytesIO(data).readline)
            note = "" if encoding in ("utf-8", "utf-8-sig") else f"read as {encoding}, as the file says"
            return Text(data.decode(encoding), note)
        except UnicodeDecodeError as error:
            if error.encoding not in ("utf-8", "utf8"):
                raise DataError(
                    f"{error.encoding} text in {name}", error.reason, "save it as UTF-8"
                ) from error
        except (SyntaxError, LookupError) as error:
            if b"coding" in b"".join(data.split(b"\n", 2)[:2]):
                raise DataError(f"a known coding in {name}", str(error), "save it as UTF-8") from error
    return decode(data, name)


def unix_lines(text: str) -> str:
    """Line ends as Python itself reads them: all are LF."""
    return text.replace("\r\n", "\n").replace("\r", "\n") if "\r" in text else text


def parse_python(source: str) -> ast.Module:
    """The syntax tree; DataError with the line where there is none. Warnings of the parser are not shown."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return ast.parse(source)
    except SyntaxError as error:
        where = f"line {error.lineno}: " if error.lineno else ""
        raise DataError("Python source", f"{where}{error.msg}", "repair it") from error
    except (ValueError, RecursionError, MemoryError) as error:
        what = "a null byte" if isinstance(error, ValueError) else "it is nested too deep"
        raise DataError("Python source", what, "repair it") from error


def functions(source: str, name: str, least: int = 0, most: int | None = None) -> list[Snippet]:
    """Functions and methods of a module, see `snippets`."""
    return snippets(source, name, "function", least, most)


def classes(source: str, name: str, least: int = 0, most: int | None = None) -> list[Snippet]:
    """Top-level classes of a module, see `snippets`."""
    return snippets(source, name, "class", least, most)


def snippets(source: str, name: str, unit: Unit, least: int = 0, most: int | None = None) -> list[Snippet]:
    """The units of a module with `least` to `most` characters, in its order.

    "function": functions and methods, also under `if` and `try`, but none inside another function;
    "class": top-level classes whole; "file": the module. Decorators and comments are kept. Lines move to
    the left margin, but not those inside a string that is no docstring, so that the code does the same.
    Raises DataError where `source` does not parse, ConfigError for an unknown unit.
    """
    if unit not in get_args(Unit):
        raise ConfigError(f"a unit out of {', '.join(get_args(Unit))}", repr(unit))
    source = unix_lines(source)
    tree = parse_python(source)
    if unit == "file":
        made = [Snippet(name, source, 1, ast.get_docstring(tree), tree)]
    else:
        lines = source.split("\n")
        wanted = (ast.ClassDef,) if unit == "class" else _FUNCTIONS
        try:
            found = list(definitions(tree, inner=unit == "function"))
        except RecursionError as error:
            raise DataError("Python source", "it is nested too deep", "repair it") from error
        made = [_snippet(lines, f"{name}:{path}", node) for path, node in found if isinstance(node, wanted)]
    return [s for s in made if len(s.source) >= least and (most is None or len(s.source) <= most)]


def definitions(tree: ast.Module | ast.ClassDef, inner: bool = True) -> Iterator[tuple[str, Definition]]:
    """Qualified names and nodes of the definitions of a module or class; with `inner` those in classes too."""
    for node in _statements(tree.body):
        yield node.name, node
        if inner and isinstance(node, ast.ClassDef):
            yield from ((f"{node.name}.{path}", below) for path, below in definitions(node))


def _statements(body: list[ast.stmt]) -> Iterator[Definition]:
    for node in body:
        if isinstance(node, Definition):
            yield node
        elif isinstance(node, ast.If | ast.Try | ast.TryStar | ast.With):
            for part in ("body", "handlers", "orelse", "finalbody"):
                for below in getattr(node, part, []):
                    yield from _statements(below.body if isinstance(below, ast.ExceptHandler) else [below])


def _snippet(lines: list[str], name: str, node: Definition) -> Snippet:
    first = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    last = node.end_lineno or node.lineno
    own = lines[first - 1 : last]
    margin = own[0][: len(own[0]) - len(own[0].lstrip(" \t\f"))]
    if margin:
        text = "\n".join(own)
        fixed = _inside_strings(node, lines) if any(mark in text for mark in _OVER_LINES) else set()
        own = [
            line.removeprefix(margin) if number not in fixed else line
            for number, line in enumerate(own, first)
        ]
    return Snippet(name, "\n".join(own).rstrip(), first, ast.get_docstring(node), node)


def _inside_strings(node: Definition, lines: list[str]) -> set[int]:
    """Numbers of lines that start inside a string, where blanks are content; docstrings do not count."""
    fixed: set[int] = set()
    free: set[ast.AST] = set()
    for below in ast.walk(node):
        if isinstance(below, Definition) and ast.get_docstring(below, clean=False) is not None:
            free.add(below.body[0].value)  # type: ignore[attr-defined]
        if not isinstance(below, ast.Constant | ast.JoinedStr) or below in free:
            continue
        if isinstance(below, ast.Constant) and not isinstance(below.value, str | bytes):
            continue
        last = below.end_lineno or below.lineno
        text = "\n".join(lines[below.lineno - 1 : last]) if last > below.lineno else ""
        if any(mark in text for mark in _OVER_LINES):
            fixed.update(range(below.lineno + 1, last + 1))
    return fixed
