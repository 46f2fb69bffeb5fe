"""Fixtures of all tests of the app: an empty runs root with a fake model, and a first visitor; names of cases."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.app_pages import ROOT, Open
from tests.fakes import fake_pipeline


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Bytes are named by their argument: a gzip or zip file holds the time it was made, and the processes of
    pytest-xdist have to agree on the names of all cases."""
    return argname if isinstance(val, bytes) else None


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty runs root, a demo that is not there, and a fake model."""
    monkeypatch.setenv("DIFFLM_RUNS", str(tmp_path / "runs"))
    monkeypatch.setenv("DIFFLM_DEMOS", str(tmp_path))
    monkeypatch.setitem(sys.modules, "difflm.pipeline", fake_pipeline())
    return tmp_path


@pytest.fixture
def open_page(root: Path) -> Open:
    """Opens a page of the app the way a first visitor does."""

    def open_page(page: str, **query: str) -> AppTest:
        at = AppTest.from_file(str(ROOT / "app.py"), default_timeout=30)
        for name, value in query.items():
            at.query_params[name] = value
        at.run()
        if page != "home":
            at.switch_page(f"pages/{page}.py").run()
        assert not at.exception, at.exception
        return at

    return open_page
