"""Fresh identifiers: same pattern as the real ones, never learned, never repeated.

A running number ("17", "C-00017") continues after the largest real one. Any other pattern is a
choice of characters for each position; its N strings are visited in a fixed order without repetition,
so that no state is kept and the first k of n identifiers are the same for every n.
"""

from __future__ import annotations

import itertools
import math
import random
import re
import string
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray

from difflm.columns import Column
from difflm.errors import SchemaError

_HEX = ("0123456789abcdef", "0123456789ABCDEF")
_CLASSES = [string.digits, *_HEX, string.ascii_uppercase, string.ascii_lowercase]
_ENOUGH = 5
"""A character that is the same in this many identifiers belongs to the pattern."""


def with_pattern(column: Column, uniques: NDArray[np.object_]) -> Column:
    """`column` with the pattern of its distinct identifiers (u,) of canonical strings."""
    made = column.model_copy()
    cells = [str(cell) for cell in uniques]
    if not cells:
        made.template, made.maximum = "{:d}", 0
    elif column.value_type == "int":
        whole = [int(cell) for cell in cells]
        made.template, made.minimum, made.maximum = "{:d}", min(whole), max(whole)
    elif all("@" in cell for cell in cells):
        made.template, made.minimum, made.maximum = "person{:05d}@example.org", 1, 0
    else:
        made.template, made.minimum, made.maximum = _running(cells)
        made.alphabets = None if made.template else _alphabets(cells)
    return made


def _running(cells: list[str]) -> tuple[str | None, int | None, int | None]:
    """Template, smallest and largest number where all cells are one text around a whole number."""
    sample = [min(cells), max(cells), *cells[:: max(len(cells) // 1000, 1)]]
    head = _common_start(sample).rstrip(string.digits)
    tail = _common_start([cell[len(head) :][::-1] for cell in sample])[::-1].lstrip(string.digits)
    pattern = re.compile(f"{re.escape(head)}([0-9]+){re.escape(tail)}")
    found = [pattern.fullmatch(cell) for cell in cells]
    bodies = [match[1] for match in found if match]
    if len(bodies) < len(cells):
        return None, None, None
    width = min(map(len, bodies))
    padded = [len(body) for body in bodies if body[0] == "0" and len(body) > 1]
    if padded and max(padded) > width:
        return None, None, None
    whole = [int(body) for body in bodies]
    before, after = (part.replace("{", "{{").replace("}", "}}") for part in (head, tail))
    number = f"{{:0{width}d}}" if padded else "{:d}"
    return before + number + after, min(whole), max(whole)


def _common_start(cells: list[str]) -> str:
    lowest, highest = min(cells), max(cells)
    same = (i for i, (a, b) in enumerate(zip(lowest, highest, strict=False)) if a != b)
    return lowest[: next(same, min(len(lowest), len(highest)))]


def _alphabets(cells: list[str]) -> list[str]:
    """Characters that each position may have, from the cells of the most common length."""
    length = Counter(map(len, cells)).most_common(1)[0][0]
    chosen = [cell for cell in cells if len(cell) == length]
    return [_alphabet({cell[i] for cell in chosen}, len(chosen)) for i in range(length)]


def _alphabet(seen: set[str], count: int) -> str:
    if len(seen) == 1 and (count >= _ENOUGH or not next(iter(seen)).isalnum()):
        return seen.pop()
    for known in _CLASSES:
        if seen <= set(known) and (len(known) != 16 or len(seen) > 1):
            return known
    wider = set(seen)
    for known in (string.digits, string.ascii_uppercase, string.ascii_lowercase):
        wider |= set(known) if seen & set(known) else set()
    return "".join(sorted(wider))


def fresh_identifiers(
    column: Column, real_values: Iterable[Any] | None, n: int, seed: int, start: int = 0
) -> list[Any]:
    """New identifiers number `start` .. `start` + n - 1 of the column's pattern, in its value type.

    A running number is above every real one. For other patterns pass the real values to be certain that
    none comes back; without them only the size of the pattern speaks against it.
    """
    if column.template is None and column.alphabets is None:
        raise SchemaError("an identifier column with a pattern", repr(column.name), "infer the schema anew")
    real = set() if real_values is None else {str(value) for value in real_values}
    # Without real values nothing is skipped, and a long stream need not be written from its beginning.
    skipped, rest = (start, 0) if not real else (0, start)
    if column.template is not None:
        first = int(column.maximum or 0) + 1 + skipped
        return _unused(map(column.template.format, itertools.count(first)), real, n, rest, column)
    return _unused(_strings(column, skipped, seed), real, n, rest, column)


def _strings(column: Column, first: int, seed: int) -> Iterator[str]:
    """Strings of the pattern from number `first` on, in the order of a bijection i -> (a * i + b) mod N;
    when they are used up, longer ones with a digit more."""
    alphabets = list(column.alphabets or [])
    while True:
        size = math.prod(map(len, alphabets))
        if first < size:
            yield from _visit(alphabets, size, first, seed)
        first = max(first - size, 0)
        alphabets = [*alphabets, string.digits]


def _visit(alphabets: list[str], size: int, first: int, seed: int) -> Iterator[str]:
    rng = random.Random(f"{seed} {len(alphabets)}")
    a, b = rng.randrange(size // 3, size) | 1, rng.randrange(size)
    while math.gcd(a, size) != 1:
        a += 2
    for i in range(first, size):
        yield _nth((a * i + b) % size, alphabets)


def _nth(index: int, alphabets: list[str]) -> str:
    made = []
    for alphabet in alphabets:
        index, place = divmod(index, len(alphabet))
        made.append(alphabet[place])
    return "".join(made)


def _unused(candidates: Iterable[str], real: set[str], n: int, start: int, column: Column) -> list[Any]:
    """The candidates that are not real, from number `start` on."""
    made: list[Any] = []
    passed = 0
    for text in candidates:
        if len(made) == n:
            break
        if text in real:
            continue
        passed += 1
        if passed > start:
            made.append(int(text) if column.value_type == "int" and text.lstrip("-").isdigit() else text)
    return made
