"""What `difflm fit` and `difflm resume` call, write and say; and what every command does with wrong words."""

from __future__ import annotations

import errno
import os
import signal
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from difflm.cli.command import execute
from difflm.cli.fit_options import FitRequest
from difflm.cli.progress import line_of
from difflm.runs import Run
from tests.command_line import fails


def test_fit_passes_on_what_was_asked(calls: list[Any], capsys: pytest.CaptureFixture[str]) -> None:
    arguments = "fit tips --run runs/t --target tip --preset quick --seed 3 --time-limit 0.5 --val v.csv"
    assert execute([*arguments.split(), "--set", "vae.lr=1e-3", "--beta", "constant"]) == 0
    name, given = calls[0]
    assert (name, given["data"], given["target"], given["validation"]) == ("fit", "tips", "tip", "v.csv")
    assert (given["preset"], given["seed"], given["time_limit"]) == ("quick", 3, 0.5)
    assert given["overrides"]["vae.lr"] == 1e-3
    assert given["overrides"]["beta.schedule"] == "constant"
    run = Run.open("runs/t")
    assert run.config["command"].startswith("difflm fit tips --run runs/t")
    assert run.status.state == "done"
    last = capsys.readouterr().err.splitlines()[-1]
    assert last == f"done: {run.path}"


def test_fit_prints_progress(capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["fit", "tips", "--run", "r"]) == 0
    assert "lm 0/5 0.0 s train: loss 1" in capsys.readouterr().err


def test_progress_lines_are_few() -> None:
    printed: dict[str, float] = {}
    row = {
        "stage": "vae",
        "step": 1,
        "of": 9,
        "seconds": 1.0,
        "split": "train",
        "reconstruction": 2.0,
        "kl": 1,
    }
    assert line_of(row, printed) == "vae 1/9 1.0 s train: reconstruction 2, kl 1"
    assert line_of({**row, "seconds": 2.0}, printed) is None
    assert line_of({**row, "seconds": 2.0, "split": "validation"}, printed) is not None
    assert line_of({"event": "warning", "text": "collapse"}, printed) == "warning: collapse"
    assert line_of({"stage": "vae", "event": "sample", "rows": []}, printed) is None


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", "expected COMMAND"),
        ("fly", "'fly'"),
        ("fit", "expected --run"),
        ("fit --run r", "expected DATA"),
        ("fit tips --run r --preset odd", "a preset out of quick, standard, thorough, paper, but got 'odd'"),
        ("fit tips --run r --presett quick", "did you mean --preset"),
        ("fit tips --run r --set vae.lrr=1", "did you mean vae.lr"),
        ("fit tips --run r --set vae.lr=fast", "vae.lr"),
        ("fit tips --run r --set novalue", "key=value"),
        ("fit tips --run r --time-limit soon", "time_limit"),
        ("fit tips --run r --beta odd", "beta.schedule"),
        ("fit tips --run r --format codes", "a valid setting format.kind"),
        (
            "fit tips --run r --injection odd",
            "'soft_prompt', 'prefix_soft_prompt', 'kv_memory' or 'input_embed'",
        ),
        ("sample nowhere -n 3 --out x.csv", "a run directory, but got nowhere"),
        ("sample nowhere -n three --out x.csv", "a whole number"),
        ("sample nowhere -n 0 --out x.csv", "at least 1"),
        ("sample nowhere -n 3 --out x.pickle", ".csv"),
        ("sample nowhere -n 3 --out x.csv --like y.csv --prior gmm", "--like alone"),
        ("evaluate --real x.csv --test y.csv", "--synthetic"),
        ("evaluate --real nowhere.csv --synthetic x.csv --test y.csv", "nowhere.csv"),
        ("encode nowhere data.csv --out z.txt", ".npy"),
        ("project nowhere --method odd", "a method out of"),
        ("resume nowhere", "a run directory"),
        ("stop nowhere", "a run directory"),
        ("export nowhere --hub me/model", "export to a folder"),
        ("export nowhere", "--out DIR"),
        ("runs --root nowhere", "a folder of runs"),
    ],
)
def test_wrong_words_get_one_line_and_write_nothing(
    arguments: str, expected: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert execute(arguments.split()) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert expected in lines[0]
    assert "expected" in lines[0]
    assert list(tmp_path.iterdir()) == []


def test_fit_errors_are_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("FAKE_ERROR", "data")
    assert "expected a table, but got none" in fails(capsys, "fit", "x.csv", "--run", "r")
    assert not (tmp_path / "r").exists(), "the corrected command can take the same name"
    monkeypatch.setenv("FAKE_ERROR", "memory")
    assert "enough memory" in fails(capsys, "fit", "x.csv", "--run", "r")
    assert Run.open("r").status.state == "failed"
    monkeypatch.setenv("FAKE_ERROR", "crash")
    line = fails(capsys, "fit", "x.csv", "--run", "s")
    assert "ZeroDivisionError: boom" in line
    assert "Traceback" in (tmp_path / "s" / "log.txt").read_text()


def test_a_full_disk_is_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], run: Run
) -> None:
    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    Path("old.csv").write_text("earlier")
    monkeypatch.setattr(os, "fsync", full)
    assert "a full disk; free some space" in fails(capsys, "sample", "a", "-n", "3", "--out", "old.csv")
    assert Path("old.csv").read_text() == "earlier"
    assert "a full disk" in fails(capsys, "fit", "tips", "--run", "new")
    assert sorted(p.name for p in Path().iterdir()) == ["old.csv", "runs"]


def test_a_finished_run_is_kept(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert "the finished run a" in fails(capsys, "fit", "tips", "--run", "runs/a")
    assert "a run that stopped early or failed" in fails(capsys, "resume", "a")
    assert execute(["fit", "tips", "--run", "runs/a", "--on-existing", "reset"]) == 0


def test_an_unfinished_run_goes_on_with_its_own_settings(
    calls: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    assert execute(["fit", "tips", "--run", "r", "--preset", "quick", "--set", "vae.lr=1e-3"]) == 0
    Run.open("r").write_status(state="stopped")
    assert "other settings" in fails(capsys, "fit", "tips", "--run", "r", "--preset", "quick")
    assert execute(["resume", "r"]) == 0
    fits = [given for name, given in calls if name == "fit"]
    assert fits[0] == fits[1]


def test_a_run_of_the_facade_resumes_from_its_own_data(run: Run) -> None:
    run.directory("data")
    (run.path / "data" / "schema.json").write_text("{}")
    assert FitRequest.of_run(run).data.endswith("train.parquet")


def test_ctrl_c_stops_and_saves(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("FAKE_SECONDS", "20")

    def interrupt() -> None:
        while not (Path("r", "status.json").exists() and Run.open("r").read_metrics()[0]):
            time.sleep(0.02)
        os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    thread = threading.Thread(target=interrupt)
    thread.start()
    assert execute(["fit", "tips", "--run", "r"]) == 0
    thread.join()
    assert Run.open("r").status.state == "stopped"
    assert "stopping after this step" in capsys.readouterr().err
    assert signal.getsignal(signal.SIGINT) is before
