"""The command line in this process, with a stand-in for the model: what it calls, writes and says."""

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
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
import pytest
from fake_facade import FakeModel, module, use_module

from difflm import __version__
from difflm.cli import evaluate, latents, sample, writers
from difflm.cli.command import execute
from difflm.cli.fit_options import FitRequest, parse_fit
from difflm.cli.progress import line_of
from difflm.cli.where import parse_where
from difflm.cli.writers import writing
from difflm.errors import ConfigError
from difflm.runs import Run

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The stand-in in place of the facade, in an empty folder."""
    monkeypatch.setitem(sys.modules, "difflm.pipeline", module())
    monkeypatch.setitem(sys.modules, "difflm.latent_use", use_module())
    for command in (sample, latents, evaluate):
        monkeypatch.setattr(command, "read_frame", lambda path: pd.read_csv(path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(FakeModel, "calls", [])
    return FakeModel.calls


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run.create(tmp_path / "runs" / "a", {"preset": "quick"})
    made.write_status(state="done")
    return made


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command ends with."""
    assert execute(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("difflm: ")
    return lines[-1]


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


@pytest.mark.parametrize("ending", ["csv", "tsv", "parquet", "jsonl"])
def test_sample_streams_into_a_file(run: Run, calls: list[Any], ending: str) -> None:
    out = f"out/rows.{ending}"
    where = ["--where", "age >= 3", "--where", "colour in red, blue"]
    assert execute(["sample", "a", "-n", "10", "--out", out, "--seed", "5", *where]) == 0
    given = dict(calls)["stream"]
    assert given["where"] == {"age": (">=", "3"), "colour": ["red", "blue"]}
    assert (given["n"], given["seed"], given["prior"], given["temperature"]) == (10, 5, None, None)
    readers: dict[str, Any] = {
        "csv": pd.read_csv,
        "tsv": lambda path: pd.read_csv(path, sep="\t"),
        "parquet": pd.read_parquet,
        "jsonl": lambda path: pd.read_json(path, lines=True),
    }
    rows = readers[ending](out)
    assert list(rows["age"]) == list(range(10))
    assert rows["colour"].isna().tolist() == [i == 5 for i in range(10)]
    assert [p.name for p in Path("out").iterdir()] == [f"rows.{ending}"]


def test_parquet_columns_may_grow(tmp_path: Path) -> None:
    chunks = [
        pd.DataFrame({"a": [1, 2], "b": pd.Series([None, None], dtype=object)}),
        pd.DataFrame({"a": [1.5, None], "b": ["x", None]}),
        pd.DataFrame({"a": [3, 4], "b": ["y", "z"]}),
    ]
    with writing(tmp_path / "x.parquet") as writer:
        for chunk in chunks:
            writer.write(chunk)
    rows = pd.read_parquet(tmp_path / "x.parquet")
    assert rows["a"].tolist()[:3] == [1, 2, 1.5]
    assert rows["b"].tolist()[-2:] == ["y", "z"]


def test_many_chunks_become_few_row_groups_and_grow_by_groups(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writers, "GROUP_ROWS", 50)
    path = tmp_path / "x.parquet"
    with writing(path) as writer:
        for first in range(0, 240, 8):
            cells = [float(first), None] if first == 200 else [first, first + 1]
            writer.write(pd.DataFrame({"a": cells * 4, "b": ["x"] * 8}))
    with pq.ParquetFile(path) as file:
        assert [file.metadata.row_group(i).num_rows for i in range(5)] == [56, 56, 56, 56, 16]
        assert file.schema_arrow.field("a").type == "double"
    rows = pd.read_parquet(path)
    assert rows["a"].isna().sum() == 4 and rows["a"].max() == 233 and rows["a"].iloc[8] == 8
    assert [p.name for p in tmp_path.iterdir()] == ["x.parquet"]


def test_an_interrupted_sample_leaves_the_earlier_file(tmp_path: Path) -> None:
    path = tmp_path / "x.csv"
    path.write_text("earlier")

    def write() -> None:
        with writing(path) as writer:
            writer.write(pd.DataFrame({"a": [1]}))
            raise ValueError("stop")

    with pytest.raises(ValueError, match="stop"):
        write()
    assert path.read_text() == "earlier"
    assert [p.name for p in tmp_path.iterdir()] == ["x.csv"]


def test_like_decodes_near_the_given_rows(run: Run, calls: list[Any]) -> None:
    Path("like.csv").write_text("age,colour\n1,red\n2,blue\n")
    assert execute(["sample", "runs/a", "-n", "5", "--out", "x.csv", "--like", "like.csv"]) == 0
    assert dict(calls)["posterior_rows"]["rows"]["age"].tolist() == [1, 2, 1, 2, 1]
    assert len(pd.read_csv("x.csv")) == 5


NAMES = ["age", "marital status", "a=b", "in", "in or out"]


@pytest.mark.parametrize(
    ("text", "where"),
    [
        ("age = 40", {"age": "40"}),
        ("age==40", {"age": "40"}),
        ("age!=40", {"age": ("!=", "40")}),
        ("age <= -1.5", {"age": ("<=", "-1.5")}),
        ("marital status = 'in love'", {"marital status": "in love"}),
        ('"marital status" > "x"', {"marital status": (">", "x")}),
        ("a=b = c=d", {"a=b": "c=d"}),
        ("in in x, y", {"in": ["x", "y"]}),
        ("in or out in (x)", {"in or out": ["x"]}),
        ('age in [1, "a, b"]', {"age": [1, "a, b"]}),
        ("age = >50K", {"age": ">50K"}),
    ],
)
def test_conditions(text: str, where: dict[str, Any]) -> None:
    assert parse_where([text], NAMES) == where


@pytest.mark.parametrize("text", ["", "age", "height = 1", "age in [1", "= 4"])
def test_wrong_conditions(text: str) -> None:
    with pytest.raises(ConfigError, match="expected"):
        parse_where([text], NAMES)


def test_one_condition_a_column() -> None:
    with pytest.raises(ConfigError, match="one condition for age"):
        parse_where(["age > 1", "age < 3"], NAMES)


def test_latents_go_to_a_file_and_back(
    run: Run, calls: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("rows.csv").write_text("age,colour\n1,red\n2,blue\n")
    assert execute(["encode", "a", "rows.csv", "--out", "z.npy"]) == 0
    assert np.load("z.npy").shape == (2, 3)
    assert execute(["decode", "a", "z.npy", "--out", "back.csv"]) == 0
    assert len(pd.read_csv("back.csv")) == 2
    np.save("wide.npy", np.zeros((2, 9)))
    assert "shape (n, 3), but got (2, 9)" in fails(capsys, "decode", "a", "wide.npy", "--out", "back.csv")
    np.save("objects.npy", np.array([{}], dtype=object))
    assert "expected latents" in fails(capsys, "decode", "a", "objects.npy", "--out", "back.csv")


def test_interpolate_takes_numbers_and_objects(
    run: Run, calls: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("rows.csv").write_text("age,colour\n1,red\n2,blue\n")
    other = json.dumps({"age": 9, "colour": "red"})
    assert execute(["interpolate", "a", "1", other, "--data", "rows.csv", "--steps", "4"]) == 0
    given = dict(calls)["interpolate"]
    assert given["row_a"]["age"].tolist() == [2]
    assert given["row_b"] == {"age": 9, "colour": "red"}
    assert capsys.readouterr().out.startswith("age,colour\n0,red")
    assert "from 0 to 1, but got 7" in fails(capsys, "interpolate", "a", "7", "0", "--data", "rows.csv")
    assert "a row number or a JSON object" in fails(
        capsys, "interpolate", "a", "x", "0", "--data", "rows.csv"
    )


def test_project_writes_where_the_app_looks(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    from safetensors.numpy import save_file

    z = np.random.default_rng(0).normal(size=(9, 3)).astype(np.float32)
    save_file({"mu": z}, run.directory("latents") / "train.safetensors")
    pd.DataFrame({"age": range(9)}).to_parquet(run.directory("data") / "train.parquet")
    assert execute(["project", "a", "--out", "map.csv"]) == 0
    assert Path(capsys.readouterr().out.strip()).parent == run.path / "latents"
    assert list(pd.read_csv("map.csv")) == ["map_x", "map_y", "map_kind", "age"]


def test_runs_lists_and_names_the_broken(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    broken = Run.create(run.path.parent / "b", {})
    (broken.path / "status.json").write_text("{")
    assert execute(["runs"]) == 0
    captured = capsys.readouterr()
    assert captured.out.startswith("a  done")
    assert "b/status.json" in captured.err
    assert execute(["runs", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["state"] == "done"


def test_export_wants_a_new_folder(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["export", "a", "--out", "model"]) == 0
    Path("model/x").write_text("")
    assert "a new folder" in fails(capsys, "export", "a", "--out", "model")


class FakeReport:
    def to_json(self) -> str:
        return "{}"

    def to_html(self) -> str:
        return "<p>"

    def summary(self) -> str:
        return "the table"


@pytest.fixture
def scored(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `evaluate` of the library was given."""
    import types

    given: dict[str, Any] = {}

    def score(real: Any, synthetic: Any, test: Any, **settings: Any) -> FakeReport:
        given.update(settings, real=real, synthetic=synthetic, test=test)
        return FakeReport()

    fake: Any = types.ModuleType("difflm.evaluation")
    fake.evaluate = score
    monkeypatch.setitem(sys.modules, "difflm.evaluation", fake)
    return given


def test_evaluate_files(scored: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("real", "one", "two", "test"):
        Path(f"{name}.csv").write_text("age\n1\n2\n")
    arguments = "evaluate --real real.csv --synthetic one.csv two.csv --test test.csv --target age"
    assert execute([*arguments.split(), "--out", "r.html", "--json", "r.json", "--no-references"]) == 0
    assert len(scored["synthetic"]) == 2
    assert (scored["target"], scored["references"], scored["schema"]) == ("age", False, None)
    assert (Path("r.html").read_text(), Path("r.json").read_text()) == ("<p>", "{}")
    assert capsys.readouterr().out == "the table\n"


def test_evaluate_a_run(scored: dict[str, Any], run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluate, "read_frame", lambda path: pd.read_parquet(path))
    for name, count in (("train", 8), ("validation", 2), ("test", 2)):
        frame = pd.DataFrame({"age": range(count), "colour": ["red"] * count})
        frame.to_parquet(run.directory("data") / f"{name}.parquet")
    assert execute(["evaluate", "--real", str(run.path), "--sets", "2"]) == 0
    assert [len(frame) for frame in scored["synthetic"]] == [8, 8]
    assert len(scored["validation"]) == len(scored["test"]) == 2
    assert len(scored["posterior"]) == len(scored["decoder_alone"]) == 8
    assert scored["latent"]["kl"] == 9.0
    assert scored["raw_validity"] == 1.0
    assert execute(["evaluate", "--real", str(run.path), "--rows", "3"]) == 0
    assert [len(scored[name]) for name in ("posterior", "decoder_alone", "real")] == [3, 3, 8]
    assert execute(["evaluate", "--real", str(run.path), "--rows", "0"]) == 2


@pytest.mark.parametrize(("record", "most"), [("table", 5), ("tool", 2)])
def test_a_large_run_is_judged_by_a_part(
    scored: dict[str, Any], run: Run, monkeypatch: pytest.MonkeyPatch, record: str, most: int
) -> None:
    monkeypatch.setattr(evaluate, "read_frame", lambda path: pd.read_parquet(path))
    monkeypatch.setattr(evaluate, "MOST_ROWS", 5)
    monkeypatch.setattr(evaluate, "MOST_DOCUMENTS", 2)
    loaded: Any = evaluate.load_model(str(run.path))
    loaded.schema.record = record
    monkeypatch.setattr(evaluate, "load_model", lambda path: loaded)
    for name in ("train", "validation", "test"):
        pd.DataFrame({"age": range(8)}).to_parquet(run.directory("data") / f"{name}.parquet")
    assert execute(["evaluate", "--real", str(run.path)]) == 0
    assert len(scored["synthetic"][0]) == len(scored["posterior"]) == len(scored["decoder_alone"]) == most


def test_a_request_survives_its_run(tmp_path: Path) -> None:
    request = parse_fit(["tips", "--run", str(tmp_path / "x"), "--decoder", "gpt", "--preset", "paper"])
    kept = FitRequest.of_run(Run.create(tmp_path / "x", request.stored()))
    assert kept.config == request.config
    assert kept.overrides() == {"decoder.kind": "causal_lm", "decoder.path": "gpt"}
    chosen = parse_fit(["tips", "--run", "x", "--injection", "kv_memory"]).config.injection
    assert (chosen.kind, chosen.memory_slots, chosen.soft_tokens) == ("kv_memory", 4, 0)
    documents = parse_fit(["x.parquet", "--run", "x", "--format", "tool", "--column", "text"]).config.format
    assert (documents.kind, documents.column) == ("tool", "text")


def test_the_program_starts_without_torch(tmp_path: Path) -> None:
    script = (
        "import sys\nfrom difflm.cli.command import execute\nexecute(['runs'])\nprint('torch' in sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert done.stdout.endswith("False\n")
    version = subprocess.run(
        [sys.executable, "-m", "difflm", "--version"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert version.stdout == f"difflm {__version__}\n"
