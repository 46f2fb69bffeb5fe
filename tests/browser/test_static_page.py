"""The page of a run, opened from disk: click, colour, walk."""

from __future__ import annotations

from pathlib import Path

import pytest

from difflm.runs import Run
from difflm.sharing.static_page import Choice, write_page
from tests.browser.server import ROOT, browser, chromium

pytestmark = pytest.mark.skipif(chromium() is None, reason="needs Chromium")
PLACE = """() => {
  const map = document.getElementById('map'), box = map.getBoundingClientRect(), l = map._fullLayout;
  const i = D.real.map((real, n) => [real, n]).filter(p => !p[0]).map(p => p[1])
    .sort((a, b) => D.x[a] - D.x[b])[0];
  return [box.x + l.xaxis._offset + l.xaxis.d2p(D.x[i]), box.y + l.yaxis._offset + l.yaxis.d2p(D.y[i]), D.rows[i][0]];
}"""
"""Where the leftmost synthetic point is on the screen, and its first cell."""


def test_click_colour_and_walk(tmp_path: Path) -> None:
    run = Run.open(ROOT / "checkpoints" / "demo-gapminder")
    place = write_page(run, tmp_path, Choice(points=300, anchors=3, steps=5))
    with browser() as chrome:
        page = chrome.new_page(viewport={"width": 1200, "height": 900})
        wrong: list[str] = []
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.goto(place.as_uri())
        page.wait_for_selector("#map .main-svg")
        page.wait_for_timeout(500)
        x, y, first = page.evaluate(PLACE)
        page.mouse.move(x, y)
        page.wait_for_timeout(200)
        page.mouse.click(x, y)
        page.wait_for_function(f"document.getElementById('record').textContent.includes({first!r})")
        page.select_option("#colour", "continent")
        page.wait_for_function("document.getElementById('map').data.some(t => t.name === 'Africa')")
        before = page.inner_text("#walk")
        page.locator("#step").press("End")
        assert page.inner_text("#where") == "5 of 5" and page.inner_text("#walk") != before
        page.select_option("#to", "0")
        assert "two different anchors" in page.inner_text("#walk")
        assert not wrong
        page.close()
