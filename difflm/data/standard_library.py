"""Built-in documents without a network: functions of Python's standard library, and tool definitions of them."""

from __future__ import annotations

import ast
import json
import platform
import sysconfig
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from difflm.data.archives import Folder
from difflm.data.collecting import Collector
from difflm.data.python_source import Definition, definitions, parse_python, snippets, source_text
from difflm.data.signatures import evident_types, tool_definition
from difflm.errors import DataError

LICENCE = "PSF-2.0 (Python standard library)"
LEAST_CODE, MOST_CODE = 80, 1_200
"""Characters of a function that is taken."""
LEAST_TOOL, MOST_TOOL = 120, 2_000
"""Characters of a tool definition that is taken."""
_LEFT_OUT = ("test", "tests", "idlelib", "idle_test", "lib2to3", "turtledemo", "encodings", "pydoc_data",
             "ensurepip", "_pyrepl", "__phello__", "dist-packages", "lib-dynload", "lib-tk", "distutils")  # fmt: skip


class Module(NamedTuple):
    """A module of the standard library: its path in the library, dotted name and source."""

    path: str
    name: str
    source: str


def modules(folder: Path | None = None) -> Iterator[Module]:
    """The modules of the standard library in order of their paths, without tests, tables and programs.
    DataError where it holds no source, as in some small builds."""
    folder = folder or Path(sysconfig.get_path("stdlib"))
    if not folder.is_dir():
        raise DataError(
            "the source of the standard library", f"no folder {folder}", "use a full build of Python"
        )
    tree = Folder(folder)
    files = [file for file in tree.files if file.endswith(".py") and not _left_out(Path(file).parts)]
    if not files:
        what = "only compiled modules" if any(folder.rglob("*.pyc")) else "no modules"
        raise DataError(
            "the source of the standard library", f"{what} in {folder}", "use a full build of Python"
        )
    for file in files:
        parts = Path(file).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        yield Module(file, name, source_text(tree.read(file), file).text)


def stdlib_functions(
    least: int = LEAST_CODE, most: int = MOST_CODE, folder: Path | None = None
) -> pd.DataFrame:
    """Functions and methods with `least` to `most` characters as a frame "code", names in attrs, see
    `read_documents`; the same for the same version of Python."""
    made = Collector("code")
    for module in modules(folder):
        try:
            found = snippets(module.source, module.name, "function")
        except DataError as error:
            made.leave(module.path, f"syntax error: {error.got}")
            continue
        for snippet in found:
            if len(snippet.source) < least:
                made.leave(snippet.name, f"too short: {len(snippet.source)} characters (at least {least})")
            elif len(snippet.source) > most:
                made.leave(snippet.name, f"too long: {len(snippet.source):,} characters (at most {most:,})")
            else:
                made.keep(snippet.source, snippet.name)
    return _named(made)


def stdlib_tools(least: int = LEAST_TOOL, most: int = MOST_TOOL, folder: Path | None = None) -> pd.DataFrame:
    """Tool definitions of public functions and methods with a docstring and at least one parameter as a
    frame "tool", each name once, see `tool_definition`; lengths are of the JSON. A parameter of which
    nothing tells the type has the one that parameters of its name have in the rest of the library."""
    made = Collector("tool")
    found: list[tuple[str, str, Definition]] = []
    types: dict[str, Counter[str]] = defaultdict(Counter)
    for module in modules(folder):
        try:
            tree = parse_python(module.source)
        except DataError as error:
            made.leave(module.path, f"syntax error: {error.got}")
            continue
        for _, node in definitions(tree):
            for name, kind in evident_types(node).items():
                types[name][kind] += 1
        found += [(module.name, path, node) for path, node in _public(module.name, tree)]
    usual = {name: kind for name, counts in types.items() if (kind := _usual(counts))}
    taken: set[str] = set()
    for module_name, path, node in found:
        place, name = f"{module_name}:{path}", f"{module_name}.{path}".replace(".", "_")
        tool = tool_definition(node, name, usual)
        text = json.dumps(tool, ensure_ascii=False)
        if name in taken:
            made.leave(place, "duplicate: a second definition of this name")
        elif not tool["parameters"]["properties"]:
            made.leave(place, "no parameter")
        elif not least <= len(text) <= most:
            sort = "too short" if len(text) < least else "too long"
            made.leave(place, f"{sort}: {len(text):,} characters ({least:,} to {most:,})")
        else:
            taken.add(name)
            made.keep(text, place)
    return _named(made)


def _public(module: str, tree: ast.Module) -> Iterator[tuple[str, Definition]]:
    """Functions and methods of a module with a docstring that are meant for others."""
    exported = _exported(tree)
    for path, node in definitions(tree):
        names = [*module.split("."), *path.split(".")]
        hidden = any(name.startswith("_") for name in names)
        listed = not exported or path.split(".")[0] in exported
        if listed and not hidden and not isinstance(node, ast.ClassDef) and ast.get_docstring(node):
            yield path, node


def _usual(counts: Counter[str]) -> str:
    """The type of two thirds of at least three parameters, or ""."""
    kind, count = counts.most_common(1)[0]
    return kind if count >= 3 and count * 3 >= 2 * counts.total() else ""


def _named(made: Collector) -> pd.DataFrame:
    frame = made.frame("the standard library")
    what = f"the standard library of Python {platform.python_version()} without tests; {LICENCE}"
    frame.attrs["notes"].insert(0, what)
    return frame


def _left_out(parts: tuple[str, ...]) -> bool:
    return any(part in _LEFT_OUT or part.startswith("config-") for part in parts) or parts[-1] in (
        "antigravity.py",
        "this.py",
    )


def _exported(tree: ast.Module) -> set[str]:
    """The names in a module's `__all__` where it is a plain list."""
    names: set[str] = set()
    for node in tree.body:
        if isinstance(node, ast.Assign | ast.AugAssign):
            targets = node.targets if isinstance(node, ast.Assign) else [node.target]
            if any(isinstance(target, ast.Name) and target.id == "__all__" for target in targets):
                parts = node.value.elts if isinstance(node.value, ast.List | ast.Tuple) else []
                names |= {str(part.value) for part in parts if isinstance(part, ast.Constant)}
    return names
