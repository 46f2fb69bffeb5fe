"""`difflm project`, `runs`, `export` and `evaluate`: what they call, write and say."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from difflm import __version__
from difflm.cli import evaluate
from difflm.cli.command import execute
from difflm.cli.fit_options import FitRequest, parse_fit
from difflm.runs import Run
from tests.command_line import fails

ROOT = Path(__file__).resolve().parents[2]


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
