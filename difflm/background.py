"""Small jobs beside a run (a layout, an evaluation) as processes of their own, found again from disk.

A job is a file <name>.job.json with pid and creation time, so a new server or another tab sees it too.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from difflm import disk, jobs, processes


@dataclass(frozen=True)
class Job:
    """A job that was started; `running` is asked of the system."""

    folder: Path
    name: str
    pid: int
    created: float
    """When the system says that the process began, in seconds since 1970."""

    @property
    def running(self) -> bool:
        """Whether this very process is still at work."""
        return processes.is_same(self.pid, self.created)

    @property
    def seconds(self) -> float:
        """Since it began."""
        return time.time() - self.created

    def last_line(self) -> str:
        """The newest line of its output."""
        log = self.folder / f"{self.name}.log"
        text = log.read_text(errors="replace").replace("\r", "\n").strip() if log.exists() else ""
        return text.splitlines()[-1] if text else ""

    def forget(self) -> None:
        """Remove the note that it ever ran; the log stays."""
        (self.folder / f"{self.name}.job.json").unlink(missing_ok=True)


def find(folder: Path, name: str) -> Job | None:
    """The job of that name that was started last, running or not."""
    try:
        values = json.loads((folder / f"{name}.job.json").read_text())
        return Job(folder, name, int(values["pid"]), float(values["created"]))
    except (OSError, ValueError, KeyError):
        return None


def start(folder: Path, name: str, arguments: list[str]) -> Job:
    """Run `difflm` with `arguments` detached, output to <name>.log; the one at work if there is one."""
    known = find(folder, name)
    if known is not None and known.running:
        return known
    disk.make_folder(folder)
    try:
        with (folder / f"{name}.log").open("wb") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "difflm", *arguments],
                env=jobs.environment(),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                start_new_session=True,
            )
    except OSError as error:
        raise disk.explained(error, folder) from error
    job = Job(folder, name, process.pid, processes.created_at(process.pid))
    disk.write_json(folder / f"{name}.job.json", {"pid": job.pid, "created": job.created})
    return job
