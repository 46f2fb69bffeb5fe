"""Files that appear whole or not at all, and locks that die with their holder. OSError becomes RunError."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from difflm.errors import RunError

FULL = (errno.ENOSPC, errno.EDQUOT)
FORBIDDEN = (errno.EACCES, errno.EPERM, errno.EROFS)


def explained(error: OSError, path: Path) -> RunError:
    """The RunError that says what to do about a failed write to or below `path`."""
    if error.errno in FULL:
        return RunError(f"room on the disk for {path.name}", "a full disk", "free some space and try again")
    if error.errno in FORBIDDEN:
        return RunError(f"permission to write {path}", "none", "choose a folder of your own")
    if error.errno in (errno.EEXIST, errno.ENOTDIR):
        return RunError(f"a folder at {path}", "a file", "choose another place")
    return RunError(f"a place to write {path}", error.strerror or str(error), "check the disk")


def cache_folder() -> Path:
    """Where this user's downloads, measurements and environments are kept."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "difflm"


def make_folder(path: Path) -> Path:
    """Create `path` and its parents where they are missing."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise explained(error, path) from error
    return path


def write_atomic(path: Path, content: bytes) -> None:
    """Replace `path` by `content`; a crash or a full disk leaves the earlier file as it was."""
    temporary = path.with_name(f".{path.name}.{os.getpid()}.{time.monotonic_ns()}.tmp")
    try:
        with temporary.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise explained(error, path) from error


@contextmanager
def appearing(path: Path) -> Iterator[Path]:
    """A temporary path beside `path` that takes its name at the end of the block, if that is reached."""
    make_folder(path.parent)
    temporary = path.with_name(f".{path.stem}.{os.getpid()}.tmp{path.suffix}")
    try:
        yield temporary
        with temporary.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise explained(error, path) from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_json(path: Path, value: object) -> None:
    """`write_atomic` of `value` as JSON; numpy numbers become plain ones, NaN and infinity null."""
    write_atomic(path, to_json(value, indent=1).encode())


def to_json(value: object, indent: int | None = None) -> str:
    """JSON that every reader takes."""
    try:
        return json.dumps(value, ensure_ascii=False, indent=indent, allow_nan=False)
    except (TypeError, ValueError):
        return json.dumps(plain(value), ensure_ascii=False, indent=indent, allow_nan=False)


def plain(value: Any) -> Any:
    """`value` in JSON's own types."""
    if hasattr(value, "item") and not isinstance(value, dict | list | tuple):
        value = value.item()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if abs(value) < float("inf") else None
    return value if value is None or isinstance(value, bool | int | str) else str(value)


def append_line(path: Path, line: str) -> None:
    """Add one line in one write; a line that a killed process left half written is closed first.

    When the disk is full the file is cut back to what it was."""
    content = line.encode() + b"\n"
    try:
        with path.open("ab+", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            if size:
                file.seek(size - 1)
                content = content if file.read(1) == b"\n" else b"\n" + content
            try:
                while content:
                    content = content[file.write(content) :]
            except OSError:
                with suppress(OSError):
                    os.ftruncate(file.fileno(), size)
                raise
    except OSError as error:
        raise explained(error, path) from error


def read_json(path: Path) -> dict[str, Any]:
    """The JSON object in `path`; RunError when it is missing, half written or something else."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RunError(f"a run directory with {path.name}", f"none in {path.parent}", "name a run") from None
    except (OSError, ValueError) as error:
        raise RunError(
            f"JSON in {path}", f"a broken file ({type(error).__name__})", "delete the run, or restore it"
        ) from error
    if not isinstance(value, dict):
        raise RunError(f"a JSON object in {path}", type(value).__name__, "delete the run, or restore it")
    return value


def take_lock(path: Path, wait: float = 0.0) -> int | None:
    """A descriptor that holds the exclusive lock of `path` until it is closed or its process dies.

    None when somebody else holds it for longer than `wait` seconds."""
    deadline = time.monotonic() + wait
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
    except OSError as error:
        raise explained(error, path) from error
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return descriptor
        except BlockingIOError:
            if time.monotonic() >= deadline:
                os.close(descriptor)
                return None
            time.sleep(0.02)
        except OSError as error:
            os.close(descriptor)
            raise explained(error, path) from error


@contextmanager
def locked(path: Path, wait: float = 10.0) -> Iterator[None]:
    """Hold the lock of `path` for a moment; RunError when it does not come free in `wait` seconds."""
    descriptor = take_lock(path, wait)
    if descriptor is None:
        raise RunError(f"{path.parent.name} to be free", "another process at work on it", "try again")
    try:
        yield
    finally:
        os.close(descriptor)


@contextmanager
def beating(descriptor: int, every: float) -> Iterator[None]:
    """Touch an open file every so many seconds, as a sign of life."""
    over = threading.Event()

    def beat() -> None:
        while True:
            with suppress(OSError):
                os.utime(descriptor)
            if over.wait(every):
                return

    heart = threading.Thread(target=beat, daemon=True)
    heart.start()
    try:
        yield
    finally:
        over.set()
        heart.join()


def is_locked(path: Path) -> bool:
    """Whether a living process holds the lock of `path`."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return False
    except OSError:
        return True
    finally:
        os.close(descriptor)
