"""A stand-in for difflm.pipeline, light enough for tests of the command line and of processes."""

from __future__ import annotations

import os
import sys
import time
import types
from pathlib import Path
from typing import Any, ClassVar

WORDS = ["red", "green", "blue"]


class FakeModel:
    """What the commands ask of DiffLM; every call is kept in `calls`."""

    calls: ClassVar[list[tuple[str, dict[str, Any]]]] = []

    def __init__(self) -> None:
        self.schema = types.SimpleNamespace(names=["age", "colour"], target=None, record="table")
        self.config = types.SimpleNamespace(latent=types.SimpleNamespace(size=3))

    @classmethod
    def fit(cls, data: str, *, run: Path, should_stop: Any, **settings: Any) -> FakeModel:
        """Take steps for FAKE_SECONDS; FAKE_ERROR names an exception to raise in their place."""
        from difflm.errors import DataError
        from difflm.runs import Run

        cls.calls.append(("fit", {"data": data, "run": run, **settings}))
        kept = Run.open(run)
        kept.write_status(state="running", stage="lm", progress=0.1)
        errors = {
            "data": DataError("a table", "none"),
            "memory": MemoryError(),
            "crash": ZeroDivisionError("boom"),
        }
        if name := os.environ.get("FAKE_ERROR"):
            raise errors[name]
        steps = max(1, round(float(os.environ.get("FAKE_SECONDS", "0.1")) / 0.02))
        for step in range(steps):
            row = {
                "stage": "lm",
                "step": step,
                "of": steps,
                "seconds": step * 0.02,
                "split": "train",
                "loss": 1.0,
            }
            kept.append_metrics(row)
            if should_stop():
                kept.write_status(state="stopped", message="stopped in stage lm")
                return cls()
            time.sleep(0.02)
        kept.write_status(state="done", progress=1.0, message="")
        return cls()

    @classmethod
    def from_pretrained(cls, path: Path) -> FakeModel:
        cls.calls.append(("from_pretrained", {"path": path}))
        return cls()

    def stream(self, n: int, **settings: Any) -> Any:
        import pandas as pd

        self.calls.append(("stream", {"n": n, **settings}))
        for first in range(0, n, 4):
            ages = range(first, min(first + 4, n))
            chunk = pd.DataFrame({"age": [*ages], "colour": [WORDS[a % 3] if a != 5 else None for a in ages]})
            chunk.attrs["generation"] = {"attempts": n, "valid": n, "rejected": {}}
            yield chunk

    def sample(self, n: int, **settings: Any) -> Any:
        import pandas as pd

        chunks = list(self.stream(n, **settings))
        frame = pd.concat(chunks, ignore_index=True)
        frame.attrs = chunks[-1].attrs
        return frame

    def decoder_alone(self, n: int, seed: int = 0) -> Any:
        return self.sample(n, seed=seed)

    def posterior_rows(self, rows: Any, seed: int = 0) -> Any:
        self.calls.append(("posterior_rows", {"rows": rows, "seed": seed}))
        return rows.copy()

    def encode(self, rows: Any) -> Any:
        import numpy as np

        return np.zeros((len(rows), 3), np.float32)

    def decode(self, z: Any, **settings: Any) -> Any:
        return self.sample(len(z))

    def interpolate(self, row_a: Any, row_b: Any, **settings: Any) -> Any:
        self.calls.append(("interpolate", {"row_a": row_a, "row_b": row_b, **settings}))
        return self.sample(settings["steps"])

    def save_pretrained(self, path: Path) -> None:
        Path(path).mkdir(parents=True)


def module() -> types.ModuleType:
    """The module to put in the place of difflm.pipeline."""
    made: Any = types.ModuleType("difflm.pipeline")
    made.DiffLM = FakeModel
    return made


def use_module() -> types.ModuleType:
    """The module to put in the place of difflm.latent_use."""
    made: Any = types.ModuleType("difflm.latent_use")
    made.latent_use = lambda model, rows: {"kl": 9.0, "active": 3, "reconstruction": 0.9, "per_column": {}}
    return made


if os.environ.get("DIFFLM_FAKE"):
    sys.modules["difflm.pipeline"] = module()
    sys.modules["difflm.latent_use"] = use_module()
