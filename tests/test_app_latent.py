"""What one does with latents in the app: a lasso, more like these, an edited row; colours by surroundings."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.app_pages import Open, press, words
from tests.fakes import fake_run

RUN = "one"


def test_a_lasso_shows_what_the_points_share_and_makes_more(open_page: Open, root: Path) -> None:
    run = fake_run(root / "runs" / RUN)
    at = open_page("latent_map", run=RUN)
    at.session_state[f"group-{RUN}"] = ["r0", "r1", "r5", "s2"]
    at.run()
    assert not at.exception and "4 points drawn around" in words(at)
    assert "3 real and 1 synthetic" in words(at)
    table = at.dataframe[0].value
    assert set(table["column"]) == {"animal", "size", "legs", "colour", "tame"}
    assert table["difference"].is_monotonic_decreasing
    before = len(list((run.path / "samples").glob("*.parquet")))
    at.number_input(key=f"group-{RUN}-count").set_value(20).run()
    press(at, "Generate more like these")
    assert len(list((run.path / "samples").glob("*.parquet"))) == before + 1
    assert len(at.dataframe[1].value) == 20
    press(at, "Let them go")
    assert "drawn around" not in words(at)


def test_a_lasso_of_points_that_are_gone_is_forgotten(open_page: Open, root: Path) -> None:
    fake_run(root / "runs" / RUN)
    at = open_page("latent_map", run=RUN)
    at.session_state[f"group-{RUN}"] = ["s9999", "r0"]
    at.run()
    assert not at.exception and "drawn around" not in words(at)


@pytest.mark.parametrize(
    "color", ["distance to the nearest real record", "density of real records around it"]
)
def test_colours_by_surroundings(open_page: Open, root: Path, color: str) -> None:
    fake_run(root / "runs" / RUN)
    at = open_page("latent_map", run=RUN)
    at.selectbox(key=f"map-color-{RUN}").set_value(color).run()
    assert not at.exception and not at.error


def test_a_row_is_moved_along_a_column(open_page: Open, root: Path) -> None:
    fake_run(root / "runs" / RUN)
    at = open_page("interpolate", run=RUN)
    at.segmented_control(key="walk-what").set_value("edit").run()
    assert not at.exception and not at.error
    at.selectbox(key=f"edit-column-{RUN}").set_value("size").run()
    at.slider(key=f"edit-reach-{RUN}-True").set_value(-3.0).run()
    sizes = at.dataframe[0].value["size"].astype(float)
    assert len(sizes) == 9 and sizes.iloc[-1] < sizes.iloc[0]
    at.selectbox(key=f"edit-column-{RUN}").set_value("animal").run()
    at.selectbox(key=f"edit-value-{RUN}-animal").set_value("horse").run()
    at.slider(key=f"edit-reach-{RUN}-False").set_value(2.0).run()
    assert not at.exception and at.dataframe[0].value["animal"].iloc[-1] == "horse"
