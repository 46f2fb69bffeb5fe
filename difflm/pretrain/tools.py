"""Tool definitions of real functions in the shapes that are in use: OpenAI, BFCL, ToolBench, MCP and others."""

from __future__ import annotations

import ast
import json
import random
from collections.abc import Callable
from typing import Any

from difflm.data.python_source import tool_definition
from difflm.pretrain.documents import Document, seeded

LEAST_DESCRIPTION = 20
LONGEST = 5000
PAIRED = 0.06
"""Share of the functions whose definition is written twice, in two shapes."""

Definition = dict[str, Any]
_OTHER_NAMES = {"object": "dict", "number": "float", "array": "list", "string": "str", "boolean": "bool"}


def tool_documents(
    node: ast.FunctionDef | ast.AsyncFunctionDef, source: str, origin: str, limit: int = LONGEST
) -> list[Document]:
    """The definition of a public function with a docstring, in a shape drawn by its place; [] for others."""
    if node.name.startswith("_") or ast.get_docstring(node) is None:
        return []
    place = origin.removesuffix(".py").removesuffix("/__init__").split("/")
    rng = seeded("tool", origin, node.name, node.lineno)
    definition = tool_definition(node, name=_named(node.name, place, rng))
    if len(definition["description"]) < LEAST_DESCRIPTION:
        return []
    shape, other = rng.choices(list(SHAPES), [weight for _, weight in SHAPES.values()], k=2)
    text = written(SHAPES[shape][0](definition, place, rng), rng)
    if len(text) > limit:
        return []
    if shape != other and rng.random() < PAIRED:
        again = written(SHAPES[other][0](definition, place, rng), rng)
        return [Document("pair", f"{text}\n{again}", source, origin)]
    return [Document("tool", text, source, origin)]


def written(value: Any, rng: random.Random) -> str:
    """JSON, mostly as json.dumps writes it, at times indented or without blanks."""
    drawn = rng.random()
    if drawn < 0.84:
        return json.dumps(value, ensure_ascii=False)
    if drawn < 0.92:
        return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(value, ensure_ascii=False, indent=rng.choice([1, 2, 4]))


def _named(name: str, place: list[str], rng: random.Random) -> str:
    drawn = rng.random()
    if drawn < 0.6:
        return name
    if drawn < 0.75:
        return f"{place[-1]}.{name}"
    if drawn < 0.9:
        return f"{place[-1]}_{name}"
    first, *others = name.split("_")
    return first + "".join(part.title() for part in others)


def _openai(definition: Definition, place: list[str], rng: random.Random) -> Definition:
    return {"type": "function", "function": definition}


def _bare(definition: Definition, place: list[str], rng: random.Random) -> Definition:
    return definition


def _bfcl(definition: Definition, place: list[str], rng: random.Random) -> Definition:
    """JSON Schema with Python's names of types."""
    return {**definition, "parameters": _renamed(definition["parameters"])}


def _renamed(schema: Any) -> Any:
    if isinstance(schema, list):
        return [_renamed(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    return {
        key: _OTHER_NAMES.get(value, value)
        if key == "type" and isinstance(value, str)
        else value
        if key == "default"
        else _renamed(value)
        for key, value in schema.items()
    }


def _with_schema(key: str) -> Callable[[Definition, list[str], random.Random], Definition]:
    def shape(definition: Definition, place: list[str], rng: random.Random) -> Definition:
        parameters = definition["parameters"]
        return {"name": definition["name"], "description": definition["description"], key: parameters}

    return shape


def _toolbench(definition: Definition, place: list[str], rng: random.Random) -> Definition:
    required, optional = _split(definition, upper=True)
    return {
        "category_name": place[0].replace("_", " ").title(),
        "tool_name": place[-1].replace("_", " ").title(),
        "api_name": definition["name"],
        "api_description": definition["description"],
        "required_parameters": required,
        "optional_parameters": optional,
        "method": rng.choice(["GET", "GET", "GET", "POST"]),
    }


def _api(definition: Definition, place: list[str], rng: random.Random) -> Definition:
    """ToolBench's record with the parameters as JSON Schema."""
    properties = {
        name: {**told, "type": str(told.get("type", "string")).upper()}
        for name, told in definition["parameters"]["properties"].items()
    }
    return {
        "tool_name": place[-1].replace("_", " ").title(),
        "tool_description": "",
        "api_name": definition["name"].replace("_", " ").title(),
        "api_description": definition["description"],
        "parameters": {**definition["parameters"], "properties": properties},
        "method": rng.choice(["GET", "GET", "GET", "POST"]),
    }


def _listed(definition: Definition, place: list[str], rng: random.Random) -> Definition:
    key = rng.choice(["desc", "description", "doc"])
    required, optional = _split(definition, upper=False)
    parameters = [
        {"name": p["name"], "type": p["type"], key: p["description"], "required": p in required}
        for p in required + optional
    ]
    return {"id": definition["name"], key: definition["description"], "parameters": parameters}


def _openapi(definition: Definition, place: list[str], rng: random.Random) -> Definition:
    schema = definition["parameters"]
    parameters = [
        {
            "name": name,
            "in": "query",
            "required": name in schema["required"],
            "schema": {k: v for k, v in told.items() if k != "description"},
            **({"description": told["description"]} if "description" in told else {}),
        }
        for name, told in schema["properties"].items()
    ]
    path = "/".join(["", *place[-2:], definition["name"].replace(".", "/")])
    operation = {"operationId": definition["name"], "summary": definition["description"]}
    return {"path": path, "method": rng.choice(["get", "post"]), **operation, "parameters": parameters}


def _split(definition: Definition, upper: bool) -> tuple[list[Definition], list[Definition]]:
    """Parameters as flat records: those that are required, and the others."""
    parts: tuple[list[Definition], list[Definition]] = [], []
    schema = definition["parameters"]
    for name, told in schema["properties"].items():
        kind = str(told.get("type", "string"))
        default = told.get("default", "")
        record = {
            "name": name,
            "type": kind.upper() if upper else kind,
            "description": told.get("description", ""),
            "default": default if isinstance(default, str | int | float) else json.dumps(default),
        }
        parts[0 if name in schema["required"] else 1].append(record)
    return parts


SHAPES: dict[str, tuple[Callable[[Definition, list[str], random.Random], Definition], int]] = {
    "openai": (_openai, 22),
    "bare": (_bare, 20),
    "bfcl": (_bfcl, 16),
    "toolbench": (_toolbench, 12),
    "api": (_api, 12),
    "mcp": (_with_schema("inputSchema"), 5),
    "anthropic": (_with_schema("input_schema"), 5),
    "list": (_listed, 5),
    "openapi": (_openapi, 3),
}
"""Each shape, and how often it is drawn."""
