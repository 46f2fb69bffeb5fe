"""What a benchmark was asked to do, and which of it makes a cell another cell"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from difflm.benchmark.registry import ENTRANTS, OWN
from difflm.benchmark.tables import Table
from difflm.config import Config
from difflm.errors import ConfigError

FORMAT = 1
"""Version of the cells on disk; a new one makes old cells run again."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One benchmark."""

    models: tuple[str, ...]
    seeds: tuple[int, ...]
    preset: str = "standard"
    time_limit: float = 10.0
    """Minutes for the training of each cell."""
    threads: int = 1
    rows: int | None = None
    """Training rows; None for all that the data set has."""
    sets: int = 1
    """Sets that each model generates, as many rows each as it was trained on."""
    target: str | None = None
    log_clip: bool = False
    great_model: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)
    """Settings of difflm beside its preset."""

    @property
    def seconds(self) -> float:
        """The time limit in seconds."""
        return self.time_limit * 60

    def config(self, seed: int) -> Config:
        """Settings of difflm for one cell; ConfigError where they do not fit."""
        changes = {**self.changes, "seed": seed, "time_limit": self.time_limit}
        if self.target is not None:
            changes["target"] = self.target
        return Config.from_preset(self.preset, changes)

    def shared(self, table: Table) -> dict[str, Any]:
        """What all cells of a table have in common; equal for equal figures of the reference rows."""
        log_clip = self.log_clip or table.log_scored
        return {"format": FORMAT, "data": table.dataset.fingerprint, "log_clip": log_clip}

    def key(self, table: Table, model: str, seed: int) -> dict[str, Any]:
        """All that a cell depends on: a cell with an equal key is not run again."""
        entrant = ENTRANTS[model]
        key = {
            **self.shared(table),
            "model": model,
            "seed": seed,
            "sets": self.sets,
            "time_limit": self.time_limit,
            "threads": self.threads,
            "requirements": list(entrant.requirements),
            "options": self.options(model),
        }
        if model == OWN:
            key["config"] = json.loads(self.config(seed).model_dump_json())
        return key

    def options(self, model: str) -> dict[str, Any]:
        """What the script of a model is told beside rows and limits."""
        return {"model": self.great_model} if model == "great" else dict(ENTRANTS[model].options)


def parse_seeds(text: str) -> tuple[int, ...]:
    """Seeds in a list with commas."""
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts or not all(part.isdecimal() for part in parts):
        raise ConfigError("whole numbers with commas for --seeds", repr(text), "for example --seeds 0,1,2")
    return tuple(dict.fromkeys(int(part) for part in parts))
