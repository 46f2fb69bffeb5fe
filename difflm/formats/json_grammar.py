"""The Lark grammar, as llguidance reads it, of canonical JSON texts that meet a schema of `json_inference`.

Not llguidance's own `%json`: that has one order of keys where real documents have several, any escape in a
string where the canonical text has one, and no bounds on the keys of maps and on numbers. Here each fixed key
comes once, in its place or in one of the swapped orders seen; a parameter of 64 bits holds which have come.
Not in the grammar's reach: that the open keys of one map differ, and how deep a recursive schema goes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import count
from typing import Any

from difflm.errors import ConfigError
from difflm.formats.json_references import REFERENCES, UNIQUE
from difflm.formats.json_text import document_text
from difflm.formats.table import QUOTED, lark_string

PARAMETER_BITS = 64
"""Size of llguidance's rule parameters."""
KEYWORDS = {
    *("type", "enum", "anyOf", "$ref", "maxLength", "items", "maxItems", "x-swapped", REFERENCES, UNIQUE),
    *("properties", "required", "additionalProperties", "propertyNames", "maxProperties"),
}
INTEGER = r"-?(?:0|[1-9][0-9]{0,39})"
FRACTION = r"(?:\.[0-9]{1,40})?"
SMALL = r"[eE](?:-[0-9]{1,3}|\+?(?:[0-9]{1,2}|1[0-9]{2}|2[0-5][0-9]|26[0-8]))"
LARGE = r"[eE]\+?(?:2[0-9]{2}|30[0-7])"
LARGEST = r"1(?:\.(?:[0-6][0-9]{0,39}|7976931348623157))?[eE]\+?308"
NUMBER = rf"{INTEGER}{FRACTION}(?:{SMALL})?|-?[0-9]{FRACTION}{LARGE}|-?{LARGEST}"
"""None that is beyond floats: JSON allows 1e999, and who reads it gets infinity. Exponents are smaller where 40 digits
may stand before them; the largest float is one of those that real schemas name."""
PLAIN = {
    "integer": f"/{INTEGER}/",
    "number": f"/{NUMBER}/",
    "boolean": '"true" | "false"',
    "null": '"null"',
}
"""Terminals of the types that the schema does not narrow."""
TYPES = ("object", "array", "string", "number", "boolean", "null")


def json_grammar(schema: Mapping[str, Any], longest: int) -> str:
    """Lark source with rule `row`; no string has more than `longest` characters.

    Raises ConfigError for a keyword that `infer_json_schema` does not use."""
    return _Grammar(schema, longest).source()


