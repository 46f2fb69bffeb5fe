"""Trainings as processes of their own, with a stand-in for the model: real processes, signals and locks."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from difflm import jobs
from difflm.errors import ConfigError, RunError
from difflm.runs import Run, list_runs

TESTS = Path(__file__).resolve().parent


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder of runs whose workers get the stand-in; whatever still runs is killed at the end."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import fake_facade\n")
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(site), str(TESTS)]))
    monkeypatch.setenv("DIFFLM_FAKE", "1")
    monkeypatch.setenv("FAKE_SECONDS", "30")
    yield tmp_path / "runs"
    for run in list_runs(tmp_path / "runs"):
        if run.status.active:
            jobs.kill(run)


def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.03)


def reaches(run: Run, state: str) -> None:
    until(lambda: run.status.state == state)


def workers(run: Run) -> list[psutil.Process]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        words = process.info["cmdline"] or []
        if str(run.path) in words and "--from-run" in words:
            found.append(process)
    return found


def test_a_run_starts_detached_stops_and_resumes(root: Path) -> None:
    run = jobs.start(root / "a", "fit", "tips", "--run", str(root / "a"), "--set", "vae.lr=1e-3")
    assert run.status.active
    reaches(run, "running")
    pid = run.status.pid
    assert pid is not None
    assert os.getsid(pid) == pid, "a session of its own survives the app"
    assert run.config["command"].startswith("difflm fit tips --run")
    assert run.config["vae"]["lr"] == 1e-3
    jobs.stop(run)
    reaches(run, "stopped")
    assert not run.status.active
    before = len(run.read_metrics()[0])
    jobs.resume(run)
    reaches(run, "running")
    until(lambda: len(run.read_metrics()[0]) > before)
    log = (run.path / "log.txt").read_text()
    assert "stopped" in log, "output goes to the run's log"
    jobs.kill(run)
    assert run.status.state == "failed"
    assert "killed" in run.status.error


def test_a_done_run_is_not_resumed(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_SECONDS", "0.05")
    run = jobs.start(root / "a", "tips")
    reaches(run, "done")
    with pytest.raises(RunError, match="finished run"):
        jobs.resume(run)
    with pytest.raises(RunError, match="to be at work"):
        jobs.stop(run)
    with pytest.raises(RunError, match="to be at work"):
        jobs.kill(run)
    with pytest.raises(RunError, match="the run that is there"):
        jobs.start(root / "a", "tips")


def test_starting_twice_makes_one_process(root: Path) -> None:
    threads = [threading.Thread(target=jobs.start, args=(root / "a", "tips")) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    run = Run.open(root / "a")
    reaches(run, "running")
    assert len(workers(run)) == 1
    jobs.resume(run)
    assert len(workers(run)) == 1


def test_kill_9_is_seen_within_seconds_and_can_be_resumed(root: Path) -> None:
    run = jobs.start(root / "a", "tips")
    reaches(run, "running")
    assert run.status.pid is not None
    os.kill(run.status.pid, signal.SIGKILL)
    until(lambda: run.status.state == "failed", seconds=3)
    jobs.resume(run)
    reaches(run, "running")


def test_one_at_a_time_in_the_order_of_starting(root: Path) -> None:
    first, second, third = (jobs.start(root / name, "tips") for name in "cba")
    reaches(first, "running")
    until(lambda: second.status.message == third.status.message == "waits for c")
    assert (second.status.state, third.status.state) == ("queued", "queued")
    jobs.stop(third)
    reaches(third, "stopped")
    assert third.read_metrics()[0] == [], "it never began"
    jobs.resume(third)
    until(lambda: third.status.message == "waits for c")
    jobs.kill(first)
    reaches(second, "running")
    assert third.status.state == "queued"
    jobs.stop(second)
    reaches(third, "running")


def test_sigterm_stops_cooperatively(root: Path) -> None:
    run = jobs.start(root / "a", "tips")
    reaches(run, "running")
    assert run.status.pid is not None
    os.kill(run.status.pid, signal.SIGTERM)
    reaches(run, "stopped")


def test_a_worker_that_crashes_leaves_its_traceback(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FAKE_ERROR", "crash")
    run = jobs.start(root / "a", "tips")
    reaches(run, "failed")
    assert run.status.error == "ZeroDivisionError: boom"
    until(lambda: "difflm: expected no error" in (run.path / "log.txt").read_text())
    log = (run.path / "log.txt").read_text()
    assert log.count("Traceback") == 1


def test_wrong_options_start_nothing(root: Path) -> None:
    with pytest.raises(ConfigError):
        jobs.start(root / "a", "tips", "--preset", "odd")
    assert not (root / "a").exists()
