"""Tables of random schemas, and the forms in which their rows are written.

n rows. Columns depend on one another: some numbers follow others, some follow a category.
"""

from __future__ import annotations

import csv
import io
import json
import random
import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from difflm.formats.table import CompactFormat, quoted
from difflm.pretrain.cells import MAKERS, Cells, Made, with_missing
from difflm.pretrain.words import NOUNS, PREFIXES, Lexicon

KINDS = ("integer", "decimal", "category", "flag", "date", "key", "text")
WEIGHTS = (22, 20, 28, 9, 9, 4, 8)
RELATED = 0.35
"""Share of the numeric columns that follow another column."""


class Table(NamedTuple):
    """Columns by name, all of n cells."""

    names: list[str]
    columns: list[Made]

    @property
    def rows(self) -> int:
        """n."""
        return len(self.columns[0].cells)

    def row(self, number: int) -> Cells:
        """The cells of one row."""
        return [column.cells[number] for column in self.columns]

    def shuffled(self, rng: random.Random) -> Table:
        """The same rows with the columns in another order."""
        order = rng.sample(range(len(self.names)), len(self.names))
        return Table([self.names[i] for i in order], [self.columns[i] for i in order])


def make_table(rng: random.Random, words: Lexicon, rows: int, width: int) -> Table:
    """`rows` rows of `width` columns, with names in one style."""
    style = rng.choice(STYLES)
    names: dict[str, Made] = {}
    while len(names) < width:
        kind = rng.choices(KINDS, WEIGHTS)[0]
        name = _name(rng, words, kind, style)
        made = with_missing(rng, MAKERS[kind](rng, rows, words))
        if kind in ("integer", "decimal") and names and rng.random() < RELATED:
            made = _related(rng, made, rng.choice(list(names.values())))
        names.setdefault(name, made)
    return Table(list(names), list(names.values()))


def _related(rng: random.Random, made: Made, other: Made) -> Made:
    """Numbers moved by another column: by its number, or by its category."""
    places = max((len(c.partition(".")[2]) for c in made.cells if c), default=0)
    shifts: dict[str, float] = {}
    cells: Cells = []
    slope, size = rng.uniform(-2, 2), 10 ** rng.uniform(0, 3)
    for own, cell in zip(made.cells, other.cells, strict=True):
        if own is None or cell is None or "e" in own:
            cells.append(own)
            continue
        number = _number(cell)
        if number is None:
            number = shifts.setdefault(cell, rng.gauss(0, size))
        moved = 0.1 * float(own) + slope * number
        cells.append(f"{moved:.{places}f}" if places else str(round(moved)))
    return Made(cells, made.bare)


def _number(cell: str) -> float | None:
    """A cell as a number of moderate size."""
    try:
        value = float(cell)
    except ValueError:
        return None
    return value if abs(value) < 1e9 else None


def _name(rng: random.Random, words: Lexicon, kind: str, style: Callable[[Sequence[str]], str]) -> str:
    parts = rng.choice(NOUNS[kind]).split("_")
    if rng.random() < 0.25:
        parts = rng.choices(words.words, k=rng.randint(1, 2))
    if rng.random() < 0.3:
        parts = [rng.choice(PREFIXES), *parts]
    return style(parts)


STYLES: tuple[Callable[[Sequence[str]], str], ...] = (
    "_".join,
    "_".join,
    "_".join,
    lambda parts: parts[0] + "".join(part.title() for part in parts[1:]),
    lambda parts: "".join(part.title() for part in parts),
    lambda parts: " ".join(parts).capitalize(),
    lambda parts: " ".join(part.title() for part in parts),
    "-".join,
    lambda parts: "_".join(parts).upper(),
    " ".join,
)
"""How the words of a column name are joined; the same for a whole table."""


def json_cell(column: Made, cell: str | None) -> str:
    """The JSON value of a cell."""
    if cell is None:
        return "null"
    return cell if column.bare else quoted(cell)


def as_object(table: Table, row: int) -> str:
    """One row as a JSON object."""
    pairs = zip(table.names, table.columns, strict=True)
    return "{" + ", ".join(f"{quoted(n)}: {json_cell(c, c.cells[row])}" for n, c in pairs) + "}"


_PLAIN = re.compile(f"{CompactFormat.PLAIN}+")


def as_compact(cells: Sequence[str | None]) -> str:
    """Values only, as CompactFormat writes them."""
    fields = ("" if c is None else c if _PLAIN.fullmatch(c) else quoted(c) for c in cells)
    return CompactFormat.SEPARATOR.join(fields)


def as_lines(table: Table, row: int) -> str:
    """`name: value` in lines; missing cells have none."""
    pairs = zip(table.names, table.row(row), strict=True)
    return "\n".join(f"{name}: {cell}" for name, cell in pairs if cell is not None)


def as_sentence(table: Table, row: int) -> str:
    """`name is value` with commas, as GReaT has it (Borisov et al. 2023)."""
    pairs = zip(table.names, table.row(row), strict=True)
    return ", ".join(f"{name} is {cell}" for name, cell in pairs if cell is not None)


def _compact(table: Table, rng: random.Random) -> str:
    head = [as_compact(table.names)] if rng.random() < 0.4 else []
    return "\n".join([*head, *(as_compact(table.row(i)) for i in range(table.rows))])


def _objects(table: Table, rng: random.Random) -> str:
    return "\n".join(as_object(table, i) for i in range(table.rows))


def _array(table: Table, rng: random.Random) -> str:
    objects = [as_object(table, i) for i in range(table.rows)]
    if rng.random() < 0.5:
        return "[" + ", ".join(objects) + "]"
    return json.dumps(json.loads(f"[{','.join(objects)}]"), ensure_ascii=False, indent=rng.choice([1, 2, 4]))


def _csv(table: Table, rng: random.Random) -> str:
    file = io.StringIO()
    writer = csv.writer(file, delimiter=rng.choice(",,,,;\t|"), lineterminator="\n")
    blank = rng.choice(["", "", "", "NA", "null", "?"])
    writer.writerow(table.names)
    writer.writerows([blank if c is None else c for c in table.row(i)] for i in range(table.rows))
    return file.getvalue().rstrip("\n")


def _lines(table: Table, rng: random.Random) -> str:
    return "\n\n".join(as_lines(table, i) for i in range(table.rows))


def _sentences(table: Table, rng: random.Random) -> str:
    return "\n".join(as_sentence(table, i) for i in range(table.rows))


def _markdown(table: Table, rng: random.Random) -> str:
    cells: list[Sequence[str | None]] = [table.names, ["---"] * len(table.names)]
    cells += [table.row(i) for i in range(table.rows)]
    return "\n".join("| " + " | ".join("" if c is None else c for c in row) + " |" for row in cells)


FORMS: dict[str, tuple[Callable[[Table, random.Random], str], int]] = {
    "compact": (_compact, 34),
    "objects": (_objects, 26),
    "csv": (_csv, 18),
    "lines": (_lines, 8),
    "array": (_array, 6),
    "sentences": (_sentences, 4),
    "markdown": (_markdown, 4),
}
"""Each form of a table, and how often it is drawn."""
