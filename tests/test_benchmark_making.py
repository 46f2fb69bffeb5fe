"""How the rows of a benchmark are made: what models are given, their processes and environments."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest

from difflm.benchmark import environments, making, process, tables
from difflm.benchmark.process import Measured, environment, measure
from difflm.benchmark.registry import ENTRANTS
from difflm.benchmark.settings import Settings
from difflm.benchmark.tables import Table, load_table, read_set, write_job
from difflm.cli import command
from difflm.cli.command import execute
from difflm.data import Dataset
from difflm.errors import RunError
from difflm.runs import Run
from tests.odd_tables import every_kind as rows


def test_rows_of_a_peer_are_repaired_and_typed(tmp_path: Path) -> None:
    table = Table("toy", Dataset.build("toy", {"train": rows()}))
    write_job(tmp_path, table, rows=3, seed=0)
    assert [c["name"] for c in json.loads((tmp_path / "job.json").read_text())["columns"]] == [
        "x",
        "k",
        "day",
        "mood",
    ]
    assert "id" not in pd.read_parquet(tmp_path / "train.parquet")
    raw = {"x": [0.12345, 99.0, np.inf], "k": [1.6, np.nan, 2.0], "day": [19750.4, 0.0, 19760.0]}
    pd.DataFrame({**raw, "mood": ["bad", None, "new"]}).to_parquet(tmp_path / "set.parquet")
    made = read_set(tmp_path / "set.parquet", table, seed=0)
    train = table.dataset.train
    assert list(made.columns) == list(train.columns) and made["id"].nunique() == 3
    assert made["x"][0] == 0.12 and made["x"][1] == train["x"].max() and pd.isna(made["x"][2])
    assert made["k"][0] == 2 and pd.isna(made["k"][1])
    assert made["day"][0] == pd.Timestamp("2024-01-28") and made["day"][1] == train["day"].min()
    assert list(made["mood"][[0, 2]]) == ["bad", "new"] and pd.isna(made["mood"][1])
    pd.DataFrame({"x": [1.0]}).to_parquet(tmp_path / "set.parquet")
    with pytest.raises(RunError, match="rows of a peer"):
        read_set(tmp_path / "set.parquet", table, seed=0)


def test_difflm_itself_trains_on_the_same_split(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows().to_csv(tmp_path / "toy.csv", index=False)
    table = load_table(str(tmp_path / "toy.csv"), None, 50)
    called: list[list[str]] = []

    def stub(command: Sequence[str], log: Path, **_: Any) -> Measured:
        called.append(list(command[3:]))
        if command[3] == "sample":
            table.dataset.train.to_parquet(command[command.index("--out") + 1])
        return Measured(2.0, 100.0 * len(called))

    monkeypatch.setattr(making, "measure", stub)
    settings = Settings(models=("difflm",), seeds=(3,), preset="quick", time_limit=0.5, sets=2)
    made = making.make(table, "difflm", 3, settings, tmp_path / "cell", print)
    folder = str(tmp_path / "cell" / "run")
    assert called[0] == ["fit", "--from-run", "--run", folder]
    assert [c[c.index("--seed") + 1] for c in called[1:]] == ["3", "1003"] and called[1][3] == "50"
    assert (made.train_seconds, made.sample_seconds, made.peak_mb) == (2.0, 4.0, 300.0)
    assert Dataset.read(Path(folder) / "data").fingerprint == table.dataset.fingerprint
    config = json.loads((Path(folder) / "config.json").read_text())
    assert (config["seed"], config["time_limit"], config["preset"]) == (3, 0.5, "quick")


def test_fewer_rows_are_a_smaller_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows().to_csv(tmp_path / "toy.csv", index=False)
    monkeypatch.setattr(tables, "LEAST_VALIDATION", 3)
    whole, cut, again = (load_table(str(tmp_path / "toy.csv"), None, most).dataset for most in (None, 50, 50))
    assert len(cut.train) == 50 and cut.fingerprint == again.fingerprint
    assert len(cut.validation) == 50 * len(whole.validation) // len(whole.train) > 3
    assert len(cut.test) == len(whole.test)
    monkeypatch.setattr(tables, "LEAST_VALIDATION", 10**6)
    assert len(load_table(str(tmp_path / "toy.csv"), None, 50).dataset.validation) == len(whole.validation)


def test_a_process_is_measured_and_ended(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    python, log = sys.executable, tmp_path / "log.txt"
    hold = "import time; x = bytearray(60_000_000); time.sleep(0.3)"
    spent = measure([python, "-c", hold], log, limit=60, env=environment(1))
    assert 60 < spent.peak_mb < 200 and 0.3 < spent.seconds < 10
    with pytest.raises(RunError, match=r"ends well, but got ValueError: odd; see log\.txt"):
        measure([python, "-c", "raise ValueError('odd')"], log, limit=60, env=environment(1))
    monkeypatch.setattr(process, "ALLOWANCE", 0.3)
    began = time.monotonic()
    with pytest.raises(RunError, match=r"within 0 s .* killed; raise --time-limit"):
        measure([python, "-c", "import time; time.sleep(60)"], log, limit=0.01, env=environment(1))
    assert time.monotonic() - began < 10
    threads = [python, "-c", "import os, sys; sys.exit(os.environ['OMP_NUM_THREADS'] != '2')"]
    measure(threads, log, limit=60, env=environment(2))


def test_a_training_that_outlived_its_benchmark_is_not_trained_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows().to_csv(tmp_path / "toy.csv", index=False)
    table = load_table(str(tmp_path / "toy.csv"), None, 50)
    settings = Settings(models=("difflm",), seeds=(0,), preset="quick", time_limit=0.5)
    earlier = Run.create(tmp_path / "cell" / "run", {})
    monkeypatch.setattr(making, "measure", lambda *_, **__: pytest.fail("nothing is started"))
    holding, done = threading.Event(), threading.Event()

    def train() -> None:
        with earlier.lock():
            holding.set()
            done.wait(30)

    other = threading.Thread(target=train)
    other.start()
    try:
        assert holding.wait(10)
        with pytest.raises(RunError, match="a process at work on it"):
            making.make(table, "difflm", 0, settings, tmp_path / "cell", print)
    finally:
        done.set()
        other.join()
    assert (earlier.path / "config.json").exists()


def test_a_benchmark_that_is_told_to_end_ends_what_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    log, before = tmp_path / "log.txt", signal.getsignal(signal.SIGTERM)
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"

    def stub(options: Any) -> None:
        def end() -> None:
            while not (log.exists() and log.read_text().endswith("\n")):
                time.sleep(0.05)
            os.kill(os.getpid(), signal.SIGTERM)

        threading.Thread(target=end).start()
        measure([sys.executable, "-c", code], log, limit=60, env=environment(1))

    monkeypatch.setattr(command.benchmark, "benchmark", stub)
    assert execute(["benchmark", "tips"]) == 2 and "interrupted" in capsys.readouterr().err
    assert not psutil.pid_exists(int(log.read_text())) and signal.getsignal(signal.SIGTERM) == before


def test_environments_are_made_once_and_anew_for_other_pins(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFLM_PEERS", str(tmp_path))
    commands: list[list[str]] = []

    def call(command: list[str], stdout: Any, **_: Any) -> int:
        commands.append(command)
        if "venv" in command:
            python = Path(command[-1]) / "bin" / "python"
            python.parent.mkdir(parents=True)
            python.touch()
        if "toy==9" in command:
            stdout.write(b"ERROR: No matching distribution found for toy==9\n")
        return int("toy==9" in command)

    monkeypatch.setattr(subprocess, "call", call)
    entrant = replace(ENTRANTS["smote"], environment="toy", requirements=("toy==1",))
    python = environments.python_of(entrant, print)
    assert python == str(tmp_path / "toy" / "bin" / "python") and len(commands) == 2
    assert environments.python_of(entrant, print) == python and len(commands) == 2
    environments.python_of(replace(entrant, requirements=("toy==2",)), print)
    assert len(commands) == 4
    with pytest.raises(RunError, match=r"No matching distribution found for toy==9; see .*leave smote out"):
        environments.python_of(replace(entrant, requirements=("toy==9",)), print)
    assert environments.python_of(ENTRANTS["copula"], print) == sys.executable
