"""A command that is expected to fail, and what it says."""

from __future__ import annotations

import pytest

from difflm.cli.command import execute


def fails(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """The one line that a command ends with."""
    assert execute(arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[-1].startswith("difflm: ")
    return lines[-1]
