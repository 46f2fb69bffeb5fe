"""Signatures and docstrings become tool definitions; the standard library as code and tools."""

from __future__ import annotations

import ast
import compileall
import json
import os
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.data.docstrings import read_docstring, schema_of, schema_of_words
from difflm.data.python_source import (
    tool_definition,
)
from difflm.data.standard_library import modules, stdlib_functions, stdlib_tools
from difflm.errors import DataError

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
