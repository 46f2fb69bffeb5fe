"""Generation by parts: the same rows from any number of processes, whatever was killed in between."""

from __future__ import annotations

import json
import shutil
import signal
import time
from pathlib import Path

import pandas as pd
import pytest
from launching import finish, launcher, start
from test_pipeline import TINY, people

from difflm.cli.command import execute
from difflm.pipeline import DiffLM
from difflm.scale.parts import read_parts

WHERE = ["--where", "job = cook"]


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hardly trained, with identifiers, missing cells and chunks of 64 rows."""
    path = tmp_path_factory.mktemp("runs") / "people"
    short = {"vae.epochs": 2, "lm.epochs": 1, "prior.steps": 5}
    DiffLM.fit(people(), run=path, preset="quick", overrides={**TINY, **short}, time_limit=0.1)
    return path


def rows_of(path: Path) -> pd.DataFrame:
    parts = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    return pd.concat([pd.read_parquet(part) for part in parts], ignore_index=True)


def sample(run: Path, n: int, out: Path, *more: str) -> int:
    return execute(["sample", str(run), "-n", str(n), "--out", str(out), *more])


def check(folder: Path, expected: pd.DataFrame) -> None:
    """These very rows, in whole parts without a hole, all of one type, and a manifest that says so."""
    made = rows_of(folder)
    pd.testing.assert_frame_equal(made, expected)
    assert made["id"].is_unique
    parts = read_parts(folder)
    assert [part.notes.number for part in parts] == list(range(len(parts)))
    assert all(part.schema.equals(parts[0].schema) for part in parts)
    told = json.loads((folder / "_manifest.json").read_text())
    assert told["complete"] and told["rows"] == len(expected)
    assert [(p["file"], p["rows"]) for p in told["parts"]] == [(p.path.name, p.rows) for p in parts]
    assert not list(folder.glob(".*tmp*"))
    assert len(pd.read_parquet(folder)) == len(expected)


@pytest.mark.parametrize("more", [[], WHERE], ids=["all", "where"])
def test_a_folder_holds_the_rows_of_a_file(run: Path, tmp_path: Path, more: list[str]) -> None:
    assert sample(run, 300, tmp_path / "rows.parquet", *more) == 0
    assert sample(run, 300, tmp_path / "rows", *more) == 0
    check(tmp_path / "rows", rows_of(tmp_path / "rows.parquet"))
    again = {path: path.stat().st_mtime_ns for path in (tmp_path / "rows").glob("*.parquet")}
    assert sample(run, 300, tmp_path / "rows", *more) == 0
    assert again == {path: path.stat().st_mtime_ns for path in (tmp_path / "rows").glob("*.parquet")}


def test_two_processes_write_the_rows_of_one(run: Path, tmp_path: Path) -> None:
    for name in ("one.parquet", "one.csv"):
        assert sample(run, 300, tmp_path / name, *WHERE) == 0
    common = ["-m", "difflm", "sample", str(run), "-n", "300", *WHERE]
    (said,) = finish(start(1, *launcher("accelerate"), *common, "--out", str(tmp_path / "two")))
    assert said.count("300 rows, 100.0% of") == 1
    check(tmp_path / "two", rows_of(tmp_path / "one.parquet"))
    finish(start(1, *launcher("torchrun"), *common, "--out", str(tmp_path / "two.csv")))
    assert (tmp_path / "two.csv").read_bytes() == (tmp_path / "one.csv").read_bytes()
    assert not list(tmp_path.glob(".*parts"))


def test_what_was_killed_is_gone_on_with(run: Path, tmp_path: Path) -> None:
    folder = tmp_path / "rows"
    assert sample(run, 4000, tmp_path / "rows.parquet") == 0
    started = start(2, "-m", "difflm", "sample", str(run), "-n", "4000", "--out", str(folder))
    try:
        while len(list(folder.glob("part-*"))) < 4:
            assert started[1].poll() is None, started[1].communicate()
            time.sleep(0.005)
    finally:
        for process in started:
            process.send_signal(signal.SIGKILL)
            process.communicate()
    whole = len(read_parts(folder))
    assert 4 <= whole < 62 and not json.loads((folder / "_manifest.json").read_text())["complete"]
    # A hole, and a part that was being written.
    (folder / "part-00001.parquet").unlink()
    (folder / ".part-00070.1.tmp.parquet").write_bytes(b"PAR1 half")
    assert sample(run, 4000, folder) == 0
    check(folder, rows_of(tmp_path / "rows.parquet"))


def test_a_kill_while_parts_are_finished_loses_nothing(
    run: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from difflm.scale import sampling

    assert sample(run, 300, tmp_path / "rows.parquet", *WHERE) == 0
    done: list[object] = []

    def killed(*arguments: object, **others: object) -> None:
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(sampling_rewrite(*arguments, **others))

    sampling_rewrite = sampling.rewrite
    monkeypatch.setattr(sampling, "rewrite", killed)
    assert sample(run, 300, tmp_path / "rows", *WHERE) == 2
    monkeypatch.undo()
    assert len(done) == 2
    assert sample(run, 300, tmp_path / "rows", *WHERE) == 0
    check(tmp_path / "rows", rows_of(tmp_path / "rows.parquet"))


def test_other_settings_and_foreign_folders_are_refused(
    run: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "rows"
    assert sample(run, 80, out, "--seed", "3") == 0
    for more in (["--seed", "4"], ["--seed", "3", *WHERE], ["--seed", "3", "--temperature", "0.5"]):
        capsys.readouterr()
        assert sample(run, 80, out, *more) == 2
        said = capsys.readouterr().err
        assert said.count("\n") == 1 and "the settings that" in said and "choose another --out" in said
    assert sample(run, 81, out, "--seed", "3") == 2
    changed = tmp_path / "changed"
    shutil.copytree(run, changed)
    weights = changed / "prior" / "diffusion.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1] + b"\x01")
    assert sample(changed, 80, out, "--seed", "3") == 2
    assert "fingerprint" in capsys.readouterr().err
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("mine")
    assert sample(run, 80, tmp_path / "mine") == 2
    assert "an empty folder" in capsys.readouterr().err
    assert sample(run, 80, out, "--like", str(tmp_path)) == 2


def test_ranks_that_disagree_end_with_one_error(run: Path, tmp_path: Path) -> None:
    assert sample(run, 80, tmp_path / "rows") == 0
    started = start(2, "-m", "difflm", "sample", str(run), "-n", "90", "--out", str(tmp_path / "rows"))
    said = "".join(process.communicate(timeout=120)[0] for process in started)
    assert [process.returncode for process in started] == [2, 2]
    assert said.count("difflm:") == 1 and "the settings that" in said
    assert sample(run, 2, tmp_path / "none", "--where", "age > 500") == 2
