"""Generated documents by number: tables, JSON, the same record twice, records that can be told from what precedes them.

Number k of a kind is the same for a seed, whatever was made before it.
"""

from __future__ import annotations

import json
import random
from collections.abc import Callable

from difflm.pretrain import tables, trees
from difflm.pretrain.documents import Document, Prefix, seeded
from difflm.pretrain.tables import Table
from difflm.pretrain.tools import written
from difflm.pretrain.words import Lexicon

SOURCE = "generator"
SEPARATORS = ("\n", "\n", "\n\n", "\n---\n", " -> ", "\n=>\n", "\t", "\n\n## again\n\n")
LONGEST = 2600
"""Characters of a table: about what a sequence holds."""
PREFIXES: tuple[Prefix, ...] = ("other", "other", "same", "shuffled", "shuffled", "thinned")


def table(seed: int, number: int, words: Lexicon, limit: int) -> Document:
    """A table in one form, of up to `limit` characters or a little more."""
    rng = seeded(seed, "table", number)
    width = min(rng.choice([2, 3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 18, 24]), max(2, limit // 40))
    rows = rng.choice([1, 1, 2, 3, 5, 8, 12, 20, 30])
    rows = max(1, min(rows, round(rng.uniform(0.3, 1) * limit / (12 * width))))
    made = tables.make_table(rng, words, rows, width)
    form = rng.choices(list(tables.FORMS), [weight for _, weight in tables.FORMS.values()])[0]
    return Document("table", tables.FORMS[form][0](made, rng), SOURCE, f"table {number}")


def tree(seed: int, number: int, words: Lexicon, limit: int) -> Document:
    """JSON: one document, a few of one schema in lines, or the schema itself."""
    rng = seeded(seed, "json", number)
    schema = trees.make_schema(rng, words)
    drawn = rng.random()
    if drawn < 0.15:
        text = written(trees.json_schema(schema, words, rng), rng)
    elif drawn < 0.65:
        text = written(trees.make_document(schema, rng), rng)
    else:
        text = ""
        while len(text) < limit and rng.random() < 0.85:
            line = json.dumps(trees.make_document(schema, rng), ensure_ascii=False)
            text += f"\n{line}" if text else line
    return Document("json", text or written(trees.make_document(schema, rng), rng), SOURCE, f"json {number}")


def pair(seed: int, number: int, words: Lexicon, limit: int) -> Document:
    """The same record in two forms, or twice in one, with a separator between; `limit` is for both."""
    rng = seeded(seed, "pair", number)
    first, second = _twice(rng, words, limit // 2)
    return Document("pair", first + rng.choice(SEPARATORS) + second, SOURCE, f"pair {number}")


def copy(seed: int, number: int, words: Lexicon, limit: int) -> Document:
    """A record that can be told from what stands before it: another form of it, or its own tokens."""
    rng = seeded(seed, "copy", number)
    first, second = _twice(rng, words, limit // 2)
    prefix = rng.choice(PREFIXES)
    return Document("copy", second, SOURCE, f"copy {number}", prefix, first if prefix == "other" else "")


def copied(document: Document, rng: random.Random) -> Document:
    """A short real document that is told by its own tokens, or written twice with a separator."""
    kind, origin = rng.choice(["copy", "copy", "copy", "pair"]), document.origin
    if kind == "pair":
        text = document.text.strip() + rng.choice(SEPARATORS) + document.text.strip()
        return Document("pair", text, document.source, origin)
    prefix: Prefix = rng.choice(["same", "shuffled", "shuffled", "thinned"])
    return Document("copy", document.text.strip(), document.source, origin, prefix)


MAKERS: dict[str, Callable[[int, int, Lexicon, int], Document]] = {
    "table": table,
    "json": tree,
    "pair": pair,
    "copy": copy,
}


def _twice(rng: random.Random, words: Lexicon, limit: int) -> tuple[str, str]:
    """One record in two forms, each of up to about `limit` characters."""
    if rng.random() < 0.25:
        document = trees.make_document(trees.make_schema(rng, words, depth=rng.randint(1, 2)), rng)
        other = trees.shuffled(document, rng) if rng.random() < 0.5 else document
        return written(document, rng), written(other, rng)
    width = min(rng.randint(2, 20), max(2, limit // 20))
    rows = rng.choice([1, 1, 1, 2, 3]) if width * 40 < limit else 1
    made = tables.make_table(rng, words, rows, width)
    other = made.shuffled(rng) if rng.random() < 0.3 else made
    one, two = rng.choices(RECORDS, k=2)
    return one(made), two(other)


def _compact(made: Table) -> str:
    return "\n".join(tables.as_compact(made.row(i)) for i in range(made.rows))


def _headed(made: Table) -> str:
    return f"{tables.as_compact(made.names)}\n{_compact(made)}"


def _objects(made: Table) -> str:
    return "\n".join(tables.as_object(made, i) for i in range(made.rows))


def _lines(made: Table) -> str:
    return "\n\n".join(tables.as_lines(made, i) for i in range(made.rows))


def _sentences(made: Table) -> str:
    return "\n".join(tables.as_sentence(made, i) for i in range(made.rows))


RECORDS: tuple[Callable[[Table], str], ...] = (
    _compact,
    _compact,
    _headed,
    _objects,
    _objects,
    _lines,
    _sentences,
)
