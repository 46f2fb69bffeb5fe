"""Whether the core of a run says something: tables and documents, full and empty cores, and what the pages then say."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from difflm.core_use import core_use
from difflm.map_data import read_latents
from difflm.runs import Run
from tests.app_pages import Open, words
from tests.fakes import fake_documents, fake_run

DEMO = Path(__file__).resolve().parents[1] / "checkpoints" / "demo-gapminder"


def use_of(run: Run) -> object:
    return core_use(Path(run.path), read_latents(Path(run.path)))


def written(run: Run, **known: object) -> Run:
    (run.directory("vae") / "latent.json").write_text(json.dumps(known))
    return run


def test_the_core_of_the_demo_says_a_lot() -> None:
    use = use_of(Run.open(DEMO))
    assert use is not None and not use.says_little
    assert use.same < 0.1 < use.core and use.told > 0.9


def test_one_column_that_comes_back_is_enough(tmp_path: Path) -> None:
    columns = {"animal": 0.34, "colour": 0.3, "tame": 0.72}
    poor = use_of(
        written(fake_run(tmp_path / "a"), kl=9, reconstruction=0.9, core=0.3, core_per_column=columns)
    )
    # The fake latents are made of the cells, so that numbers can be read off them.
    assert poor is not None and poor.told > 0.8 and not poor.says_little


def test_a_latent_of_noise_says_little(tmp_path: Path) -> None:
    run = fake_run(tmp_path / "a")
    latents = read_latents(run.path)
    latents.real[:] = np.random.default_rng(0).normal(size=latents.real.shape)
    written(run, kl=9.0, reconstruction=0.9, core=0.3, core_per_column={"animal": 0.36})
    use = core_use(run.path, latents)
    assert use is not None and use.told < 0.1 and use.says_little


def test_an_empty_latent_says_little_whatever_comes_back(tmp_path: Path) -> None:
    run = written(fake_run(tmp_path / "a"), kl=0.2, reconstruction=0.9, core_per_column={"animal": 0.99})
    use = use_of(run)
    assert use is not None and use.says_little


@pytest.mark.parametrize(("core", "little"), [(0.4, True), (0.95, False)])
def test_documents_are_held_against_one_document_for_all(tmp_path: Path, core: float, little: bool) -> None:
    use = use_of(fake_documents(tmp_path / "a", core))
    assert use is not None and 0.2 < use.same < 0.6
    assert use.says_little is little


def test_a_run_without_figures_is_not_judged(tmp_path: Path) -> None:
    assert use_of(fake_run(tmp_path / "a")) is None


@pytest.mark.parametrize(
    ("page", "says"),
    [("latent_map", "where a point lies"), ("interpolate", "between A and B"), ("generate", "depend little")],
)
def test_pages_say_it_at_the_top_and_call_documents_documents(
    open_page: Open, root: Path, page: str, says: str
) -> None:
    fake_documents(root / "runs" / "tools", 0.4)
    at = open_page(page, run="tools")
    assert len(at.warning) == 1 and says in at.warning[0].value
    assert "40% of the values of an unseen document" in at.warning[0].value
    body = words(at).replace("row of a table", "").lower()
    assert " row" not in body, [line for line in body.splitlines() if " row" in line]


def test_pages_of_documents_that_are_well_told_have_no_warning(open_page: Open, root: Path) -> None:
    fake_documents(root / "runs" / "tools", 0.95)
    assert not open_page("latent_map", run="tools").warning
