"""A shared demo: visitors see the demos and their own; trainings are short, one at a time; old things go."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from tests.app_pages import Open, press, words
from tests.fakes import fake_run


@pytest.fixture
def public(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SPACE_ID", "someone/demo")


def runs_shown(at) -> list[str]:  # type: ignore[no-untyped-def]
    return list(at.dataframe[0].value["Run"])


@pytest.mark.usefixtures("public")
def test_other_peoples_runs_are_not_shown_but_a_link_opens(open_page: Open, root: Path) -> None:
    fake_run(root / "demo-gapminder")
    fake_run(root / "runs" / "secret-0123456789ab")
    assert runs_shown(open_page("runs")) == ["demo-gapminder (bundled demo)"]
    linked = open_page("runs", run="secret-0123456789ab")
    assert "secret-0123456789ab" in runs_shown(linked)


@pytest.mark.usefixtures("public")
def test_only_short_trainings_under_the_visitors_own_name(open_page: Open, root: Path) -> None:
    fake_run(root / "demo-gapminder")
    at = open_page("train")
    at.segmented_control(key="train-view").set_value("New training").run()
    at.selectbox(key="train-builtin").set_value("tips").run()
    assert not at.exception and len(at.radio[0].options) == 1
    mark = at.session_state["visitor"][:12]
    command = "\n".join(code.value for code in at.code)
    assert f"tips-{mark}" in command and "input.max_rows=20000" in command


@pytest.mark.usefixtures("public")
def test_training_can_be_off(open_page: Open, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DIFFLM_TRAINING", "off")
    at = open_page("train")
    at.selectbox(key="train-builtin").set_value("tips").run()
    assert "training is on" in words(at) and "Start training" not in [b.label for b in at.button]


@pytest.mark.usefixtures("public")
def test_what_is_a_day_old_goes_when_somebody_comes(open_page: Open, root: Path) -> None:
    old, fresh = fake_run(root / "runs" / "old-0123456789ab"), fake_run(root / "runs" / "new-0123456789ab")
    day_ago = time.time() - 2 * 24 * 3600
    for path in (old.path, *old.path.glob("*")):
        os.utime(path, (day_ago, day_ago))
    open_page("home")
    assert not old.path.exists() and fresh.path.exists()


@pytest.mark.usefixtures("public")
def test_it_says_where_an_upload_goes_and_shows_no_folders(open_page: Open, root: Path) -> None:
    run = fake_run(root / "demo-gapminder")
    for page in ("home", "data"):
        told = words(open_page(page))
        assert "goes to its server" in told and "leaves this machine" not in told
    command = open_page("share", run="demo-gapminder").code[0].value
    assert "share demo-gapminder --out" in command and str(run.path.parent) not in command


def test_ones_own_machine_has_no_such_limits(open_page: Open, root: Path) -> None:
    fake_run(root / "runs" / "mine")
    assert runs_shown(open_page("runs")) == ["mine"]
    assert "Nothing leaves this machine" in words(open_page("data"))


def test_a_deleted_run_can_be_brought_back(open_page: Open, root: Path) -> None:
    run = fake_run(root / "runs" / "mine")
    at = open_page("runs")
    from pages.shared import run_table

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(run_table, "choose_run", lambda name: None)
        patch.setattr(run_table, "put_aside", lambda: root / "runs" / ".deleted" / "last")
        run_table.delete(run)
    assert not run.path.exists()
    at.run()
    assert "was deleted" in words(at)
    press(at, "Undo")
    assert run.path.exists() and runs_shown(at) == ["mine"]
