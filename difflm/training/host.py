"""What a training loop knows of whoever runs it: two calls and, maybe, a folder for its state."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass
class Host:
    """`on_progress` takes metric rows; `should_stop` is asked between steps; `state` holds what resumes."""

    on_progress: Callable[[dict[str, Any]], None] = lambda row: None
    should_stop: Callable[[], bool] = lambda: False
    state: Path | None = None
    spent: float = 0.0
    _since: float = field(default_factory=time.monotonic)

    @property
    def seconds(self) -> float:
        """Seconds of training so far, those before a resume included."""
        return self.spent + time.monotonic() - self._since


class Stopped(Exception):
    """Training was asked to stop; the weights so far are in place and the state is saved."""
