"""Generation by all processes of a launch: each makes parts of its own, and together they are the rows of one process.

A part holds a fixed run of chunks, and a chunk belongs to the seed and not to whoever makes it (`Chunks`). Which parts
are missing is read off the folder, so that an interrupted generation goes on, also with another number of processes.
"""

from __future__ import annotations

import shutil
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difflm.errors import RunError
from difflm.generation import Chunks, Tally
from difflm.ranks import Ranks
from difflm.scale import manifest
from difflm.scale.parts import (
    Notes,
    Part,
    part_path,
    read_frame,
    read_parts,
    rewrite,
    write_frame,
    write_part,
)

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

    from difflm.pipeline import DiffLM

PART_ROWS = 65_536
"""Rows of a part at most, about: what a process that is killed has lost."""
LEAST_PARTS = 64
"""Parts of a generation at least, where it has so many chunks: so many processes can share it."""
Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Work:
    """n rows of `seed` out of `chunks`, as parts in `folder`. `whole` parts keep pandas' dtypes and are one chunk each,
    to become one file; others are what is wanted, in Arrow's types."""

    model: DiffLM
    chunks: Chunks
    n: int
    seed: int
    folder: Path
    ranks: Ranks
    digest: str
    whole: bool = False

    @property
    def per_part(self) -> int:
        """Chunks in a part; it follows from n alone, so that any number of processes cuts alike."""
        most = self.chunks.size(self.n)
        wanted = self.n // most // LEAST_PARTS
        return 1 if self.whole else max(1, min(wanted, PART_ROWS // most))

    def attempts(self, number: int) -> int:
        """Attempts in a part."""
        return self.chunks.before((number + 1) * self.per_part) - self.chunks.before(number * self.per_part)


def sample_parts(work: Work, settings: dict[str, Any], say: Say = lambda text: None) -> Tally:
    """Make what is missing in the folder of `work`. Raises ConfigError where it holds another generation."""
    with manifest.held(work.folder) if work.ranks.main else nullcontext():
        work.ranks.decided(lambda: manifest.open_folder(work.folder, settings))
        _check_shared(work)
        known: dict[Path, Part] = {}
        while todo := work.ranks.decided(lambda: missing(work, _parts(work, known))):
            for number in todo[work.ranks.index :: work.ranks.count]:
                _make(work, number)
                if work.ranks.main:
                    parts = _parts(work, known)
                    manifest.write_manifest(work.folder, parts)
                    rows = min(work.n, sum(part.rows for part in parts))
                    say(f"{rows}/{work.n} rows in {len(parts)} parts")
            work.ranks.wait()
        if not work.whole:
            _finish(work)
        return work.ranks.decided(lambda: _told(work, read_parts(work.folder)))


def sample_file(
    work: Work, settings: dict[str, Any], write: Callable[[pd.DataFrame], None], say: Say
) -> Tally:
    """The same into one file, which rank 0 writes when all parts are there; the parts are then removed."""
    tally = sample_parts(work, settings, say)
    if work.ranks.main:
        before = 0
        for part in read_parts(work.folder):
            frame = read_frame(part).iloc[: work.n - before]
            own = work.model.identifiers(len(frame), work.seed, before)
            if len(frame):
                write(frame.assign(**{name: own[name] for name in own.columns}))
            before += len(frame)
        shutil.rmtree(work.folder)
    work.ranks.wait()
    return tally


def missing(work: Work, parts: Sequence[Part]) -> list[int]:
    """Numbers of parts to make next: those that are needed if rows are kept at the rate so far.

    Before anything is known that is every row, so that no part is made in vain. Raises GenerationError when too few
    rows are kept."""
    made = {part.notes.number: part for part in parts}
    tally = _told(work, parts)
    rate = tally.generated / tally.attempts if tally.attempts else 1.0
    # Where next to nothing is kept so far, twice as much is looked at, not all that there is.
    most = max(1, len(made)) if made else work.n
    wanted: list[int] = []
    reached, number = 0.0, 0
    while reached < work.n and len(wanted) < most:
        if number in made:
            reached += made[number].rows
        else:
            reached += rate * work.attempts(number)
            wanted.append(number)
        number += 1
    if made and wanted:
        work.chunks.check(work.n, tally)
    return wanted


def _make(work: Work, number: int) -> None:
    """Write one part. Its identifiers are numbered as if every row before it had been kept: mostly that is so."""
    chunks = (number * work.per_part, (number + 1) * work.per_part)
    first = work.chunks.before(chunks[0])
    tally, frames, done = Tally(work.attempts(number)), [], first
    start = time.monotonic()
    for chunk in range(*chunks):
        rows = work.chunks.make(chunk, tally).rows
        frames.append(work.model.typed(rows, work.seed, done))
        done += len(rows)
    tally.generated, tally.seconds = done - first, round(time.monotonic() - start, 3)
    notes = Notes(number, chunks, first, tally.to_dict(), work.digest)
    path = part_path(work.folder, number)
    if work.whole:
        write_frame(path, frames[0], notes)
    else:
        write_part(path, frames, notes)


@dataclass(frozen=True)
class Fix:
    """What is wrong with a part when all are there: rows beyond n, the numbers of its identifiers, or its types."""

    part: Part
    rows: int
    first: int


def fixes(work: Work, parts: Sequence[Part]) -> tuple[list[Fix], list[Part], pa.Schema]:
    """What to write anew, what to remove, and the types of all parts."""
    import pyarrow as pa

    kept, beyond, before = [], [], 0
    for part in parts:
        if before < work.n:
            kept.append(Fix(part, min(part.rows, work.n - before), before))
        else:
            beyond.append(part)
        before += part.rows
    schema = pa.unify_schemas([fix.part.schema for fix in kept], promote_options="permissive")
    named = bool(len(work.model.identifiers(1, work.seed, 0).columns))
    wrong = [
        fix
        for fix in kept
        if fix.rows < fix.part.rows
        or (named and fix.part.rows and fix.first != fix.part.notes.first)
        or not fix.part.schema.equals(schema)
    ]
    return wrong, beyond, schema


def _finish(work: Work) -> None:
    """Cut to n rows, identifiers without gaps, one set of types; what is interrupted here is done again."""
    ranks = work.ranks
    wrong, beyond, schema = ranks.decided(lambda: fixes(work, _parts(work, {})))
    for fix in wrong[ranks.index :: ranks.count]:
        own = work.model.identifiers(fix.rows, work.seed, fix.first)
        rewrite(fix.part, replace(fix.part.notes, first=fix.first), fix.rows, schema, own)
    ranks.wait()
    if ranks.main:
        for part in beyond:
            part.path.unlink()
        manifest.write_manifest(work.folder, _parts(work, {}), complete=True)
    ranks.wait()


def _parts(work: Work, known: dict[Path, Part]) -> list[Part]:
    parts = read_parts(work.folder, known)
    for part in parts:
        if part.notes.settings != work.digest:
            got = f"{part.path.name} of another one"
            raise RunError(f"parts of this generation in {work.folder}", got, "choose another --out")
    return parts


def _told(work: Work, parts: Sequence[Part]) -> Tally:
    """The tallies of all parts as one."""
    whole = Tally(work.n)
    for part in parts:
        own = part.notes.tally
        whole.attempts += own["attempts"]
        whole.valid += own["valid"]
        whole.generated += own["generated"]
        whole.count(own["rejected"])
    return whole


def _check_shared(work: Work) -> None:
    """Every rank sees the folder that rank 0 opened."""
    if not (work.folder / manifest.FILE).exists():
        raise RunError(
            f"a folder {work.folder} that all processes see",
            f"one that process {work.ranks.index} lacks",
            "choose a place on a disk that all nodes share",
        )


def say_on_stderr(text: str) -> None:
    """Progress, a line each."""
    print(text, file=sys.stderr, flush=True)
