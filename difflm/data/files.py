"""The bytes of a data file: unpacked, capped in size, and never a format that runs code."""

from __future__ import annotations

import gzip
import io
import re
import zipfile
import zlib
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from difflm.errors import DataError

MAX_FILE_BYTES = 512 * 1024**2
"""Largest file that is read."""
MAX_UNPACKED_BYTES = 1024**3
"""Largest content of a zip or gz file, whatever its header claims."""

TABLES = (".csv", ".tsv", ".txt", ".tab", ".parquet", ".pq", ".json", ".jsonl", ".ndjson", ".xlsx", ".xlsm")
FORMATS = "a CSV, TSV, Parquet, JSON, JSONL or Excel file (also zipped)"
_CODE = (".pkl", ".pickle", ".pt", ".pth", ".joblib", ".ckpt", ".npy", ".npz", ".h5", ".dill", ".rds", ".rda")
_PICKLED_TEXT = re.compile(rb"(\((lp|dp|tp?)\d*\n|c[a-z_][\w.]*\n\w+\n)")


class Content(NamedTuple):
    """The unpacked bytes of a data file and its lower-case suffix."""

    data: bytes
    suffix: str


def read_content(path: Path) -> Content:
    """Read and unpack `path`; DataError for whatever is not to be read."""
    refuse_code(path.name)
    try:
        if path.is_dir():
            raise DataError(FORMATS, f"the folder {path}", "name a file in it")
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            _too_large(path.name, MAX_FILE_BYTES)
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise DataError(FORMATS, f"no file at {path}", "check the name") from error
    except OSError as error:
        raise DataError(
            f"a readable file at {path}", error.strerror or str(error), "check its rights"
        ) from error
    return unpacked(data, path.name)


def unpacked(data: bytes, name: str) -> Content:
    """The content of a zip or gz file with one table in it, or `data` itself."""
    suffix = PurePosixPath(name).suffix.lower()
    if data[:2] == b"\x1f\x8b":
        inner = name[: -len(suffix)] if suffix in (".gz", ".gzip") else name
        return _checked(_gunzip(data, name), inner)
    if data[:4] == b"PK\x03\x04" and suffix not in (".xlsx", ".xlsm"):
        return _from_zip(data, name)
    return _checked(data, name)


def refuse_code(name: str) -> None:
    """DataError for files whose reading can run code, by their name."""
    if PurePosixPath(name.lower()).suffix in _CODE:
        raise DataError(
            FORMATS, f"{name}, whose format can run code when it is read", "save it as Parquet or CSV"
        )


def _checked(data: bytes, name: str) -> Content:
    refuse_code(name)
    pickled = data[:1] == b"\x80" and data[1:2] in b"\x02\x03\x04\x05"
    if data.rstrip()[-1:] == b"." and _PICKLED_TEXT.match(data):
        pickled = True
    if pickled or data[:6] == b"\x93NUMPY" or data[:4] == b"\x89HDF":
        raise DataError(FORMATS, f"{name}, which holds Python objects or arrays", "save it as Parquet or CSV")
    if not data.strip():
        raise DataError(
            "a file with a header line and rows", f"the empty file {name}", "check how it was saved"
        )
    return Content(data, PurePosixPath(name).suffix.lower())


def _gunzip(data: bytes, name: str) -> bytes:
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            plain = stream.read(MAX_UNPACKED_BYTES + 1)
    except (OSError, EOFError, zlib.error) as error:
        raise DataError("a whole gz file", f"{name}: {error}", "download or pack it again") from error
    if len(plain) > MAX_UNPACKED_BYTES:
        _too_large(name, MAX_UNPACKED_BYTES)
    return plain


def _from_zip(data: bytes, name: str) -> Content:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            files = [item for item in archive.infolist() if not item.is_dir() and not _hidden(item.filename)]
            for item in files:
                refuse_code(item.filename)
            tables = [item for item in files if PurePosixPath(item.filename).suffix.lower() in TABLES]
            if len(tables) != 1:
                names = ", ".join(item.filename for item in files[:8]) or "nothing"
                raise DataError(
                    "a zip file with exactly one table", f"{names} in {name}", "unpack it and pick one"
                )
            with archive.open(tables[0]) as stream:
                plain = stream.read(MAX_UNPACKED_BYTES + 1)
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, OSError, EOFError, zlib.error) as error:
        raise DataError("a whole zip file without a password", f"{name}: {error}", "pack it again") from error
    if len(plain) > MAX_UNPACKED_BYTES:
        _too_large(name, MAX_UNPACKED_BYTES)
    return _checked(plain, PurePosixPath(tables[0].filename).name)


def _hidden(name: str) -> bool:
    return name.startswith("__MACOSX") or PurePosixPath(name).name.startswith(".")


def _too_large(name: str, limit: int) -> None:
    raise DataError(f"at most {limit // 1024**2} MB", f"more in {name}", "take a sample of its rows")
