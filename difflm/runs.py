"""The run directory: every path, atomic writes, status and metrics. No torch.

    config.json status.json metrics.jsonl log.txt stop? data/ vae/ prior/ latents/ samples/ report.* state/

A status on disk is what its writer last said; `Run.status` holds it against the process that wrote it.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import threading
import time
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Literal

from difflm import disk, processes
from difflm.errors import DiffLMError, RunError

OnExisting = Literal["error", "reset", "resume"]
FORMAT = 1
"""Version of the run directory."""
STATES = ("queued", "running", "stopping", "stopped", "done", "failed")
ACTIVE = ("queued", "running", "stopping")
FOLDERS = ("vae", "prior", "latents", "samples", "state", "data")
LOCKS = (".lock", ".status.lock")
BEAT = 2.0
"""Seconds between two heartbeats of a held run."""
SILENCE = 30.0
"""Seconds without a heartbeat after which a run on another machine counts as dead."""
VANISHED = "the process ended without saying so (killed, out of memory, or a restart); it can be resumed"


@dataclass(frozen=True, kw_only=True)
class Status:
    """What a run is doing. Times are in seconds since 1970, progress goes from 0 to 1."""

    state: str
    stage: str = ""
    message: str = ""
    progress: float = 0.0
    started: float = 0.0
    updated: float = 0.0
    pid: int | None = None
    pid_created: float | None = None
    host: str = ""
    error: str = ""

    @property
    def active(self) -> bool:
        """Whether a process is at work on it, or waits to be."""
        return self.state in ACTIVE


class Run:
    """One run directory. Cheap to make: files are read when asked for."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @classmethod
    def create(
        cls,
        path: str | Path,
        config: Mapping[str, Any],
        on_existing: OnExisting = "error",
    ) -> Run:
        """A new run, queued by this process. A run that is there already is refused, emptied, or opened."""
        run = cls(Path(path).expanduser().absolute())
        is_run = (run.path / "status.json").exists() or (run.path / "config.json").exists()
        if on_existing == "resume" and is_run:
            return cls.open(run.path)
        is_new = not run.path.exists()
        disk.make_folder(run.path)
        if not is_new and any(entry.name not in LOCKS for entry in run.path.iterdir()):
            if not is_run or on_existing != "reset":
                found = "the run that is there" if is_run else "a folder with other files"
                raise RunError(f"a new folder {run.path}", found, "choose another name")
            with run.lock():
                run._empty()
        try:
            disk.write_json(run.path / "config.json", dict(config))
            run.write_status(state="queued", started=time.time())
        except RunError:
            if is_new:
                shutil.rmtree(run.path, ignore_errors=True)
            raise
        return run

    @classmethod
    def open(cls, path: str | Path) -> Run:
        """The run in `path`; RunError when it is none, is broken, or has another format."""
        run = cls(Path(path).expanduser().absolute())
        if not run.path.is_dir():
            raise RunError("a run directory", str(path), "list the runs with `difflm runs`")
        _ = run.config, run._stored()
        return run

    @property
    def name(self) -> str:
        """Name of the folder."""
        return self.path.name

    @property
    def config(self) -> dict[str, Any]:
        """Settings and how the run was started, as they are on disk now."""
        return disk.read_json(self.path / "config.json")

    @property
    def status(self) -> Status:
        """What the run really does: an active state whose process is gone reads as failed."""
        status = self._stored()
        if not status.active:
            return status
        if not self._alive(status):
            return replace(status, state="failed", error=VANISHED, message=VANISHED)
        return replace(status, state="stopping") if self.stop_requested() else status

    @property
    def heartbeat(self) -> float:
        """When the process that holds the run last showed a sign of life; 0.0 for never."""
        try:
            return (self.path / ".lock").stat().st_mtime
        except OSError:
            return 0.0

    def write_status(self, **changes: Any) -> None:
        """Change fields of the status; an active state is signed by this process unless a pid is given."""
        unknown = set(changes) - {field.name for field in fields(Status)}
        if unknown or changes.get("state", "queued") not in STATES:
            raise RunError(f"a status of {', '.join(STATES)}", str(changes))
        with disk.locked(self.path / ".status.lock"):
            try:
                old = self._stored()
            except RunError:
                old = Status(state="queued")
            state = changes.get("state", old.state)
            if state not in ACTIVE:
                changes = {"pid": None, "pid_created": None, **changes}
            elif "state" in changes and "pid" not in changes:
                changes |= {"pid": os.getpid(), "pid_created": processes.created_at()}
            if state in ACTIVE and not old.active:
                changes = {"error": "", "started": time.time(), **changes}
            if state == "running" and old.state == "queued":
                changes = {"started": time.time(), **changes}
            changes = {"updated": time.time(), "host": processes.host(), **changes}
            new = replace(old, **changes)
            new = replace(new, progress=min(1.0, max(0.0, float(new.progress))))
            disk.write_json(self.path / "status.json", {"format": FORMAT, **asdict(new)})
        if state not in ACTIVE:
            self.clear_stop()

    def hand_over(self, pid: int) -> None:
        """Let a child sign for the run, unless it has done so already."""
        if self._stored().pid == os.getpid():
            self.write_status(pid=pid, pid_created=processes.created_at(pid))

    def append_metrics(self, row: Mapping[str, Any]) -> None:
        """Add one row to metrics.jsonl."""
        disk.append_line(self.path / "metrics.jsonl", disk.to_json(dict(row)))

    def read_metrics(self, offset: int = 0) -> tuple[list[dict[str, Any]], int]:
        """Whole rows from byte `offset` on, and where to go on reading. Broken lines are passed over."""
        try:
            with (self.path / "metrics.jsonl").open("rb") as file:
                start = offset if offset <= file.seek(0, os.SEEK_END) else 0
                file.seek(start)
                content = file.read()
        except FileNotFoundError:
            return [], 0
        except OSError as error:
            raise RunError(f"metrics of {self.name}", str(error), "check the disk") from error
        whole = content[: content.rfind(b"\n") + 1]
        rows = []
        for line in whole.splitlines():
            with suppress(ValueError):
                row = json.loads(line)
                if isinstance(row, dict):
                    rows.append(row)
        return rows, start + len(whole)

    def log(self, text: str) -> None:
        """Add lines to log.txt, with the time before the first."""
        disk.append_line(self.path / "log.txt", f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text.rstrip()}")

    def directory(self, name: str) -> Path:
        """A folder of the run, created when it is missing."""
        if name not in FOLDERS:
            raise RunError(f"a folder out of {', '.join(FOLDERS)}", repr(name))
        return disk.make_folder(self.path / name)

    def request_stop(self) -> None:
        """Ask whoever works on the run to end after its current step."""
        disk.write_json(self.path / "stop", {"requested": time.time()})

    def stop_requested(self) -> bool:
        """Whether it was asked to."""
        return (self.path / "stop").exists()

    def clear_stop(self) -> None:
        """Forget an earlier request, before the run begins or goes on."""
        try:
            (self.path / "stop").unlink(missing_ok=True)
        except OSError as error:
            raise disk.explained(error, self.path / "stop") from error

    @contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the run; RunError when another process or thread does. Beats while it is held."""
        mine = (str(self.path), threading.get_ident())
        if mine in _held:
            yield
            return
        descriptor = disk.take_lock(self.path / ".lock", wait=0.5)
        if descriptor is None:
            raise RunError(f"a free run {self.name}", "a process at work on it", "wait for it, or stop it")
        _held.add(mine)
        try:
            with disk.beating(descriptor, BEAT):
                yield
        finally:
            _held.discard(mine)
            os.close(descriptor)

    def _stored(self) -> Status:
        values = disk.read_json(self.path / "status.json")
        if values.pop("format", None) != FORMAT:
            raise RunError(
                f"a run of format {FORMAT} in {self.path}", "another format", "use its own version"
            )
        known = {field.name for field in fields(Status)}
        numbers = [values.get(name, 0.0) for name in ("progress", "started", "updated")]
        numeric = all(isinstance(number, int | float) for number in numbers)
        if not set(values) <= known or values.get("state") not in STATES or not numeric:
            raise RunError(f"a status of a run in {self.path}", "other fields", "delete it, or restore it")
        return Status(**values)

    def _alive(self, status: Status) -> bool:
        if status.host != processes.host():
            return time.time() - max(self.heartbeat, status.updated) < SILENCE
        if status.pid is None:
            return False
        # The clock may have been set since: then the lock tells.
        return processes.is_same(status.pid, status.pid_created or 0.0) or (
            processes.exists(status.pid) and disk.is_locked(self.path / ".lock")
        )

    def _empty(self) -> None:
        for entry in self.path.iterdir():
            if entry.name in LOCKS:
                continue
            try:
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            except OSError as error:
                raise disk.explained(error, entry) from error


_held: set[tuple[str, int]] = set()
"""Runs that this process holds, by path and thread."""


def runs_root() -> Path:
    """Folder of all runs: DIFFLM_RUNS, or ./runs."""
    return Path(os.environ.get("DIFFLM_RUNS") or "runs").expanduser().absolute()


def clean_name(text: str) -> str:
    """`text` as the name of a folder: letters, digits, dot, dash and underscore, at most 80 characters."""
    name = re.sub(r"[^\w.-]+", "-", unicodedata.normalize("NFC", text)).strip("-.")[:80].rstrip("-.")
    if not name:
        raise RunError("a name for the run", repr(text), "use letters and digits")
    return name


def run_path(root: str | Path, name: str) -> Path:
    """Where a run of that name lies: always directly below `root`."""
    path = Path(root) / clean_name(name)
    if path.is_symlink() and path.resolve().parent != Path(root).resolve():
        raise RunError(f"a run below {root}", f"a link to {path.resolve()}", "choose another name")
    return path


def list_runs(root: str | Path) -> list[Run]:
    """The runs directly below `root`, by name; what cannot be read is left out."""
    found = []
    try:
        folders = sorted(path for path in Path(root).iterdir() if (path / "status.json").exists())
    except OSError:
        return []
    for folder in folders:
        with suppress(DiffLMError):
            found.append(Run.open(folder))
    return found
