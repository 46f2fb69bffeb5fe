"""Folders and zip files of documents: which files they hold, and their bytes, without unpacking to disk."""

from __future__ import annotations

import io
import lzma
import os
import re
import stat
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import NamedTuple, Self, final

from difflm.data.files import MAX_UNPACKED_BYTES
from difflm.errors import DataError

MAX_FILES = 100_000
"""Most files of a folder or zip."""
MAX_SOURCE_BYTES = 16 * 1024**2
"""Largest file in a folder or zip that is read as documents."""
_SKIPPED = ("__pycache__", "__MACOSX", "node_modules", "site-packages")
_ENVIRONMENTS = ("pyvenv.cfg", "conda-meta")
_NESTED = (".zip", ".whl", ".egg", ".jar", ".7z", ".rar")
_BROKEN = (zipfile.BadZipFile, NotImplementedError, OSError, EOFError, zlib.error, lzma.LZMAError)
_UNSAFE = re.compile(r"/|[A-Za-z]:|(.*/)?\.\.(/|$)")


class Upload(NamedTuple):
    """A file that is in memory already."""

    name: str
    data: bytes


class Tree(ABC):
    """The files of a folder or zip; a context manager."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.files: dict[str, int] = {}
        """Bytes of each file by its path, in order of the paths."""
        self.left_out: list[dict[str, str]] = []
        self.skipped: set[str] = set()

    @abstractmethod
    def read(self, file: str, most: int = MAX_SOURCE_BYTES) -> bytes:
        """The first `most` bytes of one of `files`; DataError where they cannot be had."""

    def check(self, files: Iterable[str]) -> None:
        """DataError where `files` are more than is read."""
        sizes = [self.files[file] for file in files]
        if len(sizes) > MAX_FILES or sum(sizes) > MAX_UNPACKED_BYTES:
            raise DataError(
                f"at most {MAX_FILES:,} files and {MAX_UNPACKED_BYTES // 1024**2:,} MB",
                f"{len(sizes):,} files and {sum(sizes) // 1024**2:,} MB in {self.name}",
                "name a part of it",
            )

    @property
    def notes(self) -> list[str]:
        """What was not looked into."""
        shown = ", ".join(sorted(self.skipped)[:5]) + (", ..." if len(self.skipped) > 5 else "")
        what = "hidden files, caches and environments are not read"
        return [f"{what}: {shown}"] if self.skipped else []

    def close(self) -> None:  # noqa: B027
        """Let go of the file, where one is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _leave(self, name: str, reason: str) -> None:
        self.left_out.append({"name": name, "reason": reason})


@final
class Folder(Tree):
    """A folder with all below it; links are not followed."""

    def __init__(self, path: Path) -> None:
        super().__init__(path.name or str(path))
        self.path = path
        found: dict[str, int] = {}
        for folder, below, names in os.walk(path, onerror=self._unreadable):
            here = Path(folder).relative_to(path)
            if here.parts and any(mark in names or mark in below for mark in _ENVIRONMENTS):
                self.skipped.add(here.as_posix())
                below.clear()
                continue
            links = [name for name in below if (Path(folder) / name).is_symlink()]
            for name in links:
                self._leave((here / name).as_posix(), "a link")
            hidden = {name for name in below if _hidden(name)}
            self.skipped |= {(here / name).as_posix() for name in hidden}
            below[:] = sorted(set(below) - hidden - set(links))
            for name in names:
                self._add(Path(folder) / name, (here / name).as_posix(), found)
            if len(found) > MAX_FILES:
                raise DataError(f"at most {MAX_FILES:,} files", f"more in {path}", "name a part of it")
        self.files = dict(sorted(found.items()))

    def read(self, file: str, most: int = MAX_SOURCE_BYTES) -> bytes:
        try:
            with (self.path / file).open("rb") as stream:
                return stream.read(most)
        except OSError as error:
            raise DataError(
                f"a readable file {file}", error.strerror or str(error), "check its rights"
            ) from error

    def _add(self, path: Path, name: str, found: dict[str, int]) -> None:
        try:
            state = path.lstat()
        except OSError as error:
            self._leave(name, f"unreadable: {error.strerror}")
            return
        if _hidden(path.name):
            self.skipped.add(name)
        elif stat.S_ISREG(state.st_mode):
            found[name] = state.st_size
        else:
            self._leave(name, "a link" if stat.S_ISLNK(state.st_mode) else "no regular file")

    def _unreadable(self, error: OSError) -> None:
        if Path(error.filename) == self.path:
            raise DataError(
                f"a readable folder {self.path}", error.strerror or str(error), "check its rights"
            )
        self._leave(Path(error.filename).relative_to(self.path).as_posix(), f"unreadable: {error.strerror}")


