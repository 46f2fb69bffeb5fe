"""Trainings as processes of their own: start, stop, kill, resume, and one at a time per folder of runs.

A waiting process holds its run and waits itself, so the queue survives the end of whoever started it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import difflm
from difflm import disk, processes
from difflm.cli.fit_options import FitRequest, parse_fit
from difflm.errors import DiffLMError, RunError
from difflm.runs import Run, Status, list_runs

POLL = 0.3
"""Seconds between two looks of a waiting run at the queue."""
GRACE = 20.0
"""Seconds that a started process may need until it holds its run."""
KILLED = "killed; what was saved before can be resumed"


class StoppedWaiting(Exception):
    """A queued run was asked to stop before its turn came."""


def start(path: str | Path, *arguments: str) -> Run:
    """Train in the background as `difflm fit` with `arguments` would; returns once the process exists.

    A run that is at work already is returned as it is: two clicks start one process."""
    rest = list(arguments[1:] if arguments[:1] == ("fit",) else arguments)
    if "--run" not in rest:
        rest += ["--run", str(path)]
    return start_request(parse_fit(rest), path)


def start_request(request: FitRequest, path: str | Path | None = None) -> Run:
    """`start` for a request that has been read already."""
    place = Path(path if path is not None else request.run).expanduser().absolute()
    with _starting(place.parent):
        with suppress(DiffLMError):
            known = Run.open(place)
            if known.status.active:
                return known
        run = Run.create(place, request.stored(), on_existing=request.on_existing)
        _launch(run)
    return run


def resume(run: Run | str | Path) -> Run:
    """Go on with a stopped or failed run in the background; one that is at work is left alone."""
    run = _opened(run)
    with _starting(run.path.parent):
        if not run.status.active:
            make_resumable(run)
            _launch(run)
    return run


def make_resumable(run: Run) -> FitRequest:
    """Check that the run can go on, forget the stop that ended it, and return what it was asked to do."""
    if run.status.state == "done":
        raise RunError(
            "a run that stopped early or failed", f"the finished run {run.name}", "start a new one"
        )
    request = FitRequest.of_run(run)
    run.clear_stop()
    run.write_status(state="queued", message="", started=time.time())
    return request


def stop(run: Run | str | Path) -> None:
    """Ask the run to end after its current step, leaving a usable model."""
    run = _opened(run)
    _need_active(run)
    run.request_stop()


def kill(run: Run | str | Path) -> None:
    """End the run's process, and what it has started, at once."""
    run = _opened(run)
    status = _need_active(run)
    if status.pid is None or status.host != processes.host():
        raise RunError("a run of this machine", f"one on {status.host or 'another machine'}", "kill it there")
    with suppress(ProcessLookupError):
        # Only the leader of a group of its own: a shell's group would take strangers along.
        if os.getpgid(status.pid) == status.pid:
            os.killpg(status.pid, signal.SIGKILL)
        else:
            os.kill(status.pid, signal.SIGKILL)
    deadline = time.monotonic() + 5.0
    while run.status.active and time.monotonic() < deadline:
        time.sleep(0.02)
    run.write_status(state="failed", error=KILLED, message=KILLED)


@contextmanager
def turn(run: Run) -> Iterator[None]:
    """Wait until no other run of the folder trains; raises StoppedWaiting when asked to stop before.

    To be entered with the run's lock held: that is what marks it as a waiting one."""
    queue = run.path.parent / ".queue.lock"
    waits_for: str | None = None
    while True:
        if run.stop_requested():
            raise StoppedWaiting
        descriptor = disk.take_lock(queue) if _is_next(run) else None
        if descriptor is not None:
            break
        ahead = _ahead(run)
        if ahead != waits_for:
            run.write_status(state="queued", message=f"waits for {ahead}" if ahead else "waits")
            waits_for = ahead
        time.sleep(POLL)
    try:
        yield
    finally:
        os.close(descriptor)


def environment() -> dict[str, str]:
    """Environment of a started process: finds this very package, writes its output at once."""
    package = str(Path(difflm.__file__).resolve().parents[1])
    paths = [package, *filter(None, [os.environ.get("PYTHONPATH")])]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(paths), "PYTHONUNBUFFERED": "1"}


def _launch(run: Run) -> None:
    command = [sys.executable, "-m", "difflm", "fit", "--from-run", "--run", str(run.path)]
    try:
        with (run.path / "log.txt").open("ab") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=environment(),
            )
    except OSError as error:
        run.write_status(state="failed", error=str(error), message="the process could not be started")
        raise disk.explained(error, run.path) from error
    run.hand_over(process.pid)
    # Without somebody who waits, a child that ended stays a zombie for as long as the app lives.
    threading.Thread(target=process.wait, daemon=True).start()


@contextmanager
def _starting(root: Path) -> Iterator[None]:
    disk.make_folder(root)
    with disk.locked(root / ".start.lock"):
        yield


def _opened(run: Run | str | Path) -> Run:
    return run if isinstance(run, Run) else Run.open(run)


def _need_active(run: Run) -> Status:
    status = run.status
    if not status.active:
        raise RunError(
            f"the run {run.name} to be at work", f"one that is {status.state}", "see `difflm runs`"
        )
    return status


def _others(run: Run) -> list[tuple[Run, Status]]:
    return [(other, other.status) for other in list_runs(run.path.parent) if other.path != run.path]


def _is_next(run: Run) -> bool:
    """Whether no other waiting run came before this one."""
    mine = (run.status.started, run.name)
    return not any(
        status.state == "queued" and (status.started, other.name) < mine and _waits(other, status)
        for other, status in _others(run)
    )


def _waits(run: Run, status: Status) -> bool:
    """Whether a process is there for its turn: it holds its run, or has only just been started."""
    return disk.is_locked(run.path / ".lock") or time.time() - status.started < GRACE


def _ahead(run: Run) -> str:
    """Name of the run that trains now."""
    names = [other.name for other, status in _others(run) if status.state in ("running", "stopping")]
    return names[0] if names else ""
