"""Clicks on the points of a map, found by asking it where they are on the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.browser.server import settle

MAP = "canvas[data-drawn]"
"""A latent map that has been painted."""
ALONE = """(canvas, rank) => {
  const map = canvas.latentMap, box = canvas.getBoundingClientRect(), points = [];
  for (let i = 0; i < map.data.n; i++) {
    const [x, y] = map.at(map.data.xy[2 * i], map.data.xy[2 * i + 1]);
    points.push([map.id(i), box.left + x, box.top + y]);
  }
  const gap = p => Math.min(...points.map(q => q === p ? 1e9 : Math.hypot(p[1] - q[1], p[2] - q[2])));
  return points.filter(p => p[0][0] === 'r').map(p => [gap(p), p]).sort((a, b) => b[0] - a[0])[rank][1];
}"""
"""Id and place on the screen of the real point that is the rank-th farthest from all others."""


def press_point(page: Any, rank: int) -> tuple[int, Callable[[], None]]:
    """Move to a real point that stands alone; its row number, and the press that is left to do."""
    canvas = page.locator(MAP).first
    canvas.scroll_into_view_if_needed()
    settle(page, 1_000)
    identifier, x, y = canvas.evaluate(ALONE, rank)
    page.mouse.move(x - 3, y - 3)
    page.mouse.move(x, y, steps=4)
    page.wait_for_timeout(300)
    return int(identifier[1:]), lambda: page.mouse.click(x, y)


def click_point(page: Any, rank: int) -> int:
    """Click a real point that stands alone, as a hand would; its row number."""
    row, press = press_point(page, rank)
    press()
    settle(page)
    return row
