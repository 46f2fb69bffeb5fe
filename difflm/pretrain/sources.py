"""What the corpus is read from: the running standard library and permissively licensed installed packages.

Only files of these are opened: never DIFFLM_DATA, never a data set that a package carries.
"""

from __future__ import annotations

import platform
import re
import sysconfig
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from pathlib import Path
from typing import NamedTuple

from difflm.pretrain.licences import accepted, declared, restricted

OWN = "difflm"
LONGEST = 400_000
"""Bytes; longer files are data or were written by a program."""
HEAD = 4000
_VENDORED = {"_vendor", "vendor", "vendored", "third_party", "thirdparty", "_bundled", "node_modules"}
_VENDORED |= {"extern", "_extern", "externals", "_externals", "site-packages", "dist-packages"}
_SKIPPED_FOLDERS = _VENDORED | {
    "test",
    "tests",
    "testing",
    "data",
    "datasets",
    "locale",
    "locales",
    "encodings",
    "lib2to3",
}
_SKIPPED_FILE = re.compile(
    r"(?:test_.*|.*_test|conftest|.*_pb2(?:_grpc)?)\.py|(?:LICEN[CS]E|NOTICE|COPYING).*"
)
_PROSE = (".md", ".rst")


class Source(NamedTuple):
    """One body of text with one licence; `files` maps names ("json/decoder.py") to places on disk."""

    name: str
    version: str
    licence: str
    files: dict[str, Path]
    description: str = ""
    """The package's README, as its metadata carry it."""


class Refused(NamedTuple):
    """A distribution that is not read, and the licence for which it is not."""

    name: str
    version: str
    licence: str


def standard_library() -> Source:
    """Python's own library (PSF-2.0) without tests and installed packages."""
    root = Path(sysconfig.get_paths()["stdlib"])
    files = {path.relative_to(root).as_posix(): path for path in sorted(root.rglob("*.py"))}
    wanted = {name: path for name, path in files.items() if _wanted(name)}
    return Source("python", platform.python_version(), "PSF-2.0", wanted)


def installed() -> tuple[list[Source], list[Refused]]:
    """Installed distributions by name: those whose metadata declare an accepted licence, and all others."""
    kept, refused = {}, {}
    for distribution in distributions():
        metadata = distribution.metadata
        name, version = str(metadata["Name"]), str(distribution.version)
        if name.lower() == OWN:
            continue
        licence = declared(metadata)
        if accepted(licence):
            kept[name.lower()] = Source(name, version, licence, _files(distribution), _readme(distribution))
        else:
            refused[name.lower()] = Refused(name, version, licence or "none declared")
    return [kept[key] for key in sorted(kept)], [refused[key] for key in sorted(refused)]


def read(path: Path, longest: int = LONGEST) -> str | None:
    """The text of a file; None where it is too long, no UTF-8, or its head names a restricted licence."""
    try:
        content = path.read_bytes()
    except OSError:
        return None
    if len(content) > longest or b"\0" in content:
        return None
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError:
        return None
    return None if restricted(text[:HEAD]) else text


def _files(distribution: Distribution) -> dict[str, Path]:
    return dict(sorted(_listed(distribution)))


def _listed(distribution: Distribution) -> Iterator[tuple[str, Path]]:
    for file in distribution.files or []:
        name = file.as_posix()
        if file.suffix in (".py", *_PROSE) and not name.startswith("..") and _wanted(name):
            yield name, Path(str(distribution.locate_file(file)))


def _wanted(name: str) -> bool:
    *folders, last = name.split("/")
    if any(folder in _SKIPPED_FOLDERS or folder.endswith(".dist-info") for folder in folders):
        return False
    return _SKIPPED_FILE.fullmatch(last) is None


def _readme(distribution: Distribution) -> str:
    metadata = distribution.metadata
    text = str(metadata["Description"]) if "Description" in metadata else ""
    return "" if restricted(text) else text.strip()
