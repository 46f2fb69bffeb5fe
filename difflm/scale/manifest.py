"""_manifest.json: what a folder of parts is made from, and how far it is.

    {format, settings: {fingerprint, n, seed, ...}, digest, parts: [{file, chunks, rows, tally}], rows, complete}

The settings are written first and never change; the parts are those that are whole on disk.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from difflm import disk
from difflm.errors import ConfigError, RunError
from difflm.scale.parts import Part

FORMAT = 1
FILE = "_manifest.json"
"""Readers of Parquet folders pass over names that begin so."""
MODEL_FILES = (
    "config.json",
    "data/schema.json",
    "vae/codec.json",
    "vae/model.safetensors",
    "prior/kind.json",
)


def fingerprint(folder: Path, prior: str) -> str:
    """Of all files of a model that its rows depend on; `prior` is the kind that is drawn from."""
    digest = hashlib.sha256()
    files = [folder / name for name in MODEL_FILES]
    for path in [*files, *sorted((folder / "prior").glob(f"{prior}.*"))]:
        digest.update(path.name.encode())
        with path.open("rb") as file:
            while block := file.read(2**20):
                digest.update(block)
    return digest.hexdigest()[:32]


def digest_of(settings: Mapping[str, Any]) -> str:
    """Of all that decides which rows a part holds."""
    return hashlib.sha256(disk.to_json(dict(settings)).encode()).hexdigest()[:32]


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Nobody else writes into the folder meanwhile."""
    descriptor = disk.take_lock(disk.make_folder(folder) / ".lock")
    if descriptor is None:
        raise RunError(f"a free folder {folder}", "another generation at work in it", "wait for it")
    try:
        yield
    finally:
        os.close(descriptor)


def open_folder(folder: Path, settings: Mapping[str, Any]) -> None:
    """Begin in an empty folder, or go on in one that has the same settings; what was half written is removed.

    Raises ConfigError where a setting differs, and where the folder holds something else."""
    path = folder / FILE
    if not path.exists():
        # A dot: the lock, and what a process that was killed had not yet given its name.
        others = [entry.name for entry in folder.iterdir() if not entry.name.startswith(".")]
        if others:
            raise ConfigError(
                f"an empty folder {folder}",
                f"one with {others[0]} and without {FILE}",
                "choose another --out",
            )
        _write(folder, settings, [], False)
    known = disk.read_json(path)
    if known.get("format") != FORMAT or not isinstance(known.get("settings"), dict):
        raise RunError(f"a {FILE} of format {FORMAT}", "another one", "choose another --out")
    wanted = json.loads(disk.to_json(dict(settings)))
    differ = [k for k in {**known["settings"], **wanted} if known["settings"].get(k) != wanted.get(k)]
    if differ:
        name = differ[0]
        raise ConfigError(
            f"the settings that {folder} began with ({name} = {known['settings'].get(name)!r})",
            f"{wanted.get(name)!r}",
            "name the same, or choose another --out",
        )
    for pattern in (".part-*.tmp.parquet*", f".{FILE}.*.tmp"):
        for left in folder.glob(pattern):
            left.unlink()


def write_manifest(folder: Path, parts: Sequence[Part], complete: bool = False) -> None:
    """Say which parts are whole."""
    _write(folder, disk.read_json(folder / FILE)["settings"], parts, complete)


def _write(folder: Path, settings: Mapping[str, Any], parts: Sequence[Part], complete: bool) -> None:
    rows = [
        {"file": p.path.name, "chunks": list(p.notes.chunks), "rows": p.rows, "tally": p.notes.tally}
        for p in parts
    ]
    value = {
        "format": FORMAT,
        "settings": dict(settings),
        "digest": digest_of(settings),
        "parts": rows,
        "rows": sum(p.rows for p in parts),
        "complete": complete,
    }
    disk.write_json(folder / FILE, value)
