"""The page of a run: what is in it, what must not be, and who may overwrite what."""

import io
import json
import re
import zipfile
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from difflm.cli.command import execute
from difflm.pipeline import DiffLM
from difflm.runs import Run
from difflm.sharing.bundle import model_bundle, page_bundle, rows_bundle
from difflm.sharing.cards import model_card
from difflm.sharing.static_page import Choice, _colour, content, far_apart, write_page

DEMO = Path(__file__).resolve().parents[1] / "checkpoints" / "demo-gapminder"


@pytest.fixture(scope="module")
def told() -> dict:
    return content(Run.open(DEMO), Choice(points=400, anchors=4, steps=5))


def test_synthetic_records_are_whole_and_real_ones_are_only_places(told: dict) -> None:
    assert len(told["x"]) == len(told["y"]) == len(told["rows"]) == 400 and told["total"] > 2_000
    for real, row in zip(told["real"], told["rows"], strict=True):
        assert (row is None) == real
    assert any(told["real"]) and not all(told["real"])
    for colour in filter(None, told["colours"].values()):
        shown = colour.get("values") or colour["groups"]
        assert all(value is None for value, real in zip(shown, told["real"], strict=True) if real)
    whole = content(Run.open(DEMO), Choice(points=50, anchors=2, steps=3, real_rows=True))
    assert all(row is not None for row in whole["rows"])


def test_every_pair_of_anchors_has_its_way(told: dict) -> None:
    assert len(told["anchors"]) == 4 and not any(told["real"][i] for i in told["anchors"])
    assert sorted(told["paths"]) == ["0-1", "0-2", "0-3", "1-2", "1-3", "2-3"]
    for path in told["paths"].values():
        assert len(path["rows"]) == len(path["x"]) == 5
        assert all(len(row) == len(told["columns"]) for row in path["rows"])
    first, second = told["paths"]["0-1"], told["paths"]["0-2"]
    assert (first["x"][0], first["y"][0]) == (second["x"][0], second["y"][0])


def test_far_apart_takes_the_corners() -> None:
    corners = np.array([[0, 0], [0, 10], [10, 0], [10, 10]], dtype=np.float32)
    crowd = np.random.default_rng(0).normal(5, 0.5, (100, 2)).astype(np.float32)
    picked = far_apart(np.concatenate([crowd, corners]), 5, 0)
    assert set(picked[1:]) == {100, 101, 102, 103}


def test_colours_of_numbers_categories_and_text() -> None:
    seen = np.array([True] * 30 + [False])
    assert "values" in (_colour(pd.Series(range(31)), seen) or {})
    groups = _colour(pd.Series(["a", "b", None] * 10 + ["a"]), seen) or {}
    assert groups["names"][-1] == "other" and groups["groups"][2] is None and groups["groups"][-1] is None
    assert _colour(pd.Series([f"text {i}" for i in range(31)]), seen) is None


def test_the_page_holds_its_data_and_no_address(tmp_path: Path) -> None:
    page = write_page(Run.open(DEMO), tmp_path / "page", Choice(points=50, anchors=2, steps=3))
    text = page.read_text()
    data = json.loads(re.search(r'id="data">(.*?)</script>', text, re.DOTALL)[1])  # type: ignore[index]
    assert data["run"] == "demo-gapminder" and len(data["rows"]) == 50
    assert "http" not in text.replace("https", "http").split('id="data"')[0]
    assert (tmp_path / "page" / "plotly.min.js").stat().st_size > 1e6


def test_the_command_refuses_to_write_over_other_files(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["share", str(DEMO), "--points", "50", "--anchors", "2", "--steps", "3", "--out"]
    assert execute([*arguments, str(tmp_path / "page")]) == 0
    assert execute([*arguments, str(tmp_path / "page")]) == 0
    (tmp_path / "page" / "mine.txt").write_text("x")
    assert execute([*arguments, str(tmp_path / "page")]) == 2
    assert "one with other files" in capsys.readouterr().err
    assert execute(["share", str(DEMO), "--steps", "2", "--out", str(tmp_path / "other")]) == 2


def names_in(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_bundles_hold_their_cards_and_no_training_rows() -> None:
    run = Run.open(DEMO)
    model = names_in(model_bundle(DiffLM.from_pretrained(run), run))
    assert "demo-gapminder/vae/model.safetensors" in model
    assert not any("train" in name for name in model)
    card = model["demo-gapminder/README.md"].decode()
    assert "gapminder" in card and "## Scores" in card and "holdout" in card and "real person" in card
    rows = names_in(rows_bundle(pd.DataFrame({"a": [1, 2], "b": ["x", None]}), run, seed=3))
    folder = "demo-gapminder-synthetic"
    assert set(rows) == {
        f"{folder}/{name}" for name in ("README.md", "rows.csv", "rows.jsonl", "rows.parquet")
    }
    assert (
        "2 synthetic records" in rows[f"{folder}/README.md"].decode() and b"1,x" in rows[f"{folder}/rows.csv"]
    )
    page = names_in(page_bundle(run, Choice(points=50, anchors=2, steps=3)))
    assert set(page) == {"demo-gapminder/index.html", "demo-gapminder/plotly.min.js"}


def test_a_card_of_a_run_without_scores_says_so(tmp_path: Path) -> None:
    run = Run.create(tmp_path / "run", {"preset": "quick"})
    assert "Not scored yet" in model_card(run) and "check before you pass anything on" in model_card(run)
