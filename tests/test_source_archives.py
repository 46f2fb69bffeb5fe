"""Folders and zips of source: what is read, what is listed, and what is refused as harmful."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from difflm.data.documents import Upload, detect_record, read_documents
from difflm.errors import DataError
from tests.document_sources import CODE, reasons, upload, zipped


def _tree(folder: Path) -> Path:
    files = {
        "a.py": CODE[0],
        "pkg/b.py": CODE[1].replace("\n", "\r\n"),
        "pkg/copy.py": CODE[0],
        "pkg/__init__.py": "",
        "pkg/only_comment.py": "# nothing\n",
        "pkg/bad.py": "def f(:\n",
        "pkg/tabs.py": "def g(x):\n\treturn x\n",
        "pkg/latin.py": "# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1"),
        "pkg/long.py": "x = 1\n" * 1_000,
        "pkg/data.bin": b"\x00\x01",
        "pkg/zero.py": b"x = 1\x00\n",
        "README.md": "# About\n",
        ".git/hook.py": "x = 1\n",
        "venv/pyvenv.cfg": "home = /\n",
        "venv/lib/m.py": "x = 1\n",
        "pkg/__pycache__/m.py": "x = 1\n",
        "node_modules/m.py": "x = 1\n",
    }
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data.encode() if isinstance(data, str) else data)
    return folder


@pytest.mark.parametrize("packed", [False, True])
def test_a_folder_or_zip_of_source(tmp_path: Path, packed: bool) -> None:
    folder = _tree(tmp_path / "project")
    source: Path | Upload = folder
    if packed:
        files = {
            p.relative_to(folder).as_posix(): p.read_bytes() for p in sorted(folder.rglob("*")) if p.is_file()
        }
        source = upload(zipped(files), "project.zip")
    assert detect_record(source)[:2] == ("code", None)
    frame = read_documents(source, longest=2_000)
    assert frame.attrs["names"] == ["a.py", "pkg/b.py", "pkg/latin.py", "pkg/tabs.py"]
    assert frame["code"].tolist()[:2] == CODE[:2] and "é" in frame["code"][2] and "\t" in frame["code"][3]
    assert reasons(frame) == {
        "README.md": "other kind: a .md file",
        "pkg/__init__.py": "empty",
        "pkg/bad.py": "syntax error: line 1: invalid syntax",
        "pkg/copy.py": "duplicate: of a.py",
        "pkg/data.bin": "other kind: a .bin file",
        "pkg/long.py": "too long: 6,000 characters (at most 2,000)",
        "pkg/only_comment.py": "empty: no statement",
        "pkg/zero.py": "binary: a null byte",
    }
    notes = " / ".join(frame.attrs["notes"])
    assert ".git, node_modules, pkg/__pycache__, venv" in notes and "iso-8859-1" in notes
    assert "LF instead of CRLF or CR (1 record)" in notes and "8 of 12 records are left out" in notes
    by_function = read_documents(source, "code", unit="function")
    assert by_function.attrs["names"] == ["a.py:f0", "pkg/b.py:f1", "pkg/tabs.py:g"]
    assert "text" in read_documents(source, "text")


def test_links_and_special_files_are_not_followed(tmp_path: Path) -> None:
    (tmp_path / "secret.py").write_text("password = 1\n")
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "a.py").write_text(CODE[0])
    (folder / "link.py").symlink_to(tmp_path / "secret.py")
    (folder / "up").symlink_to(tmp_path)
    os.mkfifo(folder / "pipe.py")
    frame = read_documents(folder)
    assert len(frame) == 1 and reasons(frame) == {
        "link.py": "a link",
        "up": "a link",
        "pipe.py": "no regular file",
    }


def _linked() -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        item = zipfile.ZipInfo("link.py")
        item.external_attr = 0o120777 << 16
        archive.writestr("a.py", CODE[0])
        archive.writestr(item, "/etc/passwd")
    return buffer.getvalue()


def _encrypted() -> bytes:
    data = bytearray(zipped({"a.py": CODE[0], "b.py": CODE[1]}))
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = data.find(mark)
        data[at + offset] |= 1
    return bytes(data)


def _bomb() -> bytes:
    data = bytearray(zipped({f"{i}.py": "x" * 10_000 for i in range(3)}))
    at = 0
    while (at := data.find(b"PK\x01\x02", at) + 1) > 0:
        data[at + 23 : at + 27] = (0x7FFFFFF0).to_bytes(4, "little")
    return bytes(data)


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (
            zipped({"a.py": CODE[0], "../evil.py": "x = 1"}),
            r"the path '\.\./evil\.py', which leaves the folder",
        ),
        (zipped({"a.py": CODE[0], "x/../../evil.py": "x = 1"}), "leaves the folder"),
        (zipped({"a.py": CODE[0], "/etc/evil.py": "x = 1"}), "leaves the folder"),
        (zipped({"a.py": CODE[0], "C:\\evil.py": "x = 1"}), "leaves the folder"),
        (zipped({"a.py": CODE[0], "..\\evil.py": "x = 1"}), "leaves the folder"),
        (_linked(), "symbolic link 'link.py'"),
        (_encrypted(), "encrypted file 'a.py'"),
        (zipped({"a.py": CODE[0], "inner.zip": zipped({"b.py": CODE[1]})}), "archive 'inner.zip'"),
        (_bomb(), "at most 1,024 MB unpacked"),
        (zipped({"a.py": CODE[0]})[:-30], "whole zip file"),
    ],
)
def test_zips_that_are_refused(data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / "z.zip").write_bytes(data)
    before = sorted(tmp_path.parent.rglob("*"))
    for action in (detect_record, read_documents):
        with pytest.raises(DataError, match=says):
            action(tmp_path / "z.zip")
    assert sorted(tmp_path.parent.rglob("*")) == before


def test_a_broken_member_is_listed() -> None:
    data = bytearray(zipped({"a.py": CODE[0], "b.py": CODE[1]}))
    data[data.find(b"return y")] ^= 1
    frame = read_documents(upload(bytes(data), "z.zip"))
    assert frame["code"].tolist() == CODE[1:2] and "Bad CRC-32" in reasons(frame)["a.py"]
