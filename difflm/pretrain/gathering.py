"""All documents of a corpus: real ones first, then generated ones that use their words, up to so much of each kind.

The same environment, size and seed give the same documents in the same order, whatever the number of workers.
"""

from __future__ import annotations

import multiprocessing
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from multiprocessing.pool import AsyncResult, Pool
from pathlib import Path
from typing import Any

from difflm.pretrain import generator, reading, sources
from difflm.pretrain.documents import KINDS, Document, digest, seeded
from difflm.pretrain.sizes import Size
from difflm.pretrain.sources import Refused, Source
from difflm.pretrain.words import Lexicon

REAL = ("code", "tool", "text")
PACKAGE_SHARE = 0.2
"""Of one kind, the most that a single package may give."""
TOPICS, TOPICS_LONGEST = "pydoc_data/topics.py", 2_000_000
REAL_COPIES = 0.5
"""Of the characters of "pair" and "copy", those made from real documents."""
CHARACTERS_PER_TOKEN = 2.3
"""Of dense records: how long a copy may be to fit into a sequence twice."""
BLOCK = 500
"""Generated documents that one call of a worker makes."""
AHEAD = 4
"""Tasks of each worker that wait or are done while the oldest is waited for."""

FileTask = tuple[str, str, Path]
BlockTask = tuple[str, int, int, int]
Mapper = Callable[[Callable[[Any], Any], Sequence[Any]], Iterable[Any]]


@dataclass
class Gathered:
    """The documents by kind, and what they were made from."""

    documents: dict[str, list[Document]] = field(default_factory=lambda: {kind: [] for kind in KINDS})
    used: list[Source] = field(default_factory=list)
    refused: list[Refused] = field(default_factory=list)
    duplicates: int = 0
    _seen: set[int] = field(default_factory=set)
    _amount: Counter[str] = field(default_factory=Counter)
    _given: Counter[tuple[str, str]] = field(default_factory=Counter)

    def take(self, document: Document, budget: int) -> bool:
        """Keep a document unless its kind or its source has given enough, or its text is there already."""
        kind, size = document.kind, len(document.text) + len(document.before)
        if self._amount[kind] >= budget or not document.text.strip() or _has_surrogates(document):
            return False
        key = (kind, document.source)
        if document.source not in ("python", generator.SOURCE) and self._given[key] > PACKAGE_SHARE * budget:
            return False
        mark = digest(f"{kind}\0{document.prefix}\0{document.before}\0{document.text}")
        if mark in self._seen:
            self.duplicates += 1
            return False
        self._seen.add(mark)
        self._amount[kind] += size
        self._given[key] += size
        self.documents[kind].append(document)
        return True

    def characters(self, kind: str) -> int:
        """Characters of one kind so far."""
        return self._amount[kind]


def gather(
    size: Size, seed: int, workers: int = 1, say: Callable[[str], None] = lambda text: None
) -> Gathered:
    """Documents of every kind, up to the size's characters of each."""
    library, (packages, refused) = sources.standard_library(), sources.installed()
    gathered = Gathered(used=[library, *packages], refused=refused)
    with _mapping(workers, None) as mapped:
        _gather_real(gathered, size, seed, mapped)
    say(f"read {sum(map(len, gathered.documents.values()))} documents of files")
    texts = (document.text for document in gathered.documents["text"] if not document.held_out)
    words = Lexicon.of(texts)
    with _mapping(workers, words) as mapped:
        for kind in ("table", "json"):
            _gather_generated(gathered, size, seed, kind, size.share(kind), mapped)
        _gather_copies(gathered, size, seed)
        for kind in ("pair", "copy"):
            _gather_generated(gathered, size, seed, kind, size.share(kind), mapped)
    say(f"made {sum(map(len, gathered.documents.values()))} documents in all")
    return gathered


def copy_limit(size: Size) -> int:
    """Characters of a document that fits into a sequence twice."""
    return int(size.length * CHARACTERS_PER_TOKEN / 2)


