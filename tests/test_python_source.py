"""Python source is cut without changing what it does, and signatures become tool definitions."""

from __future__ import annotations

import ast
import compileall
import json
import os
import textwrap
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.data.docstrings import read_docstring, schema_of, schema_of_words
from difflm.data.python_source import (
    classes,
    functions,
    parse_python,
    snippets,
    source_text,
    tool_definition,
    unix_lines,
)
from difflm.data.standard_library import modules, stdlib_functions, stdlib_tools
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


GOOGLE = """Draw rows.

    A second
    paragraph.

    >>> draw(3)
    [1]

    Args:
        count (int, optional): How many
            rows.
        names (list of str): Columns: all of them.
        *rest: More.

    Returns:
        list: rows
    """
NUMPY = """Draw rows.

    A second
    paragraph.

    Parameters
    ----------
    count : int, optional
        How many
        rows.
    names : list of str
        Columns: all of them.
    *rest
        More.

    Returns
    -------
    list
        rows
    """
SPHINX = """Draw rows.

    A second
    paragraph.

    :param int count: How many
        rows.
    :param names: Columns: all of them.
    :type names: list of str
    :param rest: More.
    :returns: rows
    """


@pytest.mark.parametrize("text", [GOOGLE, NUMPY, SPHINX])
def test_docstring_styles(text: str) -> None:
    told = read_docstring(text)
    assert told.description == "Draw rows.\nA second paragraph."
    assert {name: what.description for name, what in told.parameters.items()} == {
        "count": "How many rows.",
        "names": "Columns: all of them.",
        "rest": "More.",
    }
    assert schema_of_words(told.parameters["count"].type) == {"type": "integer"}
    assert schema_of_words(told.parameters["names"].type) == {"type": "array", "items": {"type": "string"}}


