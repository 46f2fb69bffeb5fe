"""A stand-in for the model, in an empty folder, and a finished run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from difflm.cli import evaluate, latents, sample
from difflm.runs import Run
from tests.fake_facade import FakeModel, module, use_module


@pytest.fixture(autouse=True)
def calls(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[tuple[str, dict[str, Any]]]:
    """The stand-in in place of the facade, in an empty folder."""
    monkeypatch.setitem(sys.modules, "difflm.pipeline", module())
    monkeypatch.setitem(sys.modules, "difflm.latent_use", use_module())
    for command in (sample, latents, evaluate):
        monkeypatch.setattr(command, "read_frame", lambda path: pd.read_csv(path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(FakeModel, "calls", [])
    return FakeModel.calls


@pytest.fixture
def run(tmp_path: Path) -> Run:
    made = Run.create(tmp_path / "runs" / "a", {"preset": "quick"})
    made.write_status(state="done")
    return made