def _gather_real(gathered: Gathered, size: Size, seed: int, mapped: Mapper) -> None:
    for source in gathered.used:
        for document in reading.read_prose(source.description, source.name, f"{source.name}/README"):
            gathered.take(document, size.share(document.kind))
    for documents in mapped(_read, _files(gathered.used, seed)):
        if all(gathered.characters(kind) >= size.share(kind) for kind in REAL):
            return
        for document in documents:
            # Definitions in two shapes are pairs, of which they may take a share.
            share = 1.0 if document.kind in REAL else REAL_COPIES / 2
            gathered.take(document, int(share * size.share(document.kind)))


def _files(used: Sequence[Source], seed: int) -> list[FileTask]:
    """The standard library first, then the files of all packages in one order drawn by seed."""
    own = [(used[0].name, name, path) for name, path in used[0].files.items()]
    others = [(source.name, name, path) for source in used[1:] for name, path in source.files.items()]
    for part in (own, others):
        seeded(seed, "files").shuffle(part)
    return [*own, *others]


def _read(task: FileTask) -> list[Document]:
    source, name, path = task
    origin = f"{source}/{name}"
    if name == TOPICS:
        text = sources.read(path, TOPICS_LONGEST)
        return reading.read_topics(text, source, origin) if text else []
    text = sources.read(path)
    if text is None:
        return []
    read = reading.read_python if name.endswith(".py") else reading.read_prose
    return read(text, source, origin)


def _gather_generated(
    gathered: Gathered, size: Size, seed: int, kind: str, budget: int, mapped: Mapper
) -> None:
    limit = generator.LONGEST if size.length > 256 else generator.LONGEST // 2
    if kind in ("pair", "copy"):
        limit = 2 * copy_limit(size)
    # Even the shortest documents have more than ten characters.
    blocks = [(kind, seed, first, limit) for first in range(0, budget // 10 + BLOCK, BLOCK)]
    for documents in mapped(_make, blocks):
        for document in documents:
            gathered.take(document, budget)
        if gathered.characters(kind) >= budget:
            return


def _gather_copies(gathered: Gathered, size: Size, seed: int) -> None:
    """Copies of short real documents, in an order drawn by seed."""
    limit = int(copy_limit(size) * 1.3)  # words have more characters a token than records
    short = [d for kind in REAL for d in gathered.documents[kind] if len(d.text) <= limit]
    rng = seeded(seed, "copies")
    rng.shuffle(short)
    for document in short:
        made = generator.copied(document, rng)
        gathered.take(made, int(REAL_COPIES * size.share(made.kind)))


_words: Lexicon | None = None


def _start(words: Lexicon | None) -> None:
    global _words
    _words = words


def _make(task: BlockTask) -> list[Document]:
    kind, seed, first, limit = task
    assert _words is not None
    return [generator.MAKERS[kind](seed, number, _words, limit) for number in range(first, first + BLOCK)]


@contextmanager
def _mapping(workers: int, words: Lexicon | None) -> Iterator[Mapper]:
    """`map` in order, here or in worker processes that know `words`."""
    if workers <= 1:
        _start(words)
        yield map
        return
    with multiprocessing.get_context("spawn").Pool(workers, _start, (words,)) as pool:
        yield lambda function, tasks: _ahead(pool, function, tasks, AHEAD * workers)


def _ahead(pool: Pool, function: Callable[[Any], Any], tasks: Sequence[Any], most: int) -> Iterator[Any]:
    """Results in order, with so many tasks under way and no more: whoever has enough leaves the rest undone."""
    under_way: deque[AsyncResult[Any]] = deque()
    for task in tasks:
        under_way.append(pool.apply_async(function, (task,)))
        if len(under_way) >= most:
            yield under_way.popleft().get()
    while under_way:
        yield under_way.popleft().get()


def _has_surrogates(document: Document) -> bool:
    try:
        (document.text + document.before).encode()
    except UnicodeEncodeError:
        return True
    return False
