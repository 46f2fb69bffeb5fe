"""The whole chain by clicks in Chromium: upload, train, watch, map, two points, generate, compare, download."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.browser.clicks import click_point
from tests.browser.server import app, browser, chromium, settle
from tests.fakes import fake_run, table

pytest.importorskip("playwright", reason="playwright is not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path, Any]]:
    """Address of a running app, its folder, and a browser."""
    folder = tmp_path_factory.mktemp("app")
    fake_run(folder / "demo-gapminder")
    env = {"DIFFLM_RUNS": str(folder / "runs"), "DIFFLM_DEMOS": str(folder)}
    with app(env, log=folder / "app.log") as url, browser() as chrome:
        yield url, folder, chrome


def open_page(site: tuple[str, Path, Any], path: str = "") -> Any:
    context = site[2].new_context(viewport={"width": 1280, "height": 1000}, accept_downloads=True)
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.goto(f"{site[0]}/{path}")
    page.get_by_role("heading", level=1).wait_for()
    return page


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("data", "Data"),
        ("train", "Train"),
        ("runs", "Runs"),
        ("latent_map", "Latent map"),
        ("interpolate", "Interpolate"),
        ("generate", "Generate"),
        ("compare", "Compare"),
    ],
)
def test_cold_deep_links_work(site: tuple[str, Path, Any], path: str, title: str) -> None:
    page = open_page(site, f"{path}?run=demo-gapminder")
    assert page.get_by_role("heading", level=1).inner_text() == title
    settle(page)
    assert page.get_by_test_id("stException").count() == 0
    assert "run=demo-gapminder" in page.url
    page.close()


def test_chain(site: tuple[str, Path, Any], tmp_path: Path) -> None:
    file = tmp_path / "animals.csv"
    table(400).to_csv(file, index=False)
    page = open_page(site)
    page.get_by_role("button", name="Use my data").click()
    page.locator("input[type=file]").set_input_files(file)
    page.get_by_text("What the model reads").wait_for()
    page.get_by_role("button", name="Use this table").click()

    page.get_by_text("Advanced: every setting").click()
    limit = page.get_by_role("spinbutton", name="time limit")
    limit.fill("0.3")
    limit.press("Enter")
    settle(page)
    assert page.get_by_text("0.3 min").first.is_visible()
    page.get_by_role("button", name="Start training").click()
    page.get_by_text("2 · Latent space").wait_for(timeout=120_000)
    assert "run=animals" in page.url
    page.reload()
    page.get_by_role("link", name="See the map").wait_for(timeout=180_000)
    page.get_by_role("link", name="See the map").click()

    page.get_by_text("Click a point to see its row").wait_for()
    row = click_point(page, 0)
    page.get_by_role("heading", name=f"Real row {row}").wait_for()
    page.get_by_text("Nearest real rows").wait_for()

    page.get_by_role("link", name="Walk between two records").click()
    page.get_by_text("Click two points on the map").wait_for()
    a, b = click_point(page, 0), click_point(page, 1)
    page.get_by_text("The way, row by row").wait_for()
    assert page.get_by_role("spinbutton", name="A: real row number").input_value() == str(a)
    assert page.get_by_role("spinbutton", name="B: real row number").input_value() == str(b)

    page.get_by_role("link", name="Generate records").click()
    page.get_by_role("button", name="Generate", exact=True).click()
    page.get_by_text("Valid at the first try").wait_for()
    settle(page)
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    made = pd.read_csv(download.value.path())
    assert len(made) == 1_000 and list(made.columns) == list(table(1).columns)

    page.get_by_role("link", name="Compare with the real rows").click()
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.get_by_text("Columns, worst first").wait_for(timeout=240_000)
    with page.expect_download() as download:
        page.get_by_role("button", name="Report as one HTML page").click()
    assert "<html" in Path(download.value.path()).read_text()[:500]
    page.close()


def test_two_visitors_at_once_see_only_their_own_uploads(site: tuple[str, Path, Any], tmp_path: Path) -> None:
    before = {path.parent for path in (site[1] / "runs" / "uploads").glob("*/*.parquet")}
    visitors = {}
    for name in ("cats", "dogs"):
        file = tmp_path / f"{name}.csv"
        table(60).to_csv(file, index=False)
        visitors[name] = open_page(site, "data")
        visitors[name].locator("input[type=file]").set_input_files(file)
    for page in visitors.values():
        page.get_by_role("button", name="Use this table").click()
    for name, page in visitors.items():
        page.get_by_role("button", name="Start training").wait_for()
        seen = page.get_by_test_id("stMain").inner_text()
        assert f"Table: {name}" in seen and not [other for other in {*visitors} - {name} if other in seen]
    folders = {path.parent for path in (site[1] / "runs" / "uploads").glob("*/*.parquet")} - before
    assert len(folders) == 2 and all(folder.stat().st_mode & 0o077 == 0 for folder in folders)
    for page in visitors.values():
        page.close()
