"""What the scripts of all peers share: the job they are given, filling of missing cells, and the results.

A job is a folder with job.json and train.parquet; a script leaves set-0.parquet, ... and result.json there.
Cells come in difflm's canonical form: strings for categories, numbers, dates as counts of `unit`.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd

BEGAN = time.monotonic()
NUMBERS = ("integer", "real", "datetime")
MISSING = "<missing cell>"


class Job:
    """The rows to learn and what is asked for; keeps time for the result."""

    def __init__(self, folder: Path) -> None:
        asked: dict[str, Any] = json.loads((folder / "job.json").read_text(encoding="utf-8"))
        self.folder = folder
        self.train = pd.read_parquet(folder / "train.parquet")
        self.columns: list[dict[str, Any]] = asked["columns"]
        self.target: str | None = asked["target"]
        self.rows: int = asked["rows"]
        self.sets: int = asked["sets"]
        self.seed: int = asked["seed"]
        self.seconds: float = asked["seconds"]
        self.threads: int = asked["threads"]
        self.options: dict[str, Any] = asked["options"]
        self.notes: list[str] = []
        self.sampling_began = BEGAN

    @classmethod
    def given(cls) -> Job:
        """The job in the folder that the command line names."""
        return cls(Path(sys.argv[1]))

    @property
    def numbers(self) -> list[str]:
        """Names of the columns of numbers and dates."""
        return [column["name"] for column in self.columns if column["kind"] in NUMBERS]

    @property
    def categories(self) -> list[str]:
        """Names of all other columns."""
        return [column["name"] for column in self.columns if column["kind"] not in NUMBERS]

    def filled(self) -> pd.DataFrame:
        """Training rows for a model that takes no missing cells: medians, and a category of its own."""
        frame = self.train.copy()
        imputed = [name for name in self.numbers if frame[name].isna().any()]
        for name in self.numbers:
            values = frame[name].astype("Float64").astype("float64")
            frame[name] = values.fillna(values.median() if values.notna().any() else 0.0)
        for name in self.categories:
            frame[name] = frame[name].astype(object).where(frame[name].notna(), MISSING).astype(str)
        if imputed:
            self.notes.append(f"missing numbers filled with the median: {', '.join(imputed)}")
        return frame

    def left(self) -> float:
        """Seconds of the time limit that are left."""
        return max(self.seconds - (time.monotonic() - BEGAN), 0.0)

    def fitted(self) -> None:
        """Say that training is over."""
        self.sampling_began = time.monotonic()
        (self.folder / "fitted").touch()

    def set_seed(self, number: int) -> int:
        """Seed of one generated set."""
        return self.seed + 1000 * (number + 1)

    def write(self, number: int, frame: pd.DataFrame) -> None:
        """Keep one generated set; the category for missing cells becomes missing again."""
        made = frame[[column["name"] for column in self.columns]].reset_index(drop=True)
        for name in self.categories:
            cells = made[name].astype(object)
            known = cells.notna() & (cells.astype(str) != MISSING)
            made[name] = cells.where(known, None).map(str, na_action="ignore")
        for name in self.numbers:
            if made[name].dtype == object:
                made[name] = pd.to_numeric(made[name], errors="coerce")
        made.to_parquet(self.folder / f"set-{number}.parquet", index=False)

    def finish(self, packages: Sequence[str]) -> None:
        """Write time of generation, versions and notes."""
        result = {
            "sample_seconds": time.monotonic() - self.sampling_began,
            "versions": {name: version(name) for name in packages},
            "notes": self.notes,
        }
        (self.folder / "result.json").write_text(json.dumps(result), encoding="utf-8")
