"""The run directory: its status after every kind of death, its files after every kind of damage."""

from __future__ import annotations

import errno
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from difflm import disk
from difflm.errors import RunError
from difflm.runs import VANISHED, Run, clean_name, list_runs, run_path

ROOT = Path(__file__).resolve().parents[1]
HOLD = """
import sys, time
from difflm.runs import Run
run = Run.open(sys.argv[1])
with run.lock():
    run.write_status(state="running", stage="lm", progress=0.5)
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    return Run.create(tmp_path / "a", {"preset": "quick"})


@pytest.fixture
def held(run: Run):
    """A run that a process of its own holds."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(run.path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    yield run, process
    process.kill()
    process.wait()
    process.stdout.close()


def test_status_is_written_and_read(run: Run) -> None:
    assert run.status.state == "queued"
    run.write_status(state="running", stage="vae", progress=3.0)
    status = Run.open(run.path).status
    assert (status.state, status.stage, status.progress, status.pid) == ("running", "vae", 1.0, os.getpid())
    run.write_status(state="done", message="good")
    assert run.status.pid is None
    assert run.status.stage == "vae"
    with pytest.raises(RunError, match="expected a status"):
        run.write_status(state="asleep")


def test_kill_9_reads_as_failed_at_once_and_frees_the_lock(held) -> None:
    run, process = held
    assert run.status.state == "running"
    with pytest.raises(RunError, match="at work"), run.lock():
        pass
    os.kill(process.pid, signal.SIGKILL)
    deadline = time.monotonic() + 3
    while run.status.state == "running" and time.monotonic() < deadline:
        time.sleep(0.02)
    assert (run.status.state, run.status.error) == ("failed", VANISHED)
    with run.lock():
        pass


def test_a_zombie_counts_as_dead(held) -> None:
    run, process = held
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert run.status.state == "failed"


def test_a_reused_pid_is_no_running_run(run: Run) -> None:
    run.write_status(state="running", pid=os.getpid(), pid_created=1000.0)
    assert run.status.state == "failed"
    with run.lock():
        assert run.status.state == "running", "the clock was set, but the lock is held"


@pytest.mark.parametrize("state", ["queued", "running", "stopping"])
def test_every_active_state_of_a_dead_process_fails(run: Run, state: str) -> None:
    run.write_status(state=state, pid=2**22 + 1, pid_created=1.0)
    assert run.status.state == "failed"
    assert "resumed" in run.status.message


def test_another_machine_is_judged_by_its_heartbeat(run: Run) -> None:
    run.write_status(state="running", host="elsewhere")
    assert run.status.state == "running"
    run.write_status(state="running", host="elsewhere", updated=time.time() - 100)
    assert run.status.state == "failed"
    (run.path / ".lock").touch()
    assert run.status.state == "running"


def test_the_lock_is_one_threads_and_reentrant(run: Run) -> None:
    told: list[str] = []

    def other() -> None:
        try:
            with run.lock():
                told.append("taken")
        except RunError:
            told.append("refused")

    with run.lock(), run.lock():
        thread = threading.Thread(target=other)
        thread.start()
        thread.join()
    assert told == ["refused"]


def test_stop_shows_until_it_is_cleared(run: Run) -> None:
    run.write_status(state="running")
    run.request_stop()
    run.write_status(state="running", progress=0.5)
    assert run.stop_requested()
    assert run.status.state == "stopping"
    run.clear_stop()
    assert run.status.state == "running"
    run.request_stop()
    run.write_status(state="stopped")
    assert not run.stop_requested(), "the next training must not end at once"


def test_a_child_signs_for_the_run_once(run: Run) -> None:
    run.hand_over(os.getppid())
    assert run.status.pid == os.getppid()
    run.write_status(state="running")
    other = os.getppid()
    run.write_status(pid=other)
    run.hand_over(12345)
    assert Run.open(run.path)._stored().pid == other


@pytest.mark.parametrize("text", ["", "{", '{"format": 1, "sta', "[1]", "null", "\x00\xff", '{"format": 2}',
                                  '{"format": 1, "state": "odd"}', '{"format": 1, "state": "done", "x": 1}',
                                  '{"format": 1, "state": "done", "progress": "half"}'])  # fmt: skip
def test_a_broken_status_is_a_run_error(run: Run, text: str) -> None:
    (run.path / "status.json").write_text(text, encoding="latin-1")
    with pytest.raises(RunError, match="expected"):
        Run.open(run.path)
    assert list_runs(run.path.parent) == []


