"""Progress of a training as lines on stderr, read from the run's own metrics."""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import Any

from difflm.errors import RunError
from difflm.runs import Run

LOOK = 0.5
"""Seconds between two looks at the metrics."""
EVERY = 5.0
"""Seconds of training between two lines about the training loss of a stage."""
FIGURES = ("loss", "copy_loss", "reconstruction", "kl", "beta", "active", "accuracy", "core_accuracy")


@contextmanager
def following(run: Run) -> Iterator[None]:
    """Print what training appends to metrics.jsonl for the length of the block."""
    over = threading.Event()
    _, offset = run.read_metrics()
    follower = threading.Thread(target=_follow, args=(run, offset, over), daemon=True)
    follower.start()
    try:
        yield
    finally:
        over.set()
        follower.join(timeout=5.0)


def _follow(run: Run, offset: int, over: threading.Event) -> None:
    printed: dict[str, float] = {}
    while True:
        last = over.wait(LOOK)
        with suppress(RunError):
            rows, offset = run.read_metrics(offset)
            for row in rows:
                if line := line_of(row, printed):
                    print(line, file=sys.stderr, flush=True)
        if last:
            return


def line_of(row: Mapping[str, Any], printed: dict[str, float]) -> str | None:
    """A row in words; None when it says too little. `printed` keeps when a stage last had its line."""
    if row.get("event") in ("warning", "note", "pace"):
        return f"{row['event']}: {row.get('text', '')}"
    if "step" not in row:
        return None
    stage, seconds = str(row.get("stage")), float(row.get("seconds") or 0.0)
    validation = row.get("split") == "validation"
    if not validation and seconds - printed.get(stage, -EVERY) < EVERY:
        return None
    if not validation:
        printed[stage] = seconds
    figures = ", ".join(
        f"{name} {value:.4g}" for name in FIGURES if isinstance(value := row.get(name), int | float)
    )
    split = "validation" if validation else "train"
    return f"{stage} {row['step']}/{row.get('of', '?')} {seconds:.1f} s {split}: {figures}"