class _Grammar:
    """Rules and terminals by name; equal schemas share one."""

    def __init__(self, schema: Mapping[str, Any], longest: int) -> None:
        self.root, self.longest = schema, longest
        self._bodies: dict[str, str] = {}
        self._numbers = count()
        self._names: dict[str, str] = {}

    def source(self) -> str:
        """All of the grammar."""
        top = self._value({key: value for key, value in self.root.items() if key not in ("$defs", "$schema")})
        return "\n".join([f"row: {top}", *(f"{name}: {body}" for name, body in self._bodies.items())])

    def _value(self, schema: Any) -> str:
        """The name of the rule of a schema's values."""
        schema = {} if schema is True else schema
        strange = schema.keys() - KEYWORDS
        if strange:
            raise ConfigError("a JSON Schema that difflm inferred", f"one with {', '.join(sorted(strange))}")
        seen = json.dumps(schema)
        if seen not in self._names:
            # Named before it is made, because a schema may refer to itself.
            self._names[seen] = self._new("v")
            self._bodies[self._names[seen]] = " | ".join(self._alternatives(schema))
        return self._names[seen]

    def _new(self, letter: str) -> str:
        return f"{letter}{next(self._numbers)}"

    def _terminal(self, body: str) -> str:
        if body not in self._names:
            self._names[body] = self._new("T")
            self._bodies[self._names[body]] = body
        return self._names[body]

    def _alternatives(self, schema: Mapping[str, Any]) -> list[str]:
        if "$ref" in schema:
            return [self._value(self.root["$defs"][schema["$ref"].removeprefix("#/$defs/")])]
        if "anyOf" in schema:
            return [self._value(option) for option in schema["anyOf"]]
        if "enum" in schema:
            return [self._terminal(" | ".join(_literal(value) for value in schema["enum"]))]
        types = schema.get("type", TYPES)
        return [self._typed(name, schema) for name in ([types] if isinstance(types, str) else types)]

    def _typed(self, name: str, schema: Mapping[str, Any]) -> str:
        if name == "object":
            return self._object(schema)
        if name == "array":
            item = self._value(schema.get("items", {}))
            return _listed("[", item, "]", schema.get("maxItems"))
        if name == "string":
            return self._string(schema.get("maxLength"))
        return self._terminal(PLAIN[name])

    def _string(self, most: int | None, other_than: Sequence[str] = ()) -> str:
        body = f"/{QUOTED % min(self.longest if most is None else most, self.longest)}/"
        taken = " | ".join(_literal(name) for name in other_than)
        return self._terminal(f"{body} & ~({taken})" if taken else body)

    def _object(self, schema: Mapping[str, Any]) -> str:
        properties, rest = schema.get("properties", {}), schema.get("additionalProperties", True)
        other = ""
        if rest is not False:
            key = self._string(schema.get("propertyNames", {}).get("maxLength"), tuple(properties))
            other = f'{key} ": " {self._value(rest)}'
        if not properties:
            return _listed("{", other, "}", schema.get("maxProperties") if other else 0)
        members = [f"{lark_string(document_text(k) + ': ')} {self._value(v)}" for k, v in properties.items()]
        names = list(properties)
        required = [name in schema.get("required", ()) for name in names]
        pairs = {(names.index(a), names.index(b)) for a, b in schema.get("x-swapped", ())}
        if pairs and len(names) <= PARAMETER_BITS:
            return self._any_order(members, required, pairs, other)
        return self._one_order(members, required, other)

    def _one_order(self, members: Sequence[str], required: Sequence[bool], other: str) -> str:
        """Keys in their order, with a rule for each of what may follow from there on."""
        after = self._new("r")
        self._bodies[after] = '"}"' + (f' | ", " {other} {after}' if other else "")
        first = ['"}"']
        for member, needed in zip(reversed(members), reversed(required), strict=True):
            rest, after = after, self._new("r")
            ways = [f'", " {member} {rest}']
            if not needed:
                ways.append(rest)
            if other:
                ways.append(f'", " {other} {after}')
            self._bodies[after] = " | ".join(ways)
            first = [f"{member} {rest}", *([] if needed else first)]
        if other:
            first.append(f"{other} {after}")
        return f'"{{" ({" | ".join(first)})'

    def _any_order(
        self, members: Sequence[str], required: Sequence[bool], swapped: set[tuple[int, int]], other: str
    ) -> str:
        """Keys in all orders whose pairs were seen; bit n of the parameter says that key n has come.

        A key waits for the required ones that never come after it, so that there is always a way on."""
        last, name = len(members), self._new("p")
        needed = [number for number in range(last) if required[number]]
        first, after = [], []
        for number, member in enumerate(members):
            never = [n for n in range(number + 1, last) if (n, number) not in swapped]
            wait = [n for n in needed if n < number and (number, n) not in swapped]
            conditions = [f"bit_clear({n})" for n in (number, *never)] + [f"bit_set({n})" for n in wait]
            after.append(f'", " {member} {name}::set_bit({number}) %if {_all(conditions)}')
            if not wait:
                first.append(f"{member} {name}::{1 << number:#x}")
        if other:
            after.append(f'", " {other} {name}::_')
            first.append(f"{other} {name}::0x0")
        if not needed:
            first.append('"}"')
        after.append(f'"}}" %if {_all([f"bit_set({n})" for n in needed])}')
        self._bodies[f"{name}::_"] = " | ".join(after)
        return f'"{{" ({" | ".join(first)})'


def _literal(value: Any) -> str:
    return lark_string(document_text(value))


def _listed(start: str, item: str, end: str, most: int | None) -> str:
    """Up to `most` items with commas between."""
    if most == 0:
        return f'"{start}" "{end}"'
    times = "*" if most is None else f"{{0,{most - 1}}}"
    return f'"{start}" ({item} (", " {item}){times})? "{end}"'


def _all(conditions: Sequence[str]) -> str:
    """Their conjunction, as llguidance's conditions of two write it."""
    made = "true"
    for condition in reversed(conditions):
        made = condition if made == "true" else f"and({condition}, {made})"
    return made
