"""What the keys of many JSON objects say: fixed or open names, their order, and kinds of object in one place."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Any, NamedTuple

Object = dict[str, Any]

OPEN_KEYS = 8
"""Fewer different keys are never taken for open."""
SINGLE_SHARE = 0.3
"""Least share of open keys that come only once."""
ALIKE_SHARE = 0.9
"""Share of the open keys' values that have one type,"""
NEW_KEYS = 0.1
"""or else the least number of unseen keys that the next object is expected to bring (Good-Turing)."""
SURELY_FIXED = 20
"""Objects that a key must be in, and half of all, to have a name of its own beside open keys."""
ORDERED_KEYS = 64
"""Up to so many fixed keys, orders other than the usual one are kept."""
KIND_OBJECTS = 10
"""Fewest objects that make a kind of their own,"""
KIND_SHARE = 0.02
"""and their least share."""
KINDS_COVER = 0.95
"""Least share of the objects in kinds that are large enough."""
KIND_SHAPES = 200
"""With more sets of keys than this, objects are not told apart by kind."""
KIN = 0.5
"""Share of keys in common from which on two objects are of one kind."""


class Keys(NamedTuple):
    """Keys of objects in one place."""

    fixed: list[str]
    """Names with a meaning of their own, in their usual order."""
    open: bool
    """Whether any other key may come too: the objects are maps, wholly or beside the fixed keys."""


def json_type(value: Any) -> str:
    """The JSON type of a Python value."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    if isinstance(value, float):
        return "number"
    if isinstance(value, str):
        return "string"
    return "object" if isinstance(value, dict) else "array"


def keys_of(objects: Sequence[Object], parameters: bool) -> Keys:
    """Fixed and open keys; `parameters` says that the place is the `properties` of a JSON Schema."""
    counts = Counter(key for one in objects for key in one)
    if parameters and counts and all(isinstance(value, dict) for one in objects for value in one.values()):
        return Keys([], True)
    enough = max(SURELY_FIXED, len(objects) / 2)
    fixed = {key for key, count in counts.items() if count >= enough}
    if len(objects) > 2:
        fixed |= {key for key, count in counts.items() if count == len(objects)}
    rest = {key: count for key, count in counts.items() if key not in fixed}
    if not _is_open(objects, rest):
        return Keys(usual_order(objects, set(counts)), False)
    return Keys(usual_order(objects, fixed), True)


def _is_open(objects: Sequence[Object], rest: dict[str, int]) -> bool:
    once = sum(count == 1 for count in rest.values())
    if len(rest) < OPEN_KEYS or once < SINGLE_SHARE * len(rest):
        return False
    values = [value for one in objects for key, value in one.items() if key in rest]
    name, count = Counter(json_type(value) for value in values).most_common(1)[0]
    alike = count >= ALIKE_SHARE * len(values)
    if len(objects) > 2:
        return alike or once >= NEW_KEYS * len(objects)
    # So few objects have no key twice: only values built alike tell a map from a record.
    return alike and name == "object" and _built_alike([v for v in values if isinstance(v, dict)])


def _built_alike(objects: Sequence[Object]) -> bool:
    shapes = Counter(frozenset(one) for one in objects)
    usual = shapes.most_common(1)[0][0]
    return bool(usual) and sum(n for keys, n in shapes.items() if _kinship(keys, usual) >= KIN) >= (
        ALIKE_SHARE * len(objects)
    )


def usual_order(objects: Sequence[Object], wanted: set[str]) -> list[str]:
    """`wanted` keys in the most frequent order; keys that it lacks come where rarer ones have them."""
    first, *others = _sequences(objects, wanted) or [()]
    order, known = list(first), set(first)
    for names in others:
        for place, name in enumerate(names):
            if name not in known:
                known.add(name)
                order.insert(order.index(names[place - 1]) + 1 if place else 0, name)
    return order


def swapped(objects: Sequence[Object], order: Sequence[str]) -> list[list[str]]:
    """Pairs [a, b] of keys where `a` was seen before `b`, which comes earlier in `order`."""
    if len(order) > ORDERED_KEYS:
        return []
    place = {name: number for number, name in enumerate(order)}
    found: set[tuple[str, str]] = set()
    for names in _sequences(objects, set(order)):
        if any(place[first] > place[second] for first, second in pairwise(names)):
            found |= {(a, b) for a, b in combinations(names, 2) if place[a] > place[b]}
    return [list(pair) for pair in sorted(found, key=lambda pair: (place[pair[0]], place[pair[1]]))]


def _sequences(objects: Sequence[Object], wanted: set[str]) -> list[tuple[str, ...]]:
    """Orders of the `wanted` keys, most frequent first, equally frequent ones as they came."""
    counts = Counter(tuple(key for key in one if key in wanted) for one in objects)
    return [names for names, _ in counts.most_common()]


def kinds_of(objects: Sequence[Object]) -> list[list[Object]]:
    """The objects by kind, most frequent first.

    Sets of keys are linked where they are kin, and what a chain of links connects is one kind; what is too
    rare for a kind of its own joins the nearest one."""
    shapes = Counter(frozenset(one) for one in objects)
    if len(shapes) == 1 or len(shapes) > KIND_SHAPES:
        return [list(objects)]
    groups = _linked([keys for keys, _ in shapes.most_common()])
    least = max(KIND_OBJECTS, KIND_SHARE * len(objects))
    sizes = [sum(shapes[keys] for keys in group) for group in groups]
    kinds = [group for group, size in zip(groups, sizes, strict=True) if size >= least]
    if len(kinds) < 2 or sum(sizes[groups.index(g)] for g in kinds) < KINDS_COVER * len(objects):
        return [list(objects)]
    known = [frozenset().union(*kind) for kind in kinds]
    home = {keys: number for number, kind in enumerate(kinds) for keys in kind}
    for keys in shapes:
        if keys not in home:
            home[keys] = max(range(len(kinds)), key=lambda number: _kinship(keys, known[number]))
    made: list[list[Object]] = [[] for _ in kinds]
    for one in objects:
        made[home[frozenset(one)]].append(one)
    return sorted(made, key=len, reverse=True)


def _linked(shapes: Sequence[frozenset[str]]) -> list[list[frozenset[str]]]:
    """Groups of shapes that a chain of kin connects."""
    groups: list[list[frozenset[str]]] = []
    for keys in shapes:
        near = [group for group in groups if any(_kin(keys, other) for other in group)]
        joined = [other for group in near for other in group]
        groups = [group for group in groups if group not in near] + [[*joined, keys]]
    return groups


def _kin(first: frozenset[str], second: frozenset[str]) -> bool:
    """Whether two sets of keys are of one kind: much in common, or one has but some of the other's keys."""
    part = bool(first and second) and (first <= second or second <= first)
    return part or _kinship(first, second) >= KIN


def _kinship(first: frozenset[str], second: frozenset[str]) -> float:
    """Jaccard's share of common keys; two empty objects are kin."""
    return len(first & second) / len(first | second) if first | second else 1.0
