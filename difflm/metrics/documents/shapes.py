"""JSON documents as paths, types and leaves; keys of maps are one key, learnt from the training documents."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

UNREADABLE = object()
"""Stands for a text that is no JSON."""
Path = tuple[str, ...]
ITEM, ANY = "[]", "*"
"""Steps of a path: an item of an array, a key of a map."""
MAP_KEYS, MAP_SHARE = 10, 0.5
"""An object is a map where there are this many keys and none of them is in this share of the objects."""


def read_json(text: str) -> tuple[Any, str]:
    """(value, key) with the same key for documents equal but for spaces and the order of keys.

    (UNREADABLE, the text) where it is no JSON: a syntax error, NaN or infinity, a key that occurs twice,
    or nested deeper than Python reads.
    """
    try:
        value = json.loads(text, object_pairs_hook=_unique, parse_constant=_refuse)
        return value, json.dumps(value, sort_keys=True, ensure_ascii=False, allow_nan=False)
    except (ValueError, RecursionError):
        return UNREADABLE, text


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise ValueError("a key occurs twice")
    return result


def _refuse(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def find_maps(documents: Iterable[Any]) -> frozenset[Path]:
    """Paths of objects whose keys are data (such as names of parameters) and not part of the shape.

    That is `properties` of a JSON Schema, and every path with at least MAP_KEYS keys of which none is in
    MAP_SHARE of its objects.
    """
    maps: set[Path] = set()
    level: dict[Path, list[Any]] = {(): list(documents)}
    while level:
        below: dict[Path, list[Any]] = {}
        for path, values in level.items():
            objects = [value for value in values if isinstance(value, dict)]
            if _is_map(path, objects):
                maps.add(path)
            for value in values:
                if isinstance(value, list) and value:
                    below.setdefault((*path, ITEM), []).extend(value)
            for value in objects:
                for key, inner in value.items():
                    below.setdefault((*path, ANY if path in maps else key), []).append(inner)
        level = below
    return frozenset(maps)


def _is_map(path: Path, objects: list[dict[str, Any]]) -> bool:
    # A parameter that is itself called "properties" is not the keyword.
    if path and path[-1] == "properties" and path[-2:-1] != (ANY,):
        return True
    keys = Counter(key for value in objects for key in value)
    return len(keys) >= MAP_KEYS and max(keys.values()) < MAP_SHARE * len(objects)


def walk(document: Any, maps: frozenset[Path]) -> Iterator[tuple[Path, Any]]:
    """Every value with its generalised path, the document itself first."""
    stack: list[tuple[Path, Any]] = [((), document)]
    while stack:
        path, value = stack.pop()
        yield path, value
        if isinstance(value, dict):
            one = path in maps
            stack += [((*path, ANY if one else key), inner) for key, inner in reversed(value.items())]
        elif isinstance(value, list):
            stack += [((*path, ITEM), inner) for inner in reversed(value)]


def leaves(document: Any) -> dict[tuple[str | int, ...], Any]:
    """Scalars and empty containers by exact path (keys and positions)."""
    found: dict[tuple[str | int, ...], Any] = {}
    stack: list[tuple[tuple[str | int, ...], Any]] = [((), document)]
    while stack:
        path, value = stack.pop()
        if isinstance(value, dict) and value:
            stack += [((*path, key), inner) for key, inner in value.items()]
        elif isinstance(value, list) and value:
            stack += [((*path, number), inner) for number, inner in enumerate(value)]
        else:
            found[path] = value
    return found


def type_name(value: Any) -> str:
    """JSON type of a value, whole numbers apart."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    return names.get(type(value), "null")


def spell(path: Path) -> str:
    """A path for a reader: parameters.properties.*.type"""
    return ".".join(path).replace(f".{ITEM}", ITEM) or "(document)"


def function_of(document: Any) -> Any:
    """The definition inside OpenAI's wrapper {"type": "function", "function": {...}}, else the document."""
    inner = document.get("function") if isinstance(document, dict) else None
    return inner if isinstance(inner, dict) else document


def name_of(document: Any) -> str | None:
    """What a definition is called: tool and API together, else its name, id or title; None without one."""
    inner = function_of(document)
    if not isinstance(inner, dict):
        return None
    pair = [inner[key] for key in ("tool_name", "api_name") if isinstance(inner.get(key), str)]
    if pair:
        return " / ".join(pair)
    return next((inner[key] for key in ("name", "id", "title") if isinstance(inner.get(key), str)), None)


def parameter_count(document: Any) -> int | None:
    """How many parameters a definition has; None where no known place says so."""
    inner = function_of(document)
    if not isinstance(inner, dict):
        return None
    lists = [inner.get(key) for key in ("required_parameters", "optional_parameters")]
    if any(isinstance(one, list) for one in lists):
        return sum(len(one) for one in lists if isinstance(one, list))
    given = inner.get("parameters", inner.get("inputSchema"))
    if isinstance(given, dict):
        given = given["properties"] if isinstance(given.get("properties"), dict) else given
    return len(given) if isinstance(given, dict | list) else None


def count_paths(documents: Sequence[Any], maps: frozenset[Path]) -> tuple[Counter[Path], Counter[Path]]:
    """(how often each path occurs, in how many documents it occurs), the document itself left out."""
    often: Counter[Path] = Counter()
    present: Counter[Path] = Counter()
    for document in documents:
        paths = [path for path, _ in walk(document, maps) if path]
        often.update(paths)
        present.update(set(paths))
    return often, present
