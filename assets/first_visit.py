"""A first visit, as a picture of each step: upload a table, train, generate, download, compare.

    python assets/first_visit.py TABLE.csv --out DIR [--target COL] [--theme dark] [--width 390] [--small]

Only what a visitor sees is used: headings, buttons, links. Needs Chromium and playwright.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import pandas as pd
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.server import app, browser, settle  # noqa: E402

TRAINING = 15 * 60_000
SMALL, COLOURS = 800, 96
"""Width and colours of the pictures with --small, which are kept in docs."""


class Visit:
    """One browser window, its pictures by number, and how long each step took."""

    def __init__(self, page: Any, out: Path, small: bool) -> None:
        self.page, self.out, self.small, self.number, self.since = page, out, small, 0, time.monotonic()

    def picture(self, name: str, whole: bool = True) -> None:
        """Of the page as it is now."""
        settle(self.page, 1_200)
        self.number += 1
        if whole:
            block = "document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight"
            width, height = self.page.viewport_size["width"], self.page.viewport_size["height"]
            self.page.set_viewport_size({"width": width, "height": int(self.page.evaluate(block)) + 80})
            settle(self.page, 800)
        path = self.out / f"{self.number}-{name}.png"
        self.page.screenshot(path=path)
        if self.small:
            seen = Image.open(path).convert("RGB")
            seen = seen.resize((SMALL, round(seen.height * SMALL / seen.width)), Image.Resampling.LANCZOS)
            seen.quantize(COLOURS, dither=Image.Dither.NONE).save(path, optimize=True)
        if whole:
            self.page.set_viewport_size({"width": width, "height": height})
        print(f"{self.number} {name}: {time.monotonic() - self.since:.1f} s", flush=True)
        self.since = time.monotonic()

    def press(self, label: str) -> None:
        """A button or a link by its words."""
        found = self.page.get_by_role("button", name=label, exact=True)
        (found if found.count() else self.page.get_by_role("link", name=label)).first.click()


def visit(now: Visit, table: Path, target: str | None) -> None:
    """From Home to a file on disk."""
    page = now.page
    now.picture("home")
    now.press("Use my data")
    page.locator("input[type=file]").set_input_files(table)
    page.get_by_text("What the model reads").wait_for()
    if target:
        choice = page.get_by_role("combobox", name="Column to predict")
        choice.scroll_into_view_if_needed()
        settle(page)
        choice.click()
        page.get_by_role("option", name=target, exact=True).click()
    now.picture("data")
    now.press("Use this table")
    page.get_by_role("button", name="Start training").wait_for()
    now.picture("train")
    now.press("Start training")
    page.get_by_text("3 · Where records lie").wait_for(timeout=TRAINING)
    now.picture("training")
    page.get_by_role("link", name="Generate records").wait_for(timeout=TRAINING)
    now.picture("trained")
    now.press("Generate records")
    page.get_by_role("button", name="Generate", exact=True).click()
    page.get_by_text("Valid at the first try").wait_for()
    now.picture("generated")
    with page.expect_download() as download:
        page.get_by_role("button", name="CSV", exact=True).click()
    made, real = pd.read_csv(download.value.path()), pd.read_csv(table)
    print(f"downloaded {len(made):,} rows with {'the same' if [*made] == [*real] else 'other'} columns")
    page.get_by_role("link", name="Compare with the real rows").click()
    page.get_by_role("button", name="Evaluate", exact=True).click()
    page.get_by_text("Columns, worst first").wait_for(timeout=TRAINING)
    now.picture("compared")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("table", type=Path)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--target", default=None)
    parser.add_argument("--theme", default="light", choices=["light", "dark"])
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--small", action="store_true", help="pictures of few kilobytes")
    chosen = parser.parse_args()
    chosen.out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, app({"DIFFLM_RUNS": folder}) as url, browser() as chrome:
        window = chrome.new_context(
            viewport={"width": chosen.width, "height": 900}, color_scheme=chosen.theme, accept_downloads=True
        )
        page = window.new_page()
        page.set_default_timeout(60_000)
        page.goto(url)
        page.get_by_role("heading", level=1).wait_for()
        visit(Visit(page, chosen.out, chosen.small), chosen.table, chosen.target)


if __name__ == "__main__":
    main()
