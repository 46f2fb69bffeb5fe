"""Signatures of Python functions as tool definitions, from the syntax tree: nothing is imported or run."""

from __future__ import annotations

import ast
import inspect
import json
import textwrap
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

from difflm.data.docstrings import Docstring, read_docstring, schema_of, schema_of_words
from difflm.errors import DataError

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
UNKNOWN = "string"
"""The type of a parameter of which nothing tells one."""
_BOUND = ("self", "cls", "mcs", "mcls", "metacls")
_METHODS = {
    "string": "startswith endswith split rsplit strip lstrip rstrip lower upper encode replace splitlines"
    " partition rpartition isdigit isidentifier casefold title",
    "object": "items keys values",
    "array": "append extend",
}
_TYPE_WITH = {method: name for name, methods in _METHODS.items() for method in methods.split()}
_TAKES_PATH = (
    "open",
    "fspath",
    "Path",
    "join",
    "exists",
    "isfile",
    "isdir",
    "abspath",
    "basename",
    "dirname",
)


class Argument(NamedTuple):
    """One parameter of a signature: its name, annotation, default, and what its star makes of it."""

    name: str
    annotation: ast.expr | None
    default: ast.expr | None
    star: str = ""
    """ "array" for *args, "object" for **kwargs."""


def tool_definition(
    what: Callable[..., Any] | Definition, name: str | None = None, usual: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """The signature of a function or class in OpenAI's function shape, its parameters as JSON Schema.

    A class is told by its docstring and `__init__`. `self` and `cls` are left out, `*args` is an array and
    `**kwargs` an object. A parameter's type is that of its annotation, else of the docstring, else of its
    default, else what the body does with it, else the `usual` one of its name, else "string". Defaults are
    kept where they are literals other than None. `name` stands for the function's own.
    Raises DataError for a callable without Python source at hand.
    """
    node = what if isinstance(what, Definition) else _node_of(what)
    told, arguments, method = _parts(node)
    properties = {}
    for argument in arguments:
        made = _schema(argument, told, method) or {"type": (usual or {}).get(argument.name, UNKNOWN)}
        properties[argument.name] = _described(made, argument, told)
    required = [a.name for a in arguments if a.default is None and not a.star]
    parameters = {"type": "object", "properties": properties, "required": required}
    return {"name": name or node.name, "description": told.description, "parameters": parameters}


def evident_types(node: Definition) -> dict[str, str]:
    """The types of those parameters of which annotation, docstring or default tell."""
    told, arguments, _ = _parts(node)
    made = {a.name: _schema(a, told, None).get("type") for a in arguments if not a.star}
    return {name: kind for name, kind in made.items() if isinstance(kind, str)}


def _parts(node: Definition) -> tuple[Docstring, list[Argument], ast.AST | None]:
    """What the docstrings tell, the arguments, and the function that takes them."""
    method = node if not isinstance(node, ast.ClassDef) else None
    texts = [ast.get_docstring(node) or ""]
    if isinstance(node, ast.ClassDef):
        makers = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
        method = makers[-1] if makers else None
        texts += [ast.get_docstring(maker) or "" for maker in makers]
    said = [read_docstring(text) for text in texts]
    told = {name: what for doc in reversed(said) for name, what in doc.parameters.items()}
    return Docstring(said[0].description, told), list(_arguments(method)) if method else [], method


def _node_of(what: Callable[..., Any]) -> Definition:
    try:
        body = ast.parse(textwrap.dedent(inspect.getsource(what))).body
    except (OSError, TypeError, SyntaxError) as error:
        raise DataError(
            "a function with Python source", repr(what), "name one that is not built in"
        ) from error
    if not body or not isinstance(body[0], Definition):
        raise DataError("a function or class", repr(what), "name one that `def` or `class` makes")
    return body[0]


def _arguments(method: ast.FunctionDef | ast.AsyncFunctionDef) -> Iterator[Argument]:
    given = method.args
    plain = [*given.posonlyargs, *given.args]
    defaults = [*[None] * (len(plain) - len(given.defaults)), *given.defaults]
    for number, (argument, default) in enumerate(zip(plain, defaults, strict=True)):
        if number or argument.arg not in _BOUND:
            yield Argument(argument.arg, argument.annotation, default)
    if given.vararg:
        yield Argument(given.vararg.arg, given.vararg.annotation, None, "array")
    for argument, default in zip(given.kwonlyargs, given.kw_defaults, strict=True):
        yield Argument(argument.arg, argument.annotation, default)
    if given.kwarg:
        yield Argument(given.kwarg.arg, given.kwarg.annotation, None, "object")


def _schema(argument: Argument, told: Docstring, method: ast.AST | None) -> dict[str, Any]:
    """The JSON Schema that a parameter's annotation, docstring, default or use tells; {} if none does."""
    own = schema_of(argument.annotation) if argument.annotation else {}
    if argument.star:
        inner = {"items" if argument.star == "array" else "additionalProperties": own} if own else {}
        return {"type": argument.star, **inner}
    words = told.parameters[argument.name].type if argument.name in told.parameters else ""
    value = _literal(argument.default)
    return own or schema_of_words(words) or _of_default(value) or _of_use(argument.name, method)


def _described(made: dict[str, Any], argument: Argument, told: Docstring) -> dict[str, Any]:
    """A parameter's schema with description and default where there are any: type first, default last."""
    said = told.parameters.get(argument.name)
    description = (said.description if said else "") or made.get("description", "")
    value = _literal(argument.default)
    rest = {key: item for key, item in made.items() if key not in ("type", "description")}
    return {
        "type": made["type"],
        **({"description": description} if description else {}),
        **rest,
        **({"default": value} if value is not None else {}),
    }


def _literal(default: ast.expr | None) -> Any:
    """A default as JSON has it; None where it is None, computed, or nothing that JSON knows."""
    if default is None:
        return None
    try:
        text = json.dumps(ast.literal_eval(default), allow_nan=False, ensure_ascii=False)
        # A surrogate is no character of UTF-8.
        return json.loads(text.encode())
    except (ValueError, TypeError, SyntaxError, RecursionError, MemoryError):
        return None


def _of_default(value: Any) -> dict[str, Any]:
    kinds = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"))
    return next(({"type": name} for kind, name in (*kinds, (dict, "object")) if isinstance(value, kind)), {})


def _of_use(name: str, method: ast.AST | None) -> dict[str, Any]:
    """The type that a telling use of a parameter in the body asks for, the least nested first."""
    for node in ast.walk(method) if method else ():
        kind = _asked(node, name)
        if kind:
            return {"type": kind}
    return {}


def _asked(node: ast.AST, name: str) -> str:
    """The type that one node asks of the parameter `name`; "" where it asks none."""

    def is_it(part: ast.expr) -> bool:
        return isinstance(part, ast.Name) and part.id == name

    match node:
        case ast.Call(func=ast.Attribute(value=value, attr=method)) if is_it(value):
            return _TYPE_WITH.get(method, "")
        case ast.For(iter=value) | ast.comprehension(iter=value) if is_it(value):
            return "array"
        case ast.Call(func=ast.Name(id=called) | ast.Attribute(attr=called), args=[first, *_]) if is_it(
            first
        ):
            return "integer" if called == "range" else "string" if called in _TAKES_PATH else ""
        case ast.BinOp(left=left, op=ast.Add() | ast.Sub() | ast.Div() | ast.Pow(), right=right):
            return "number" if _beside_number(left, right, is_it) else ""
        case ast.Compare(left=left, ops=[ast.Lt() | ast.Gt() | ast.LtE() | ast.GtE()], comparators=[right]):
            return "number" if _beside_number(left, right, is_it) else ""
    return ""


def _beside_number(left: ast.expr, right: ast.expr, is_it: Callable[[ast.expr], bool]) -> bool:
    pairs = ((left, right), (right, left))
    return any(
        is_it(one) and isinstance(other, ast.Constant) and type(other.value) in (int, float)
        for one, other in pairs
    )
