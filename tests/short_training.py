"""Run by tests/test_scaled_training.py as one process and as several: a short training of all three stages."""

from __future__ import annotations

import json
import sys

from test_pipeline import TINY, people

from difflm.pipeline import DiffLM


def main(run: str, stop_after: str, changes: str) -> None:
    """Train in `run`, to the end or until `should_stop` was asked so many times."""
    short = {"vae.epochs": 3, "lm.epochs": 2, "lm.copy_share": 0.4, "prior.steps": 20}
    calls, most = iter(range(10**6)), int(stop_after)
    DiffLM.fit(
        people(160),
        run=run,
        preset="quick",
        overrides={**TINY, **short, **json.loads(changes)},
        time_limit=10,
        should_stop=lambda: bool(most) and next(calls) >= most,
    )


if __name__ == "__main__":
    main(*sys.argv[1:])
