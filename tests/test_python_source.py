"""Python source is cut without changing what it does."""

from __future__ import annotations

import ast
import textwrap
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.data.python_source import (
    classes,
    functions,
    parse_python,
    snippets,
    source_text,
    unix_lines,
)
from difflm.data.standard_library import modules
from difflm.errors import ConfigError, DataError

MODULE = '''"""A module."""
import functools

LIMIT = 3


# Not part of the function.
@functools.cache
@staticmethod
def first(a, b=1):  # a comment
    """Add."""
    # inside
    return a + b  # at the end


class Box:
    """Holds."""

    size = 2

    def text(self):
        """Two
        lines."""
        return """top
        kept
    kept too
"""

    class Inner:
        async def deep(self, *, x: int) -> int:
            if x:
                # comment at the margin
                return (1 +
                        2)

try:
    import fast
except ImportError:
    def slow():
        def nested():
            return 1
        return nested
'''


def test_functions_with_exact_source() -> None:
    found = {snippet.name: snippet for snippet in functions(MODULE, "m.py")}
    assert list(found) == ["m.py:first", "m.py:Box.text", "m.py:Box.Inner.deep", "m.py:slow"]
    first = found["m.py:first"]
    assert first.source == MODULE[MODULE.index("@functools") : MODULE.index("\n\n\nclass")]
    assert (first.line, first.docstring) == (8, "Add.")
    assert found["m.py:Box.Inner.deep"].source.startswith(
        "async def deep(self, *, x: int) -> int:\n    if x:\n"
    )
    assert "def nested" in found["m.py:slow"].source


def test_a_method_at_the_margin_gives_the_same_strings() -> None:
    text = next(s for s in functions(MODULE, "m") if s.name == "m:Box.text")
    assert text.source.startswith('def text(self):\n    """Two\n    lines."""\n')
    namespace: dict[str, Any] = {}
    exec(text.source, namespace)
    assert namespace["text"](None) == "top\n        kept\n    kept too\n"


def test_classes_files_and_bounds() -> None:
    (box,) = classes(MODULE, "m")
    assert box.source == MODULE[MODULE.index("class Box") : MODULE.index("\n\ntry")] and box.name == "m:Box"
    (whole,) = snippets(MODULE, "m", "file")
    assert whole.source == MODULE and whole.docstring == "A module." and whole.name == "m"
    lengths = sorted(len(s.source) for s in functions(MODULE, "m"))
    assert [len(s.source) for s in functions(MODULE, "m", least=lengths[1], most=lengths[1])] == lengths[1:2]
    with pytest.raises(ConfigError, match="a unit out of function, class, file"):
        snippets(MODULE, "m", "line")  # type: ignore[arg-type]


def _methods(tree: ast.Module) -> list[str]:
    bare = [node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
    for node in bare:
        if ast.get_docstring(node) is not None:
            node.body[0] = ast.Pass()
    return [ast.dump(node) for node in bare]


@pytest.mark.parametrize("module", ["argparse", "textwrap", "dataclasses", "typing", "json.encoder"])
def test_snippets_of_real_modules_mean_the_same(module: str) -> None:
    source = next(m.source for m in modules() if m.name == module)
    whole = set(_methods(ast.parse(source)))
    found = functions(source, module)
    assert len(found) > 3
    for snippet in found:
        assert _methods(ast.parse(snippet.source))[0] in whole, snippet.name


@given(st.text("abc \t\n\r'\"\\(:)#=\x0c", max_size=40), st.sampled_from(["\n", "\r\n", "\r"]))
@settings(max_examples=200, deadline=None)
def test_any_string_in_a_method_is_kept(content: str, end: str) -> None:
    lines = ["class A:", "\tdef f(self):", f"\t\treturn {content!r}, '''{ascii(content)[1:-1]}", "\t\tz'''"]
    source = end.join(lines)
    try:
        tree = ast.parse(source)
    except SyntaxError:
        return
    expected = ast.dump(tree.body[0].body[0])  # type: ignore[attr-defined]
    (found,) = functions(source, "x")
    assert ast.dump(ast.parse(found.source).body[0]) == expected


@pytest.mark.parametrize(
    ("source", "says"),
    [
        ("def f(:\n", "line 1"),
        ("x = 1\n  y = 2\n", "line 2: unexpected indent"),
        ("x = '\x00'", "null byte"),
        ("(" * 300 + ")" * 300, "too many nested|too deep"),
        ("x = " + "-" * 100_000 + "1", "too deep"),
    ],
)
def test_what_is_no_python(source: str, says: str) -> None:
    with pytest.raises(DataError, match=says):
        functions(source, "m")


def test_parser_warnings_are_not_shown() -> None:
    assert parse_python(r"x = '\d' is 'y'").body


@pytest.mark.parametrize(
    ("data", "text", "note"),
    [
        ("x = 'é'\n".encode(), "x = 'é'\n", ""),
        ("\ufeffx = 'é'\n".encode(), "x = 'é'\n", ""),
        ("# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1"), "x = 'é'", "iso-8859-1, as the file says"),
        ("#!/bin/python\n# vim: set fileencoding=cp1251 :\nx = 'Я'".encode("cp1251"), "x = 'Я'", "cp1251"),
        ("x = 'é'\n".encode("latin-1"), "x = 'é'\n", "Windows-1252"),
        ("x = 'é'\n".encode("utf-16"), "x = 'é'\n", "utf-16"),
    ],
)
def test_encodings(data: bytes, text: str, note: str) -> None:
    made = source_text(data, "m.py")
    assert text in made.text and note in made.note and bool(made.note) == bool(note)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"# coding: nonsense\nx = 1\n", "a known coding in m.py"),
        (b"# coding: utf-16\nx = 1\n", "m.py"),
        (b"# coding: rot13\nx = 1\n", "a known coding in m.py"),
        (b"\x7fELF\x00\x01", "binary content"),
    ],
)
def test_codings_that_do_not_fit(data: bytes, says: str) -> None:
    with pytest.raises(DataError, match=says):
        source_text(data, "m.py")


def test_line_ends() -> None:
    assert unix_lines("a\r\nb\rc\nd") == "a\nb\nc\nd"


def test_tabs_survive() -> None:
    source = textwrap.dedent("class A:\n\tdef f(self):\n\t\treturn 1\n")
    assert functions(source, "m")[0].source == "def f(self):\n\treturn 1"
