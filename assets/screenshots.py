"""Pictures of every page: `python assets/screenshots.py --out DIR --themes light dark --widths 1360 390`.

With `--readme` only the pictures of the README, straight into assets/. Needs Chromium and playwright.
"""

from __future__ import annotations

import argparse
import os
import re
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.browser.clicks import click_point  # noqa: E402
from tests.browser.server import app, browser, settle  # noqa: E402

PAGES = ("", "data", "train", "runs", "latent_map", "interpolate", "generate", "compare")
README = {"interpolate": "app", "latent_map": "latent_map", "compare": "compare"}
"""Page and name of the README's pictures."""


def prepare(page: Any, name: str) -> None:
    """Bring a page into the state that shows most of it."""
    if name in ("latent_map", "interpolate"):
        page.get_by_role("combobox", name="Colour by").click()
        option = page.get_by_role("option", name="continent")
        page.wait_for_timeout(500)
        option.click() if option.count() else page.keyboard.press("Escape")
        settle(page)
    if name == "interpolate":
        page.get_by_role("button", name="Two random rows").click()
        page.get_by_text("The way, row by row").wait_for(timeout=60_000)
    if name == "latent_map":
        click_point(page, 3)
        page.get_by_text(re.compile("Nearest real (rows|documents)")).first.wait_for(timeout=60_000)
    if name == "generate":
        page.get_by_role("button", name="Generate", exact=True).click()
        page.get_by_text("Valid at the first try").wait_for(timeout=60_000)
    if name == "data":
        page.get_by_text("Built-in data", exact=True).first.click()
        page.get_by_text("What the model reads").wait_for(timeout=60_000)
    settle(page, 1_500)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "assets")
    parser.add_argument("--run", default="demo-gapminder")
    parser.add_argument("--pages", nargs="*", default=None)
    parser.add_argument("--themes", nargs="*", default=["light"])
    parser.add_argument("--widths", nargs="*", type=int, default=[1360])
    parser.add_argument("--readme", action="store_true")
    parser.add_argument("--log", type=Path, default=None, help="File for the output of the app")
    chosen = parser.parse_args()
    pages = chosen.pages if chosen.pages is not None else tuple(README) if chosen.readme else PAGES
    chosen.out.mkdir(parents=True, exist_ok=True)
    environment = {k: v for k, v in os.environ.items() if k.startswith("DIFFLM_")}
    with app(environment, log=chosen.log) as url, browser() as chrome:
        for theme in chosen.themes:
            for width in chosen.widths:
                context = chrome.new_context(
                    viewport={"width": width, "height": 900}, color_scheme=theme, device_scale_factor=1
                )
                for name in pages:
                    page = context.new_page()
                    page.goto(f"{url}/{name.removeprefix('home')}?run={chosen.run}")
                    page.get_by_role("heading", level=1).wait_for(timeout=60_000)
                    settle(page)
                    prepare(page, name)
                    height = page.evaluate(
                        "document.querySelector('[data-testid=stMainBlockContainer]').scrollHeight"
                    )
                    page.set_viewport_size(
                        {"width": width, "height": 1180 if chosen.readme else int(height) + 80}
                    )
                    settle(page, 800)
                    file = f"{README[name]}.png" if chosen.readme else f"{name or 'home'}-{theme}-{width}.png"
                    page.screenshot(path=chosen.out / file)
                    print(chosen.out / file, flush=True)
                    page.close()
                context.close()


if __name__ == "__main__":
    main()