@final
class Zip(Tree):
    """A zip file; `check` refuses one that could do harm as a whole."""

    def __init__(self, source: Path | Upload) -> None:
        super().__init__(source.name)
        try:
            self.archive = zipfile.ZipFile(io.BytesIO(source.data) if isinstance(source, Upload) else source)
        except _BROKEN as error:
            raise DataError("a whole zip file", f"{self.name}: {error}", "pack it again") from error
        members = [item for item in self.archive.infolist() if not item.is_dir()]
        homes = _environments(item.filename for item in members)
        self.members: dict[str, zipfile.ZipInfo] = {}
        for item in members:
            parts = PurePosixPath(item.filename).parts
            inside = [str(PurePosixPath(*parts[:n])) for n in range(1, len(parts) + 1)]
            skipped = next((p for p in inside if p in homes or _hidden(PurePosixPath(p).name)), None)
            if skipped:
                self.skipped.add(skipped)
            elif item.filename in self.members:
                self._leave(item.filename, "duplicate: a second file of this name")
            else:
                self.members[item.filename] = item
        self.files = {name: self.members[name].file_size for name in sorted(self.members)}

    def read(self, file: str, most: int = MAX_SOURCE_BYTES) -> bytes:
        try:
            with self.archive.open(self.members[file]) as stream:
                return stream.read(most)
        except (*_BROKEN, RuntimeError) as error:
            raise DataError(f"a whole zip file {self.name}", f"{file}: {error}", "pack it again") from error

    def check(self, files: Iterable[str]) -> None:
        """DataError also for paths out of the folder, links, passwords, archives inside, and for contents
        that are far too large, whatever `files` are wanted."""
        everything = [item for item in self.archive.infolist() if not item.is_dir()]
        for item in everything:
            name = item.filename.replace("\\", "/")
            if _UNSAFE.match(name):
                what, do = f"the path {name!r}, which leaves the folder,", "pack it with relative paths"
            elif stat.S_ISLNK(item.external_attr >> 16):
                what, do = f"the symbolic link {name!r}", "pack the file it points to"
            elif item.flag_bits & 1:
                what, do = f"the encrypted file {name!r}", "pack it without a password"
            elif name.lower().endswith(_NESTED):
                what, do = f"the archive {name!r}", "unpack the inner archive first"
            else:
                continue
            raise DataError("a zip file of plain files", f"{what} in {self.name}", do)
        if sum(item.file_size for item in everything) > MAX_UNPACKED_BYTES:
            raise DataError(
                f"a zip file of at most {MAX_UNPACKED_BYTES // 1024**2:,} MB unpacked",
                f"more in {self.name}",
                "pack a part of it",
            )
        super().check(files)

    def close(self) -> None:
        self.archive.close()


def _hidden(name: str) -> bool:
    return name.startswith(".") or name in _SKIPPED


def _environments(names: Iterable[str]) -> set[str]:
    """Folders of a zip that are Python environments."""
    paths = [PurePosixPath(name) for name in names]
    marks = [path if path.name == _ENVIRONMENTS[0] else path.parent for path in paths]
    return {str(mark.parent) for mark in marks if mark.name in _ENVIRONMENTS and str(mark.parent) != "."}
