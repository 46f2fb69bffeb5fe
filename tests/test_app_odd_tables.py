"""Tables that are very short, very wide or rather large: every page holds, and what is too little is said."""

from __future__ import annotations

from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.app_pages import Open, press, words
from tests.fakes import fake_run
from tests.odd_tables import large, short, wide


def uploaded(open_page: Open, content: bytes) -> AppTest:
    at = open_page("data")
    at.file_uploader[0].upload("odd.csv", content, "text/csv").run()
    assert not at.exception, at.exception
    return at


def test_five_rows_are_too_few_and_it_is_said(open_page: Open) -> None:
    at = uploaded(open_page, short().to_csv(index=False).encode())
    assert [("10 rows" in error.value, "5" in error.value) for error in at.error] == [(True, True)]
    assert "Use this table" not in [button.label for button in at.button]


@pytest.mark.parametrize("content", [wide().to_csv(index=False).encode(), large(1.0)], ids=["wide", "large"])
def test_wide_and_large_tables_go_on_to_training(open_page: Open, content: bytes) -> None:
    at = uploaded(open_page, content)
    assert not at.error
    press(at, "Use this table")
    assert "Start training" in [button.label for button in at.button]
    assert any("difflm fit" in block.value for block in at.code)


@pytest.mark.parametrize(
    "page", ["latent_map", "interpolate", "generate", "compare", "share", "runs", "train"]
)
def test_pages_of_a_run_with_three_hundred_columns(open_page: Open, root: Path, page: str) -> None:
    fake_run(root / "runs" / "wide", frame=wide())
    at = open_page(page, run="wide")
    assert not at.error and not at.exception
    if page == "latent_map":
        at.session_state["point-wide"] = "r3"
        at.run()
        assert not at.exception and "Real row 3" in words(at)
    if page == "interpolate":
        next(button for button in at.button if button.label == "Two random rows").click().run()
        assert not at.exception and "The way, row by row" in words(at)
    if page == "generate":
        at.number_input(key="gen-count-row").set_value(20).run()
        press(at, "Generate")