@given(st.text("abc :-*()\n\tArgs.ParametersReturn`,>", max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_docstring_can_be_read(text: str) -> None:
    told = read_docstring(text)
    assert all(name.isidentifier() or name.isalnum() for name in told.parameters)


@pytest.mark.parametrize(
    ("annotation", "schema"),
    [
        ("int", {"type": "integer"}),
        ("typing.Optional[str]", {"type": "string"}),
        ("'Path | None'", {"type": "string"}),
        ("int | float", {"type": ["integer", "number"]}),
        ("Union[list[int], tuple[int, ...]]", {"type": "array", "items": {"type": "integer"}}),
        ("dict[str, bool]", {"type": "object", "additionalProperties": {"type": "boolean"}}),
        ("list[dict]", {"type": "array", "items": {"type": "object"}}),
        ("Literal['a', 'b']", {"type": "string", "enum": ["a", "b"]}),
        ("Annotated[int, 'how many']", {"type": "integer", "description": "how many"}),
        ("None", {"type": "null"}),
        ("np.ndarray", {"type": "array"}),
        ("Callable[[int], str]", {}),
        ("int | Any", {}),
        ("SomeClass", {}),
        ("'not python ('", {}),
    ],
)  # fmt: skip
def test_annotations(annotation: str, schema: dict[str, Any]) -> None:
    assert schema_of(ast.parse(annotation, mode="eval").body) == schema


def search(
    query: str, limit: int = 10, *terms: str, order: Literal["new", "old"] = "new", near: float | None = None,
    tags=(), where=None, path=None, callback=print, **options: int,
) -> list[str]:  # fmt: skip
    """Find pages.

    Args:
        query: What to look for.
        limit: At most so many.
    """
    for tag in tags:
        os.path.exists(path)
        where += tag + 1
    return [query]


def test_the_definition_of_a_function() -> None:
    tool = tool_definition(search)
    assert (tool["name"], tool["description"]) == ("search", "Find pages.")
    assert tool["parameters"]["required"] == ["query"]
    assert tool["parameters"]["properties"] == {
        "query": {"type": "string", "description": "What to look for."},
        "limit": {"type": "integer", "description": "At most so many.", "default": 10},
        "tags": {"type": "array", "default": []},
        "where": {"type": "string"},
        "path": {"type": "string"},
        "callback": {"type": "string"},
        "terms": {"type": "array", "items": {"type": "string"}},
        "order": {"type": "string", "enum": ["new", "old"], "default": "new"},
        "near": {"type": "number"},
        "options": {"type": "object", "additionalProperties": {"type": "integer"}},
    }
    assert list(tool["parameters"]["properties"]["limit"]) == ["type", "description", "default"]
    assert tool_definition(search, "find", {"callback": "object"})["parameters"]["properties"][
        "callback"
    ] == {"type": "object"}
    json.dumps(tool, allow_nan=False)


class Shelf:
    """Keeps books.

    Args:
        width: In metres.
    """

    def __init__(self, width=1.5, *, owner):
        """:param owner: Who pays."""

    def add(self, book, /, at=float("inf")):
        book.startswith("x")


def test_the_definition_of_classes_and_methods() -> None:
    tool = tool_definition(Shelf)
    assert tool == {
        "name": "Shelf",
        "description": "Keeps books.",
        "parameters": {
            "type": "object",
            "properties": {
                "width": {"type": "number", "description": "In metres.", "default": 1.5},
                "owner": {"type": "string", "description": "Who pays."},
            },
            "required": ["owner"],
        },
    }
    add = tool_definition(Shelf.add)["parameters"]
    assert add["properties"] == {"book": {"type": "string"}, "at": {"type": "string"}}
    assert add["required"] == ["book"]
    with pytest.raises(DataError, match="a function with Python source"):
        tool_definition(len)


def _library(folder: Path) -> Path:
    for name in ("json/__init__", "json/decoder", "textwrap"):
        real = next(m for m in modules() if m.path == f"{name}.py")
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / f"{name}.py").write_text(real.source)
    for name in ("test/test_x.py", "site-packages/other.py", "encodings/cp1.py", "textwrap_copy.py"):
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(
            (folder / "textwrap.py").read_text() if "copy" in name else "def f(a): 'x'\n"
        )
    (folder / "broken.py").write_text("def (")
    return folder


def test_functions_and_tools_of_a_library(tmp_path: Path) -> None:
    folder = _library(tmp_path)
    code = stdlib_functions(50, 3_000, folder=folder)
    names = code.attrs["names"]
    assert (
        "textwrap:dedent" in names
        and "json:loads" in names
        and names
        == sorted(names, key=lambda name: ["json", "json.decoder", "textwrap"].index(name.split(":")[0]))
    )
    assert code["code"].str.len().between(50, 3_000).all() and not code["code"].duplicated().any()
    reasons = {item["name"]: item["reason"] for item in code.attrs["left_out"]}
    assert reasons["textwrap_copy:dedent"] == "duplicate: of textwrap:dedent"
    assert reasons["broken.py"].startswith("syntax error: line 1")
    assert "PSF-2.0" in code.attrs["notes"][0]
    assert stdlib_functions(50, 3_000, folder=folder).equals(code)
    tools = [json.loads(text) for text in stdlib_tools(most=4_000, folder=folder)["tool"]]
    by_name = {tool["name"]: tool for tool in tools}
    assert len(by_name) == len(tools) and "textwrap_copy_dedent" in by_name
    assert by_name["textwrap_wrap"]["parameters"]["required"] == ["text"]
    assert by_name["textwrap_wrap"]["parameters"]["properties"]["width"] == {"type": "integer", "default": 70}
    assert not any("__" in name or "_scan" in name for name in by_name)


def test_a_library_without_source(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="the source of the standard library, but got no folder"):
        stdlib_functions(folder=tmp_path / "python311.zip")
    (tmp_path / "m.py").write_text("x = 1\n")
    compileall.compile_dir(tmp_path, quiet=2, legacy=True)
    (tmp_path / "m.py").unlink()
    with pytest.raises(DataError, match="only compiled modules"):
        stdlib_tools(folder=tmp_path)


def test_the_real_library_is_found() -> None:
    names = [module.name for module in modules()]
    assert {"json", "textwrap", "email.message"} <= set(names) and len(names) > 200
    assert not [n for n in names if n.split(".")[0] in ("test", "idlelib", "encodings", "site-packages")]


def test_tabs_survive() -> None:
    source = textwrap.dedent("class A:\n\tdef f(self):\n\t\treturn 1\n")
    assert functions(source, "m")[0].source == "def f(self):\n\treturn 1"
