"""How long the app's pages take in Chromium: Home, page changes, a click on a point, a walk, large maps, UMAP.

The first visitor of a server also waits for what the server imports; each page is opened twice in one visit.

python benchmarks/app.py [--points 20000 100000] [--umap 30000]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from difflm.projection import project  # noqa: E402
from difflm.provenance import machine, versions  # noqa: E402
from tests.browser.clicks import MAP, press_point  # noqa: E402
from tests.browser.server import app, browser, settle  # noqa: E402
from tests.fakes import fake_run  # noqa: E402

PAGES = {
    "Latent map": MAP,
    "Generate": "text=Press Generate",
    "Compare": "section figure svg",
    "Interpolate": MAP,
    "Runs": "canvas",
    "Data": "text=Upload a file, or",
}
"""Pages in the order of the visit, and what has to be seen before a page counts as there."""


def timed(what: str, act: Callable[[], object]) -> None:
    """Run `act` and print its seconds."""
    start = time.monotonic()
    act()
    told(what, time.monotonic() - start)


def told(what: str, seconds: float) -> None:
    print(f"{what:52} {seconds:6.2f} s", flush=True)


def opened(chrome: Any, url: str) -> Any:
    """A page of a new visitor."""
    page = chrome.new_context(viewport={"width": 1360, "height": 1000}).new_page()
    page.set_default_timeout(120_000)
    page.goto(url)
    return page


def recoloured(page: Any, column: str) -> None:
    """Choose another colour and wait until the map is painted with its groups."""
    page.get_by_role("combobox", name="Colour by").click()
    page.get_by_role("option", name=column, exact=True).click()
    page.locator(".legend button", has_text="dog").wait_for()
    page.locator(MAP).first.evaluate(
        "() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))"
    )


def demo(chrome: Any, url: str) -> None:
    """A visitor's way through the bundled demo; the model is loaded by the first click."""

    def home(which: str) -> Any:
        start = time.monotonic()
        page = opened(chrome, url)
        page.get_by_role("heading", level=1).wait_for()
        told(f"Home, heading ({which} visitor)", time.monotonic() - start)
        page.get_by_role("button", name="Use my data").wait_for()
        page.locator("table").first.wait_for()
        told(f"Home, buttons and table ({which} visitor)", time.monotonic() - start)
        page.locator(MAP).first.wait_for()
        told(f"Home, map painted ({which} visitor)", time.monotonic() - start)
        return page

    home("first").close()
    page = home("second")
    settle(page)
    for times in ("first", "second"):
        for name, sign in PAGES.items():

            def change(name: str = name, sign: str = sign) -> None:
                page.get_by_test_id("stSidebarNav").get_by_role("link", name=name).click()
                page.get_by_role("heading", level=1, name=name).wait_for()
                page.locator(sign).first.wait_for()

            timed(f"page change to {name} ({times} time)", change)
            settle(page)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Latent map").click()
    page.get_by_role("heading", level=1, name="Latent map").wait_for()
    for rank, which in enumerate(("first", "second", "third")):
        # The clock runs from the press; finding the place and moving there is the hand's.
        row, press = press_point(page, rank)
        start = time.monotonic()
        press()
        page.get_by_role("heading", name=f"Real row {row}").wait_for()
        page.get_by_text("Nearest real rows").wait_for()
        told(f"click on a point to its record ({which})", time.monotonic() - start)
        settle(page)
    page.get_by_test_id("stSidebarNav").get_by_role("link", name="Interpolate").click()
    page.get_by_role("button", name="Two random rows").wait_for()
    settle(page)

    def walk() -> None:
        page.get_by_role("button", name="Two random rows").click()
        page.get_by_text("The way, row by row").wait_for()

    timed("walk of 9 steps", walk)
    page.close()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--points", type=int, nargs="*", default=[20_000, 100_000])
    parser.add_argument("--umap", type=int, default=30_000, help="latents; 0 for none")
    chosen = parser.parse_args()
    print(f"{machine()}; {versions()}; Chromium without a GPU")
    with browser() as chrome:
        with app({}) as url:
            demo(chrome, url)
        for points in chosen.points:
            with tempfile.TemporaryDirectory() as place:
                fake_run(Path(place) / "runs" / "large", rows=points * 10 // 8)
                with app({"DIFFLM_RUNS": str(Path(place) / "runs")}) as url:
                    page = opened(chrome, url)
                    settle(page)

                    def draw(page: Any = page, url: str = url) -> None:
                        page.goto(f"{url}/latent_map?run=large")
                        page.locator(MAP).first.wait_for()

                    timed(f"map of {points:,} points, first paint", draw)
                    settle(page)
                    timed(
                        f"map of {points:,} points, recoloured", lambda page=page: recoloured(page, "animal")
                    )
                    settle(page)
                    print("  " + page.get_by_text("Scroll to zoom").first.inner_text())
                    page.close()
    if chosen.umap:
        z = np.random.default_rng(0).normal(size=(chosen.umap, 16)).astype(np.float32)
        timed(f"UMAP of {chosen.umap:,} latents of 16", lambda: project(z, "umap", 0))


if __name__ == "__main__":
    main()
