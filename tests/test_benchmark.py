"""The benchmark with the two models that need no installation, and with stand-ins for what goes wrong."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from difflm.benchmark import cells
from difflm.benchmark.cells import Cell
from difflm.benchmark.making import Made
from difflm.benchmark.settings import Settings
from difflm.benchmark.summary import Line, _mark, compare
from difflm.benchmark.tables import Table
from difflm.cli.command import execute
from difflm.data import Dataset
from difflm.errors import RunError
from difflm.metrics.base import Figure
from tests.odd_tables import every_kind as rows


def run(folder: Path, *more: str) -> int:
    rows().to_csv(folder / "toy & co.csv", index=False)
    arguments = [str(folder / "toy & co.csv"), "--time-limit", "0.1", "--threads", "1", *more]
    return execute(["benchmark", *arguments, "--out", str(folder / "out")])


@pytest.fixture(scope="module", autouse=True)
def few_metrics() -> Iterator[None]:
    """The quick metrics alone: what the others say is tested elsewhere."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cells, "metric_names", lambda: ["validity", "shape", "trend", "dcr"])
        yield


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished benchmark of two models with two seeds, and a third model that cannot take part."""
    folder = tmp_path_factory.mktemp("benchmark")
    assert run(folder, "--models", "copula,great,independent", "--seeds", "0,1", "--sets", "2") == 0
    return folder


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Models that are done at once; the names of those that were made."""
    made: list[str] = []

    def make(table: Table, model: str, *_: Any) -> Made:
        made.append(model)
        if model == "smote":
            raise RunError("a class", "none", "choose another target")
        if model == "ctgan":
            raise ValueError("<odd>")
        if model == "tvae":
            raise KeyboardInterrupt
        return Made([table.dataset.train], 1.0, 0.5, 10.0, {"toy": "1"})

    monkeypatch.setattr(cells, "make", make)
    return made


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that the command ends with."""
    assert execute(["benchmark", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("difflm: expected ") and ", but got " in line
    return line


def test_figures_of_all_rows(done: Path) -> None:
    told = json.loads((done / "out" / "benchmark.json").read_text())
    (comparison,) = told["comparisons"]
    lines = {line["label"]: line for line in reversed(comparison["lines"])}
    copula, independent = lines["Gaussian copula"], lines["independent columns (bootstrap)"]
    assert list(lines)[:3] == [
        "copy of the training set",
        "independent columns",
        "unseen real rows (ceiling)",
    ]
    assert copula["seeds"] == 2 and copula["spread"]["trend"] > 0 and not copula["reference"]
    assert copula["values"]["trend"] < independent["values"]["trend"]
    assert independent["reference"] and "rows_per_second" in independent["values"]
    assert lines["copy of the training set"]["values"]["exact_copies"] == 1
    states = [(cell["model"], cell["seed"], cell["status"]) for cell in comparison["cells"]]
    assert states == [
        (m, s, "skipped" if m == "great" else "done")
        for m in ("copula", "great", "independent")
        for s in (0, 1)
    ]
    cell = comparison["cells"][0]
    assert cell["rows"] == 2 * 72 and cell["train_seconds"] > 0 and cell["peak_mb"] > 20
    assert cell["versions"]["numpy"] and cell["machine"]["cores"]
    assert told["command"].startswith("difflm benchmark") and told["settings"]["seeds"] == [0, 1]


def test_the_page_says_everything(done: Path) -> None:
    page = (done / "out" / "benchmark.html").read_text()
    assert "toy &amp; co" in page and "toy & co" not in page
    for text in ("Gaussian copula", "unseen real rows (ceiling)", "no base model; give --great-model PATH"):
        assert text in page
    for text in ("--models copula,great,independent", "Time limit 0.1 minutes", "seeds 0, 1", "scipy", "±"):
        assert text in page
    assert "http" not in page and "<script" not in page


def test_what_is_done_is_not_done_again(
    done: Path, capsys: pytest.CaptureFixture[str], quick: list[str]
) -> None:
    assert run(done, "--models", "independent,copula", "--seeds", "1,0", "--sets", "2") == 0
    told = capsys.readouterr()
    assert told.err.count("done already") == 4 and not quick
    assert "Gaussian copula" in told.out and "Rows/s" in told.out


def test_other_settings_make_other_cells(
    tmp_path: Path,
    quick: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run(tmp_path, "--models", "copula") == 0
    assert run(tmp_path, "--models", "copula", "--rows", "40") == 0
    assert run(tmp_path, "--models", "copula", "--time-limit", "0.2") == 0
    assert len(quick) == 3
    capsys.readouterr()
    monkeypatch.setattr(cells, "code_mark", lambda: "other")
    assert run(tmp_path, "--models", "copula", "--time-limit", "0.2") == 0
    assert "done already, but by other code of difflm; delete " in capsys.readouterr().err
    assert run(tmp_path, "--models", "copula", "--time-limit", "0.2") == 0
    assert len(quick) == 3


def test_beijing_is_scored_as_its_publications_do_and_nothing_else_is() -> None:
    frame = rows().rename(columns={"x": "pm2.5"})
    build = partial(Dataset.build, frames={"train": frame})
    settings = Settings(models=("copula",), seeds=(0,))
    asked = replace(settings, log_clip=True)
    named = {"paper/beijing": "pm2.5", "mine": "pm2.5", "paper/adult": "mood"}
    scored = {name: Table(name, build(name, target=target)) for name, target in named.items()}
    scored["another target"] = Table("b", build("paper/beijing", target="k"))
    found = {name: settings.shared(table)["log_clip"] for name, table in scored.items()}
    assert found == {"paper/beijing": True, "mine": False, "paper/adult": False, "another target": False}
    assert all(asked.shared(table)["log_clip"] for table in scored.values())


def test_a_failure_is_a_result_and_an_interruption_keeps_what_there_is(
    tmp_path: Path, quick: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tmp_path, "--models", "smote,ctgan,copula,tvae") == 2
    assert capsys.readouterr().err.splitlines()[-1] == "difflm: interrupted"
    page = (tmp_path / "out" / "benchmark.html").read_text()
    assert "expected a class, but got none; choose another target" in page
    assert "ValueError: &lt;odd&gt;" in page
    assert run(tmp_path, "--models", "smote,copula") == 0
    # The failed one is tried again, the finished one is not.
    assert quick == ["smote", "ctgan", "copula", "tvae", "smote"]
    assert "smote, seed 0: failed: expected a class" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("", "expected DATA"),
        ("tips --models difflm,forest", "models out of difflm, tabularargn,"),
        ("tips --models ,", "but got none"),
        ("tips --seeds 0,a", "'0,a'"),
        ("tips --seeds -1", "but got '-1'"),
        ("tipps", "did you mean tips"),
        ("tips --target bill", "a column out of total_bill"),
        ("tips --preset odd", "a preset out of"),
        ("tips --time-limit 0", "more than 0 for --time-limit"),
        ("tips --time-limit soon", "a number for --time-limit"),
        ("tips --rows 3", "at least 10 for --rows"),
        ("tips --sets 0", "more than 0 for --sets"),
        ("tips --threads 0", "more than 0 for --threads"),
        ("tips --set vae.lr", "key=value"),
        ("tips --set vae.lrr=1", "did you mean vae.lr"),
        ("tips --modells x", "did you mean --models"),
    ],
)
def test_errors_are_one_line(
    arguments: str,
    expected: str,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert expected in fails(capsys, *arguments.split())
    assert not list(tmp_path.iterdir()), "nothing is left behind"


def test_the_best_of_a_column() -> None:
    figure = Figure(name="f", label="F", goal="max", bounds=(0, 1), best=None, meaning="", digits=2)
    lines = [
        Line("a", False, values={"f": 0.501}),
        Line("b", False, values={"f": 0.499}),
        Line("c", True, values={"f": 1.0}),
    ]
    _mark(figure, lines, None)
    assert [sorted(line.best) for line in lines] == [["f"], ["f"], []], "equal as printed"
    for line, expected in zip(lines, ([], ["f"], []), strict=True):
        line.best.clear()
        line.values["f"] += 0.1 if line.label == "a" else 0.0
        assert not expected or line.label == "b"
    _mark(replace(figure, goal="target"), lines, 0.4)
    assert [sorted(line.best) for line in lines] == [[], ["f"], []]
    for line in lines:
        line.best.clear()
    _mark(replace(figure, goal="target"), lines, None)
    _mark(figure, lines[:1], None)
    assert not any(line.best for line in lines), "nothing to compare with"


def test_latent_use_stands_beside_the_figures_of_difflm() -> None:
    figure = Figure(name="shape", label="Shape error %", goal="min", bounds=(0, 100), best=0.0, meaning="")
    made = [
        {"name": name, "count": 5, "scores": {"shape": 1.0}, "spread": {}, "sets": 1}
        for name in ("generated", "posterior", "decoder_alone")
    ]
    cell = Cell(
        "t", "difflm", 0, {}, "done", rows=5, train_seconds=1, sample_seconds=1, peak_mb=9, scores=made
    )
    cell.figures, cell.latent = [figure.to_dict()], {"kl": 8.0, "reconstruction": 0.5}
    other = replace(cell, seed=1, latent={"kl": 10.0, "reconstruction": 0.7})
    comparison = compare("t", [cell, other], [])
    own, posterior, alone = comparison.lines
    assert own.values["kl"] == 9.0 and own.values["reconstruction"] == pytest.approx(0.6)
    assert posterior.label == "difflm: decoded from encoded real rows" and posterior.values["kl"] == 9.0
    assert "kl" not in alone.values and "train_seconds" not in alone.values
    assert "9.0 ± 1.4" in comparison.text()
