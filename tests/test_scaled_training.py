"""Training by several processes: the loss curve of one, and a resume by another number of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import tiny_lm
import torch
from launching import ROOT, finish, launcher, start
from test_loop import make_loop, weights
from test_pipeline import people

from difflm.errors import ConfigError
from difflm.runs import Run
from difflm.training.host import Host

SCRIPT = str(ROOT / "tests" / "short_training.py")
FIGURES = ("loss", "copy_loss", "reconstruction", "kl", "detail_kl", "core_accuracy")


@pytest.fixture(autouse=True)
def full_precision(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gradients that are rounded to bfloat16 before they are added agree to three digits only."""
    monkeypatch.setenv("DIFFLM_PRECISION", "float32")


@pytest.fixture(scope="module")
def one(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run by one process, which saw every step."""
    run = tmp_path_factory.mktemp("one") / "run"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFLM_PRECISION", "float32")
        finish(start(1, SCRIPT, str(run), "0", "{}"))
    return run


def curve(run: Path) -> list[dict[str, Any]]:
    return [row for row in Run(run).read_metrics()[0] if "step" in row]


def check_same(run: Path, other: Path) -> None:
    """The same steps with the same figures to 1e-4."""
    mine, theirs = curve(run), curve(other)
    assert [(r["stage"], r["split"], r["step"]) for r in mine] == [
        (r["stage"], r["split"], r["step"]) for r in theirs
    ]
    for row, same in zip(mine, theirs, strict=True):
        for name in set(FIGURES) & set(row):
            assert row[name] == pytest.approx(same[name], rel=1e-4), (row, same)


def test_two_processes_train_what_one_does(one: Path, tmp_path: Path) -> None:
    finish(start(2, SCRIPT, str(tmp_path / "two"), "0", "{}"))
    check_same(tmp_path / "two", one)
    stages = {(r["stage"], r["split"]) for r in curve(one)}
    assert len(stages) == 6
    assert Run(tmp_path / "two").status.state == "done"


@pytest.mark.parametrize(("before", "after"), [(2, 1), (1, 2)])
def test_another_number_of_processes_goes_on(one: Path, tmp_path: Path, before: int, after: int) -> None:
    run = tmp_path / "run"
    finish(start(before, SCRIPT, str(run), "50", "{}"))
    assert Run(run).status.state == "stopped"
    finish(start(after, SCRIPT, str(run), "0", "{}"))
    assert Run(run).status.state == "done"
    check_same(run, one)


def test_processes_hold_the_layers_of_a_frozen_lm_together(tmp_path: Path) -> None:
    path = tiny_lm.save_llama(tmp_path / "lm", tiny_lm.byte_level(bos_token="<s>", eos_token="</s>"))
    plain = {"decoder.kind": "causal_lm", "decoder.path": str(path), "decoder.training": "frozen"}
    plain |= {"injection.tokens": 4, "decoder.max_tokens": 120, "input.max_rows": 60}
    plain |= {"vae.epochs": 1, "vae.batch_size": 16, "vae.evaluations": 2, "prior.kind": "gmm"}
    finish(start(1, SCRIPT, str(tmp_path / "one"), "0", json.dumps(plain)))
    told = finish(start(2, SCRIPT, str(tmp_path / "two"), "0", json.dumps({**plain, "decoder.shard": True})))
    check_same(tmp_path / "two", tmp_path / "one")
    passes = [int(text.split("layers gathered: ")[1].split()[0]) for text in told]
    assert passes[0] == passes[1] > 0


def test_a_launched_command_trains_one_run(tmp_path: Path) -> None:
    people(120).to_csv(tmp_path / "people.csv", index=False)
    tiny = ["decoder.width=32", "decoder.layers=1", "encoder.width=32", "encoder.layers=1", "prior.width=32"]
    tiny += ["vae.epochs=1", "lm.epochs=1", "prior.steps=5", "vae.evaluations=2"]
    command = [
        "difflm",
        "fit",
        str(tmp_path / "people.csv"),
        "--run",
        str(tmp_path / "run"),
        "--preset",
        "quick",
    ]
    command += ["--time-limit", "1", *(word for text in tiny for word in ("--set", text))]
    (said,) = finish(start(1, *launcher("accelerate"), "-m", *command))
    assert said.count("done: ") == 1
    rows = Run(tmp_path / "run").read_metrics()[0]
    seen = [(r["stage"], r["split"], r["step"]) for r in rows if "step" in r]
    assert len(seen) == len(set(seen)), "only rank 0 writes"
    again = start(2, "-m", *command)
    told = "".join(process.communicate(timeout=120)[0] for process in again)
    assert [process.returncode for process in again] == [2, 2]
    assert told.count("difflm:") == 1 and "finished run" in told


def test_parts_one_after_the_other_are_the_same_step() -> None:
    whole, parts = make_loop(Host()), make_loop(Host(), accumulation=4)
    whole.run()
    parts.run()
    torch.testing.assert_close(weights(parts), weights(whole), rtol=1e-4, atol=1e-5)


def test_more_processes_than_records_are_refused() -> None:
    with pytest.raises(ConfigError, match="16 records a step"):
        make_loop(Host(), accumulation=17)