def test_runs_from_elsewhere_are_refused(tmp_path: Path, run: Run) -> None:
    for place in (tmp_path / "none", tmp_path):
        with pytest.raises(RunError):
            Run.open(place)
    (run.path / "config.json").unlink()
    with pytest.raises(RunError, match="with config"):
        Run.open(run.path)


def test_create_refuses_what_is_there_or_empties_it_when_told(run: Run, tmp_path: Path) -> None:
    (run.directory("vae") / "model").write_text("old")
    with pytest.raises(RunError, match="the run that is there"):
        Run.create(run.path, {})
    assert Run.create(run.path, {"preset": "x"}, on_existing="resume").config == {"preset": "quick"}
    assert Run.create(run.path, {"preset": "x"}, on_existing="reset").config == {"preset": "x"}
    assert not (run.path / "vae").exists()
    strange = tmp_path / "strange"
    strange.mkdir()
    (strange / "precious.txt").write_text("mine")
    with pytest.raises(RunError, match="other files"):
        Run.create(strange, {}, on_existing="reset")
    assert (strange / "precious.txt").read_text() == "mine"


def test_reset_leaves_a_busy_run_alone(held) -> None:
    run, _ = held
    with pytest.raises(RunError, match="at work"):
        Run.create(run.path, {}, on_existing="reset")
    assert run.config == {"preset": "quick"}


def test_metrics_are_read_on_from_where_they_ended(run: Run) -> None:
    assert run.read_metrics() == ([], 0)
    run.append_metrics({"step": 1, "loss": float("nan")})
    rows, offset = run.read_metrics()
    assert rows == [{"step": 1, "loss": None}]
    with (run.path / "metrics.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    assert run.read_metrics(offset) == ([], offset)
    run.append_metrics({"step": 3})
    rows, offset = run.read_metrics(offset)
    assert rows == [{"step": 3}], "the half line is closed and passed over"
    assert run.read_metrics(offset) == ([], offset)
    assert len(run.read_metrics(offset + 100)[0]) == 2, "a file that shrank is read from its start"


def test_a_full_disk_leaves_the_earlier_files(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    run.append_metrics({"step": 1})
    before = (run.path / "status.json").read_text()

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(disk.os, "fsync", full)
    with pytest.raises(RunError, match="full disk; free some space"):
        run.write_status(state="running")
    assert (run.path / "status.json").read_text() == before
    with pytest.raises(RunError, match="full disk"):
        Run.create(run.path.parent / "b", {})
    assert sorted(p.name for p in run.path.parent.iterdir()) == ["a"]
    assert not list(run.path.glob(".*tmp"))


def test_a_half_written_line_is_cut_when_the_disk_fills(run: Run) -> None:
    run.append_metrics({"step": 1})
    script = """
import resource, signal, sys
from difflm.errors import RunError
from difflm.runs import Run
run = Run.open(sys.argv[1])
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = (run.path / "metrics.jsonl").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size + 5, size + 5))
try:
    run.append_metrics({"step": 2})
except RunError as error:
    print(error)
"""
    done = subprocess.run(
        [sys.executable, "-c", script, str(run.path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert "metrics.jsonl" in done.stdout
    assert (run.path / "metrics.jsonl").read_text() == '{"step": 1}\n'


def test_no_permission_is_a_run_error(run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="a file"):
        Run.create(tmp_path / "file" / "x", {})

    def forbidden(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    monkeypatch.setattr(Path, "open", forbidden)
    with pytest.raises(RunError, match="permission to write"):
        disk.write_json(run.path / "x.json", {})
    with pytest.raises(RunError, match="permission to write"):
        run.append_metrics({})


def test_readers_never_see_a_half_written_status(run: Run) -> None:
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            run.write_status(state="running", message="x" * 2000)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(200):
            assert json.loads((run.path / "status.json").read_text())["format"] == 1
    finally:
        over.set()
        writer.join()


NAMES = [
    ("../../etc", "etc"),
    ("a/b\\c d", "a-b-c-d"),
    ("höhe.v2", "höhe.v2"),
    ("x" * 300, "x" * 80),
    (".hidden", "hidden"),
    ("é\u202ea", "é-a"),
]


@pytest.mark.parametrize(("text", "name"), NAMES)
def test_names_stay_below_the_root(tmp_path: Path, text: str, name: str) -> None:
    assert clean_name(text) == name
    assert run_path(tmp_path, text).parent == tmp_path


def test_paths_do_not_leave_the_run(run: Run, tmp_path: Path) -> None:
    for name in ("..", "", "../..", "."):
        with pytest.raises(RunError):
            clean_name(name)
        with pytest.raises(RunError):
            run.directory(name)
    (tmp_path / "link").symlink_to("/usr")
    with pytest.raises(RunError, match="a link"):
        run_path(tmp_path, "link")
