"""Where and with what a figure was measured: library versions, and the machine."""

from __future__ import annotations

import hashlib
import os
import platform
import sys
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import difflm
from difflm.metrics.base import cores

CODE = "difflm's code"
"""What a code mark is called among versions."""


def versions() -> dict[str, str]:
    """Python and the libraries that the figures depend on."""
    result = {"python": platform.python_version()}
    for name in ("difflm", "numpy", "pandas", "scikit-learn", "scipy", "xgboost", "torch"):
        try:
            result[name] = version(name)
        except PackageNotFoundError:
            continue
    return result


def machine() -> dict[str, Any]:
    """Processor, its cores, and how many of them were used."""
    processor = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if sys.platform == "linux" and cpuinfo.exists():
        for line in cpuinfo.read_text(errors="replace").splitlines():
            if line.startswith("model name"):
                processor = line.partition(":")[2].strip()
                break
    return {
        "processor": processor,
        "cores": os.cpu_count(),
        "threads_used": cores(),
        "system": platform.system(),
    }


@cache
def code_mark() -> str:
    """A mark of difflm's own source text: a working copy changes faster than its version number."""
    package = Path(difflm.__file__).parent
    files = sorted(
        path for path in package.rglob("*.py") if "benchmark" not in path.relative_to(package).parts
    )
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in files)).hexdigest()[:12]
