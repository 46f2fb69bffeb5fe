"""Run by tests/test_scaled_training.py as one process and as several: a short training of all three stages."""

from __future__ import annotations

import json
import sys

import torch
from test_pipeline import TINY, people

from difflm.models import kept_layers
from difflm.pipeline import DiffLM


def main(run: str, stop_after: str, changes: str) -> None:
    """Train in `run`, to the end or until `should_stop` was asked so many times."""
    short = {"vae.epochs": 3, "lm.epochs": 2, "lm.copy_share": 0.4, "prior.steps": 20}
    calls, most = iter(range(10**6)), int(stop_after)
    gathered, plain = [], kept_layers._Shares.gathered

    def counted(shares: kept_layers._Shares) -> dict[str, torch.Tensor]:
        gathered.append(1)
        return plain(shares)

    kept_layers._Shares.gathered = counted  # type: ignore[method-assign]
    DiffLM.fit(
        people(160),
        run=run,
        preset="quick",
        overrides={**TINY, **short, **json.loads(changes)},
        time_limit=10,
        should_stop=lambda: bool(most) and next(calls) >= most,
    )
    print(f"layers gathered: {len(gathered)}")


if __name__ == "__main__":
    main(*sys.argv[1:])
