"""Ablations: cells by level, kept cells, paired differences, and a whole one on a tiny model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from difflm.ablation.axes import AXES, BASE, Variant, chosen
from difflm.ablation.cells import Cell, Settings
from difflm.ablation.runner import ablate
from difflm.ablation.summary import tabulate
from difflm.cli.command import execute
from difflm.errors import ConfigError
from difflm.metrics import resolve

TINY = {
    "decoder.width": 16,
    "decoder.layers": 1,
    "decoder.heads": 2,
    "encoder.width": 16,
    "encoder.layers": 1,
    "encoder.heads": 2,
    "prior.width": 16,
    "prior.blocks": 1,
    "injection.hidden": 8,
}
SHAPE = [figure.to_dict() for figure in resolve("shape")().figures(None)]  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    rng = np.random.default_rng(0)
    x = rng.normal(size=120).round(2)
    frame = pd.DataFrame({"x": x, "sign": np.where(x > 0, "up", "down"), "k": rng.integers(0, 5, 120)})
    path = tmp_path_factory.mktemp("ablation") / "rows.csv"
    frame.to_csv(path, index=False)
    return path


@pytest.mark.parametrize("axis", AXES)
def test_every_variant_is_a_config_and_differs(axis: str) -> None:
    base = Settings().config(BASE, 0, 1000, None)
    assert len({variant.name for variant in AXES[axis]}) == len(AXES[axis])
    made = [Settings().config(variant, 0, 1000, None) for variant in AXES[axis]]
    # One of an axis of kinds is the default itself.
    assert sum(config == base for config in made) <= 1


def test_levels() -> None:
    assert BASE.level == "training"
    assert Variant("", {"vae.lr": 1}).level == "training"
    assert Variant("", {"prior.width": 8, "sample.noise": 0.0}).level == "prior"
    assert Variant("", {"sample.noise": 0.0}).level == "sampling"
    assert Variant("", {"sample.noise": 0.0, "vae.ema": 0.0}).level == "training"


def test_lengths_are_passes_and_no_clock() -> None:
    config = Settings(passes=6).config(BASE, 3, 1280, None)
    assert (config.vae.epochs, config.prior.steps, config.seed) == (6, 60, 3)
    assert config.lm.epochs == pytest.approx(6 * 0.05 / 0.65)


def test_unknown_axis() -> None:
    with pytest.raises(ConfigError, match=r"axes out of injection, .*but got 'speed'"):
        chosen("speed")


def _cell(name: str, seed: int, shape: float, error: str = "") -> Cell:
    scores = {row: {"shape": shape} for row in ("generated", "posterior", "decoder_alone")}
    return Cell(name, seed, {}, scores, SHAPE, {"kl": 10.0, "core": 0.5, "reconstruction": 0.9}, error=error)


def test_differences_are_paired_by_seed() -> None:
    base = [_cell("defaults", seed, value) for seed, value in enumerate((1.0, 2.0, 3.0))]
    worse = [_cell("worse", seed, value) for seed, value in enumerate((1.5, 2.5, 3.6))]
    noisy = [_cell("noisy", seed, value) for seed, value in enumerate((2.0, 1.0, 3.5))]
    hint = [_cell("hint", seed, value) for seed, value in enumerate((1.5, 2.1, 3.3))]
    broken = [replace(cell, error="NaN") for cell in noisy]
    made = tabulate(
        "beta", base, {"worse": worse, "noisy": noisy, "hint": hint, "broken": broken, "one": worse[:1]}
    )
    assert made.clear == {"worse": {"shape"}, "noisy": set(), "hint": set(), "one": set()}
    assert made.lines[0].values["shape"] == 2.0 and made.lines[0].spread["shape"] == 1.0
    assert len(made.errors) == 3
    assert "kl" not in made.lines[2].values, "the decoder alone has no latent"
    text = made.markdown()
    assert "| worse |" in text and "2.53 ± 1.05 !" in text


def test_whole_on_a_tiny_model(table: Path, tmp_path: Path) -> None:
    axes = {
        "prior": chosen("prior")["prior"],
        "mixed": [
            Variant("no details", {"latent.detail_dim": 0}),
            Variant("colder", {"sample.temperature": 0.5, "sample.diffusion_steps": 3}),
            Variant("the same", {"latent.slots": 4}),
        ],
    }
    settings = Settings(passes=1, changes=TINY, metrics=("shape",))
    said: list[str] = []
    tables = ablate(str(table), axes, [0, 1], settings, tmp_path, "difflm ablate", said.append, rows=60)
    assert [one.axis for one in tables] == ["prior", "mixed"]
    labels = [line.label for line in tables[0].lines]
    assert labels[0] == "defaults" and {"gmm", "gaussian", "diffusion"} <= set(labels)
    own = {line.label: line for line in tables[0].lines}
    assert own["diffusion"].values["shape"] == own["defaults"].values["shape"]
    assert own["gaussian"].values["shape"] != own["defaults"].values["shape"]
    assert all(line.seeds == 2 for line in tables[1].lines)
    assert set(tables[1].curves["no details"]) == {"reconstruction", "kl"}
    for name in ("ablation.json", "ablation.md", "ablation.html"):
        assert "no details" in (tmp_path / name).read_text()
    counted = len(list(tmp_path.rglob("cell.json")))
    # Nothing is trained again, and the tables are the same.
    before = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("cell.json")}
    again = ablate(str(table), axes, [0, 1], settings, tmp_path, "difflm ablate", said.append, rows=60)
    assert [one.to_dict() for one in again] == [one.to_dict() for one in tables]
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("cell.json")} == before
    assert counted == len(before)


def test_a_cell_that_fails_is_a_finding(table: Path, tmp_path: Path) -> None:
    axes = {
        "decoder": [Variant("missing", {"decoder.kind": "causal_lm", "decoder.path": str(tmp_path / "no")})]
    }
    settings = Settings(passes=1, changes=TINY, metrics=("shape",))
    (made,) = ablate(str(table), axes, [0], settings, tmp_path, "difflm ablate", print, rows=60)
    assert len(made.errors) == 1 and "missing, seed 0: RunError" in made.errors[0]
    assert made.lines[0].label == "defaults"


def test_command_line(table: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["ablate", "--data", str(table), "--axis", "speed"]) == 2
    assert "axes out of" in capsys.readouterr().err
    sets = [part for key, value in TINY.items() for part in ("--set", f"{key}={value}")]
    told = ["--axis", "sampling", "--seeds", "0", "--passes", "1", "--rows", "60", "--metrics", "shape"]
    assert execute(["ablate", "--data", str(table), *told, *sets, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "### sampling" in out and "diffusion steps 6" in out
