"""A JSON Schema inferred from JSON documents, with maps, enums and recursion.

Own code, because genson (the known library for this) has neither maps nor enums nor recursion, and a grammar
of function definitions is of no use without them. The schema keeps to a part of draft 2020-12: type,
properties, required, additionalProperties, propertyNames, maxProperties, items, maxItems, enum, maxLength,
anyOf, $ref to $defs; and the annotations `x-swapped` (see `json_shapes.swapped`) and `x-references`,
`x-unique` (see json_references). Numbers have no bounds: those of the documents at hand seldom hold for the next one.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from difflm.errors import DataError
from difflm.formats.json_references import REFERENCES, UNIQUE, references_of, unique_lists
from difflm.formats.json_shapes import Keys, Object, json_type, keys_of, kinds_of, swapped, usual_order

DRAFT = "https://json-schema.org/draft/2020-12/schema"
ENUM_VALUES = 40
"""Most strings of an enum."""
ENUM_LENGTH = 40
"""Most characters of each."""
ENUM_REPEATS = 5
"""How often each comes at least, on average."""
ENUM_COUNT = 20
"""Fewest strings that show an enum."""
ENUM_UNSEEN = 0.003
"""Highest share of strings that come once: the chance that the next one is new (Good-Turing)."""
SURE = 100
"""So many arrays or objects, all empty, show that they always are."""
ROOM = ((1000, 2), (100, 4), (0, 8))
"""How many times the longest seen a length may be, by how many were seen; rounded up to a power of two."""
REQUIRED_OBJECTS = 5
"""A key is required where so many objects, or as many as there are documents, all have it."""
SCALARS = ("string", "number", "boolean", "null")
"""All of these are allowed where two of them were seen: the type depends on something else."""


def infer_json_schema(documents: Iterable[Any]) -> dict[str, Any]:
    """The schema that all `documents` (JSON values) meet; DataError where there is none.

    Objects of open keys become maps (`additionalProperties`), few strings that come often an enum, and
    objects that hold objects like themselves refer to one definition, so that depth has no limit."""
    values = list(documents)
    if not values:
        raise DataError("at least one JSON document", "none", "check the file")
    inference = _Inference(len(values))
    schema = inference.schema(values, "")
    made = {"$schema": DRAFT, **schema}
    if references := references_of(values):
        made[REFERENCES] = references
    if unique := unique_lists(values):
        made[UNIQUE] = unique
    return {**made, "$defs": inference.definitions} if inference.definitions else made


class _Place:
    """Objects whose schema is being made, and those found further down that belong to them."""

    def __init__(self, label: str, objects: Sequence[Object]) -> None:
        self.label, self.objects, self.name = label, list(objects), ""
        self._found: dict[int, Object] = {}
        self._known = {id(one) for one in objects}
        self._types: set[str] = set()
        self.keys = Keys([], False)

    def settle(self) -> None:
        """Tell fixed from open keys."""
        self.keys = keys_of(self.objects, parameters=self.label == "properties")
        self._types = {json_type(value) for one in self.objects for value in one.values()}

    def resembles(self, objects: Sequence[Object]) -> bool:
        """Whether `objects` may well be more of these."""
        pairs = [pair for one in objects for pair in one.items()]
        if self.keys.open:
            return all(json_type(value) in self._types for _, value in pairs)
        known = set(self.keys.fixed)
        return bool(pairs) and 2 * sum(key in known for key, _ in pairs) >= len(pairs)

    def find(self, objects: Sequence[Object]) -> None:
        """Note objects that belong here."""
        self._found |= {id(one): one for one in objects if id(one) not in self._known}

    def grow(self) -> bool:
        """Take in what was found; whether there was any."""
        self.objects += self._found.values()
        self._known |= self._found.keys()
        grown = bool(self._found)
        self._found = {}
        return grown


class _Inference:
    """One walk down all documents at once.

    A label names a place in them: the last key, with `.*` for the values of a map and `[]` for items. Objects
    inside of others that have their label and their keys are the same definition."""

    def __init__(self, documents: int) -> None:
        self.documents = documents
        self.definitions: dict[str, Any] = {}
        self._open: list[_Place] = []

    def schema(self, values: Sequence[Any], label: str) -> dict[str, Any]:
        """The schema of `values`, which are at `label`."""
        by_type: dict[str, list[Any]] = {}
        for value in values:
            by_type.setdefault(json_type(value), []).append(value)
        if "number" in by_type:
            by_type.pop("integer", None)
        if sum(name in by_type for name in ("string", "integer", "number", "boolean")) > 1:
            by_type.pop("integer", None)
            by_type |= {name: [] for name in SCALARS if name not in by_type}
        parts: list[dict[str, Any]] = []
        plain: dict[str, dict[str, Any]] = {}
        for name in sorted(by_type, key=lambda name: -len(by_type[name])):
            made = self._typed(name, by_type[name], label)
            if made.keys() & {"$ref", "anyOf", "enum"}:
                parts += made.get("anyOf", [made])
            else:
                plain[name] = made
        if plain:
            # Keywords of one type say nothing of the others.
            keywords = {key: value for made in plain.values() for key, value in made.items()}
            names = list(plain)
            parts.append({**keywords, "type": names if len(names) > 1 else names[0]})
        return parts[0] if len(parts) == 1 else {"anyOf": parts}

    def _typed(self, name: str, values: list[Any], label: str) -> dict[str, Any]:
        if name == "object":
            return self._objects(values, label)
        if name == "array":
            return self._arrays(values, label)
        return _strings(values) if name == "string" else {"type": name}

    def _arrays(self, arrays: Sequence[list[Any]], label: str) -> dict[str, Any]:
        items = [item for array in arrays for item in array]
        if not items:
            return {"type": "array", "maxItems": 0} if len(arrays) >= SURE else {"type": "array"}
        most = _room([len(array) for array in arrays], least=8)
        return {"type": "array", "items": self.schema(items, f"{label}[]"), "maxItems": most}

    def _objects(self, objects: Sequence[Object], label: str) -> dict[str, Any]:
        for place in reversed(self._open):
            if place.label == label and place.resembles(objects):
                place.name = place.name or self._new_name(label)
                place.find(objects)
                return {"$ref": f"#/$defs/{place.name}"}
        place = _Place(label, objects)
        self._open.append(place)
        before = dict(self.definitions)
        place.settle()
        schema = self._kinds(place)
        while place.grow():
            self.definitions = dict(before)
            place.settle()
            schema = self._kinds(place)
        self._open.pop()
        if not place.name:
            return schema
        self.definitions[place.name] = schema
        return {"$ref": f"#/$defs/{place.name}"}

    def _new_name(self, label: str) -> str:
        plain = label.replace(".*", "_value").replace("[]", "_item")
        name = start = re.sub(r"\W+", "_", plain, flags=re.ASCII) or "record"
        taken = {*self.definitions, *(place.name for place in self._open)}
        number = 1
        while name in taken:
            number += 1
            name = f"{start}_{number}"
        return name

    def _kinds(self, place: _Place) -> dict[str, Any]:
        if place.keys.open:
            return self._record(place.objects, place.keys, place.label)
        kinds = kinds_of(place.objects)
        if len(kinds) == 1:
            return self._record(place.objects, place.keys, place.label)
        keys = [Keys(usual_order(kind, {key for one in kind for key in one}), False) for kind in kinds]
        return {"anyOf": [self._record(kind, k, place.label) for kind, k in zip(kinds, keys, strict=True)]}

    def _record(self, objects: Sequence[Object], keys: Keys, label: str) -> dict[str, Any]:
        made: dict[str, Any] = {"type": "object"}
        if not any(objects):
            return {**made, "additionalProperties": False} if len(objects) >= SURE else made
        if keys.fixed:
            made["properties"] = {
                key: self.schema([one[key] for one in objects if key in one], key) for key in keys.fixed
            }
        enough = len(objects) >= min(REQUIRED_OBJECTS, self.documents)
        required = [key for key in keys.fixed if enough and all(key in one for one in objects)]
        if required:
            made["required"] = required
        made["additionalProperties"] = False
        if keys.open:
            fixed = set(keys.fixed)
            rest = [value for one in objects for key, value in one.items() if key not in fixed]
            made["additionalProperties"] = self.schema(rest, label if label.endswith(".*") else f"{label}.*")
            made["propertyNames"] = {
                "maxLength": _room([len(key) for one in objects for key in one], least=32)
            }
            if not fixed:
                made["maxProperties"] = _room([len(one) for one in objects], least=8)
        orders = swapped(objects, keys.fixed)
        return {**made, "x-swapped": orders} if orders else made


def _strings(strings: Sequence[str]) -> dict[str, Any]:
    counts = Counter(strings)
    longest = max(map(len, counts), default=0)
    once = sum(count == 1 for count in counts.values())
    few = len(counts) <= min(ENUM_VALUES, len(strings) / ENUM_REPEATS)
    if few and longest <= ENUM_LENGTH and len(strings) >= ENUM_COUNT and once <= ENUM_UNSEEN * len(strings):
        return {"type": "string", "enum": [value for value, _ in counts.most_common()]}
    return {"type": "string", "maxLength": _room([len(value) for value in strings], least=64)}


def _room(lengths: Sequence[int], least: int) -> int:
    times = next(factor for count, factor in ROOM if len(lengths) >= count)
    longest = times * max(lengths, default=0)
    return max(least, 1 << max(0, longest - 1).bit_length())
