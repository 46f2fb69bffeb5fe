"""What holds of lists of strings in all records: that they name keys of the object beside them, as `required` names
keys of `properties` in a tool definition, and that nothing comes twice in them, as in `enum`.

A JSON Schema cannot say the first, and no grammar the second. Both are learned from the records, kept as annotations of
the schema (`x-references`: {"required": "properties"}, `x-unique`: ["enum", "required"]), and held by whoever writes a
record (`json_watch`).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

REFERENCES, UNIQUE = "x-references", "x-unique"
SHOWN = 20
"""Fewest lists with something in them that show the first, with two strings or more that show the second."""


def references_of(documents: Iterable[Any]) -> dict[str, str]:
    """{key of the list: key of the object} of all that hold in every object of `documents` (JSON values) that has
    both: each item is a key there, and none comes twice. Of several objects the one that is beside it most often."""
    seen: Counter[tuple[str, str]] = Counter()
    wrong: set[tuple[str, str]] = set()
    for document in documents:
        for one in _objects(document):
            lists = [(key, value) for key, value in one.items() if _is_list_of_names(value)]
            if not lists:
                continue
            for key, value in one.items():
                if isinstance(value, dict):
                    for name, items in lists:
                        seen[name, key] += bool(items)
                        if not _names(items, value):
                            wrong.add((name, key))
    found: dict[str, str] = {}
    for (name, key), count in seen.most_common():
        if count >= SHOWN and (name, key) not in wrong:
            found.setdefault(name, key)
    return found


def unique_lists(documents: Iterable[Any]) -> list[str]:
    """Keys under which `documents` (JSON values) have lists of strings in which none ever comes twice."""
    seen: Counter[str] = Counter()
    wrong: set[str] = set()
    for document in documents:
        for one in _objects(document):
            for key, value in one.items():
                if _is_list_of_names(value):
                    seen[key] += len(value) > 1
                    if len(set(value)) < len(value):
                        wrong.add(key)
    return sorted(key for key, count in seen.items() if count >= SHOWN and key not in wrong)


def all_once(document: Any, unique: Iterable[str]) -> bool:
    """Whether nothing comes twice in the lists of strings under these keys."""
    return all(
        len(set(one[key])) == len(one[key])
        for one in _objects(document)
        for key in unique
        if _is_list_of_names(one.get(key))
    )


def references_hold(document: Any, references: Mapping[str, str]) -> bool:
    """Whether every list of names in `document` names keys of the object beside it, each once."""
    return all(
        _names(one[name], one[key])
        for one in _objects(document)
        for name, key in references.items()
        if isinstance(one.get(name), list) and isinstance(one.get(key), dict)
    )


def _objects(value: Any) -> Iterator[dict[str, Any]]:
    """All objects in a JSON value, outermost first."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield one
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one


def _is_list_of_names(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)


def _names(items: list[Any], keys: Mapping[str, Any]) -> bool:
    return all(isinstance(item, str) and item in keys for item in items) and len(set(items)) == len(items)
