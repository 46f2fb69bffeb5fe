"""The real tables, code and tools that tests read where DIFFLM_DATA names their folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def real_data(part: str) -> Path:
    """The folder of real data; the test is skipped where it has no folder `part`."""
    root = os.environ.get("DIFFLM_DATA")
    if not root or not (Path(root) / part).is_dir():
        pytest.skip(f"DIFFLM_DATA names no folder with {part}/")
    return Path(root)
