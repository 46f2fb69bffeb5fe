"""The JSON Schema of a set of documents in use: inferred, described for people, documents held against it."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Literal

from difflm.errors import ConfigError
from difflm.formats.json_inference import infer_json_schema
from difflm.formats.json_references import REFERENCES, UNIQUE

__all__ = ["KNOWN_SHARE", "Shape", "Validity", "describe", "infer_json_schema", "narrowed", "recognise"]

KNOWN_SHARE = 0.9
"""Share of documents that must have a well-known shape."""
LISTED = 5
"""Most values of an enum that a description lists."""

Shape = Literal["openai_function", "toolbench_api", "json"]

TYPES = {
    "object": "object",
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "boolean",
    "null": "null",
}
BROKEN = {
    "type": "has another type",
    "enum": "is none of the known values",
    "anyOf": "has none of the known forms",
    "required": "lacks a key",
    "additionalProperties": "has an unknown key",
    "propertyNames": "has a key that is too long",
    "maxProperties": "has too many keys",
    "maxItems": "has too many items",
    "maxLength": "is too long",
}
"""What to say where a keyword of the schema is not met."""


def recognise(documents: Iterable[Any]) -> Shape:
    """Which well-known shape at least nine in ten of the documents have, "json" for none."""
    values = list(documents)
    checks: dict[Shape, Callable[[Any], bool]] = {
        "openai_function": _is_function,
        "toolbench_api": _is_toolbench,
    }
    for shape, check in checks.items():
        if values and sum(map(check, values)) >= KNOWN_SHARE * len(values):
            return shape
    return "json"


def _is_function(value: Any) -> bool:
    """An OpenAI function definition, wrapped as a tool or bare; its `parameters` are a JSON Schema."""
    if isinstance(value, dict) and value.get("type") == "function":
        value = value.get("function", value)
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        return False
    parameters = value.get("parameters")
    return isinstance(parameters, dict) and isinstance(parameters.get("properties"), dict)


def _is_toolbench(value: Any) -> bool:
    """An API of ToolBench's `toolenv/tools`, or as DiffLM's data preparation writes it."""
    wanted = {"tool_name", "api_name", "api_description"}
    parameters = {"parameters", "required_parameters", "optional_parameters"}
    return isinstance(value, dict) and value.keys() >= wanted and bool(value.keys() & parameters)


class Validity:
    """Documents held against one schema."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        from jsonschema import Draft202012Validator

        self._validator = Draft202012Validator(schema)

    def fits(self, document: Any) -> bool:
        """Whether it meets the schema."""
        return bool(self._validator.is_valid(document))

    def reason(self, document: Any) -> str | None:
        """Where and how a document breaks the schema, in names of the schema alone; None where it does not."""
        error = next(self._validator.iter_errors(document), None)
        if error is None:
            return None
        *way, keyword = list(error.absolute_schema_path)
        return f"{_place(way) or 'the document'} {BROKEN[str(keyword)]}"


def _place(way: list[Any]) -> str:
    """The path in a document that a path in its schema stands for."""
    path, steps = "", iter(way)
    for step in steps:
        if step == "properties":
            path += f".{next(steps)}"
        elif step == "additionalProperties":
            path += ".*"
        elif step == "items":
            path += "[]"
        elif step == "anyOf":
            next(steps)
    return path.removeprefix(".")


def narrowed(schema: Mapping[str, Any], only: Mapping[str, Sequence[Any]]) -> dict[str, Any]:
    """`schema` with keys of the outermost object narrowed to the JSON values `only` gives; they are required.

    Raises ConfigError where no document can have them."""
    shared = {"$defs": schema["$defs"]} if "$defs" in schema else {}
    top = _resolved(schema, schema)
    forms = [_resolved(form, schema) for form in top.get("anyOf", [top])]
    forms = [form for form in forms if "properties" in form]
    known = dict.fromkeys(key for form in forms for key in form["properties"])
    strange = [key for key in only if key not in known]
    if strange:
        raise ConfigError(f"keys out of {', '.join(known) or 'none'}", ", ".join(strange))
    made = []
    for form in forms:
        fitting = {
            key: [value for value in values if Validity({**form["properties"][key], **shared}).fits(value)]
            for key, values in only.items()
            if key in form["properties"]
        }
        if len(fitting) == len(only) and all(fitting.values()):
            enums = {key: {"enum": values} for key, values in fitting.items()}
            required = dict.fromkeys([*form.get("required", ()), *only])
            properties = {**form["properties"], **enums}
            own = {"$schema", "$defs", REFERENCES, UNIQUE}
            rest = {key: value for key, value in form.items() if key not in own}
            made.append({**rest, "type": "object", "properties": properties, "required": list(required)})
    if not made:
        wanted = ", ".join(f"{key} = {str(list(values))[:100]}" for key, values in only.items())
        raise ConfigError("values that documents can have", wanted)
    return {"anyOf": made, **shared}


def _resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a reference stands for; anything else as it is."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    return schema


def describe(schema: Mapping[str, Any]) -> list[tuple[str, str, bool]]:
    """(path, what, optional) of every place in documents of a schema, outermost first.

    In a path `.*` is any key of a map and `[]` an item; forms of one place are numbered (1), (2). A place
    of a recursive definition that was described before is named, not described again."""
    return list(_described(schema, "", False, schema, {}))


def _described(
    schema: Mapping[str, Any], path: str, optional: bool, root: Mapping[str, Any], seen: dict[str, str]
) -> Iterator[tuple[str, str, bool]]:
    if "$ref" in schema:
        name = str(schema["$ref"])
        if name in seen:
            yield path, f"as {seen[name]}", optional
            return
        seen[name] = path or "the document"
        schema = _resolved(schema, root)
    if path or "properties" not in schema:
        yield path, _what(schema, root), optional
    forms = schema.get("anyOf", [schema])
    for number, form in enumerate(forms, start=1):
        start = f"{path}({number})" if len(forms) > 1 else path
        if "$ref" in form:
            yield from _described(form, start, optional, root, seen)
            continue
        dot = "." if start else ""
        for key, inner in form.get("properties", {}).items():
            absent = key not in form.get("required", ())
            yield from _described(inner, f"{start}{dot}{key}", absent, root, seen)
        if isinstance(form.get("additionalProperties"), Mapping):
            yield from _described(form["additionalProperties"], f"{start}{dot}*", True, root, seen)
        if "items" in form:
            yield from _described(form["items"], f"{start}[]", True, root, seen)


def _what(schema: Mapping[str, Any], root: Mapping[str, Any]) -> str:
    schema = _resolved(schema, root)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_what(form, root) for form in schema["anyOf"]))
    if "enum" in schema:
        values = [repr(value) for value in schema["enum"]]
        more = f" and {len(values) - LISTED} more" if len(values) > LISTED else ""
        return f"one of {', '.join(values[:LISTED])}{more}"
    types = schema.get("type", "anything")
    return " or ".join(_typed(name, schema) for name in ([types] if isinstance(types, str) else types))


def _typed(name: str, schema: Mapping[str, Any]) -> str:
    if name == "object" and schema.get("additionalProperties", True) is not False:
        return "object with further keys" if "properties" in schema else "map"
    if name == "array":
        return f"list of up to {schema['maxItems']}" if schema.get("maxItems") else "list"
    if name == "string" and "maxLength" in schema:
        return f"text of up to {schema['maxLength']} characters"
    return TYPES.get(name, name)
