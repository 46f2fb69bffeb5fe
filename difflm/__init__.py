"""difflm: synthetic tables by a latent language model. `from difflm import DiffLM` imports torch then."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from difflm.pipeline import DiffLM

# Threads that wait asleep: spinning ones make training several times slower as soon as anything else,
# such as the app, wants a core. Read by OpenMP when torch is imported; a setting of the user's own wins.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

__version__ = "0.1.0"
__all__ = ["DiffLM", "__version__"]


def __getattr__(name: str) -> Any:
    if name == "DiffLM":
        from difflm.pipeline import DiffLM

        return DiffLM
    raise AttributeError(f"module 'difflm' has no attribute {name!r}")
