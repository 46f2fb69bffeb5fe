"""A run belongs to disk: it outlives the tab and the server, says when it was killed, and waits for its turn."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from difflm import jobs
from difflm.runs import Run, list_runs
from tests.browser.server import app, browser, chromium, settle

pytest.importorskip("playwright", reason="playwright is not installed")
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium() is None, reason="no Chromium on this machine"),
]
TESTS = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def chrome() -> Iterator[Any]:
    with browser() as made:
        yield made


@pytest.fixture
def place(tmp_path: Path) -> Iterator[tuple[dict[str, str], Path]]:
    """Environment of an app whose workers take steps without a model, and its runs root."""
    site = tmp_path / "site"
    site.mkdir()
    (site / "sitecustomize.py").write_text("import fake_facade\n")
    root = tmp_path / "runs"
    yield (
        {
            "DIFFLM_RUNS": str(root),
            "DIFFLM_DEMOS": str(tmp_path / "no-demos"),
            "PYTHONPATH": os.pathsep.join([str(site), str(TESTS)]),
            "DIFFLM_FAKE": "1",
            "FAKE_SECONDS": "300",
        },
        root,
    )
    for run in list_runs(root):
        if run.status.active:
            jobs.kill(run)


def open_page(chrome: Any, url: str, path: str) -> Any:
    page = chrome.new_context(viewport={"width": 1280, "height": 1000}).new_page()
    page.set_default_timeout(30_000)
    page.goto(f"{url}/{path}")
    page.get_by_role("heading", level=1).wait_for()
    settle(page)
    return page


def choose(page: Any, name: str, run: str) -> None:
    """A built-in table and a name, up to the button that starts."""
    if page.get_by_text("New training", exact=True).count():
        page.get_by_text("New training", exact=True).first.click()
        settle(page)
    page.get_by_role("combobox", name="Built-in data").click()
    page.keyboard.type(name)
    page.keyboard.press("Enter")
    page.get_by_role("button", name="Start training").wait_for()
    box = page.get_by_role("textbox", name="Name of the run")
    box.fill(run)
    box.press("Enter")
    settle(page)


def start(page: Any) -> None:
    page.get_by_role("button", name="Start training").click()
    page.get_by_role("button", name="Stop and save").wait_for()


def until(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it took too long"
        time.sleep(0.1)


def test_tab_closed_worker_killed_server_restarted(chrome: Any, place: tuple[dict[str, str], Path]) -> None:
    env, root = place
    with app(env) as url:
        page = open_page(chrome, url, "train")
        choose(page, "tips", "one")
        start(page)
        page.reload()
        page.get_by_text("1 · Language of the records").wait_for()
        page.close()

        run = Run.open(root / "one")
        before = len(run.read_metrics()[0])
        until(lambda: len(run.read_metrics()[0]) > before)
        page = open_page(chrome, url, "train?run=one")
        page.get_by_text("1 · Language of the records").wait_for()

        pid = run.status.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)
        page.get_by_role("button", name="Resume").wait_for()
        assert page.get_by_text("failed").first.is_visible()
        page.get_by_role("button", name="Resume").click()
        page.get_by_role("button", name="Kill").wait_for()
        until(lambda: run.status.state == "running")
        page.close()
    assert run.status.state == "running"
    with app(env) as url:
        page = open_page(chrome, url, "train")
        page.get_by_role("button", name="Stop and save").click()
        until(lambda: run.status.state == "stopped")
        page.get_by_role("button", name="Resume").wait_for()
        page.close()


def test_two_clicks_start_one_and_a_second_run_waits(chrome: Any, place: tuple[dict[str, str], Path]) -> None:
    env, root = place
    with ExitStack() as stack:
        url = stack.enter_context(app(env))
        first, second = (open_page(chrome, url, "train") for _ in range(2))
        choose(first, "tips", "one")
        choose(second, "tips", "two")
        first.get_by_role("button", name="Start training").dblclick()
        first.get_by_role("button", name="Stop and save").wait_for()
        start(second)
        second.get_by_text("Waits until the run before it has ended").wait_for()
        states = {"one": "running", "two": "queued"}
        until(lambda: {run.name: run.status.state for run in list_runs(root)} == states)
        first.get_by_role("button", name="Stop and save").click()
        until(lambda: Run.open(root / "two").status.state == "running")
        second.get_by_text("1 · Language of the records").wait_for()
        jobs.kill(Run.open(root / "two"))
