"""Training curves out of metrics.jsonl rows: grown row by row, thinned for drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

POINTS = 1_000
NOT_VALUES = {"stage", "split", "step", "of", "seconds", "event", "text", "rows", "kind"}

Series = tuple[list[float], list[float]]


@dataclass
class Curves:
    """All series of a run by (stage, split, name); `offset` is where the file was read to."""

    offset: int = 0
    series: dict[tuple[str, str, str], Series] = field(default_factory=dict)
    samples: list[dict[str, Any]] = field(default_factory=list)
    """The newest sample rows."""
    sampled_at: float = 0.0
    warnings: list[str] = field(default_factory=list)
    pace: dict[str, tuple[int, int]] = field(default_factory=dict)
    """Stages that the clock changed: steps that they take, and took in the plan."""
    prior_kind: str = ""

    def extend(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Take rows in the order of the file; values that are no numbers are passed over."""
        for row in rows:
            if row.get("event") == "sample":
                self.samples, self.sampled_at = list(row.get("rows", [])), float(row.get("seconds", 0.0))
                continue
            if row.get("event") == "note":
                continue
            if row.get("event") == "pace":
                self.pace[str(row["stage"])] = (int(row["steps"]), int(row["planned"]))
                continue
            if row.get("event") == "warning":
                if row.get("text") and row["text"] not in self.warnings:
                    self.warnings.append(str(row["text"]))
                continue
            stage, split = str(row.get("stage", "")), str(row.get("split", "train"))
            if stage == "prior" and row.get("kind"):
                self.prior_kind = str(row["kind"])
            minutes = float(row.get("seconds", 0.0)) / 60
            for name, value in row.items():
                if name in NOT_VALUES or isinstance(value, bool) or not isinstance(value, int | float):
                    continue
                x, y = self.series.setdefault((stage, split, name), ([], []))
                x.append(minutes)
                y.append(float(value))

    def thinned(self, stage: str, split: str, name: str, points: int = POINTS) -> Series:
        """Minutes and values, at most `points` of them, first and last kept."""
        x, y = self.series.get((stage, split, name), ([], []))
        keep = thin(len(x), points)
        return [x[i] for i in keep], [y[i] for i in keep]

    def last(self, stage: str, split: str, name: str) -> float | None:
        """The newest value of a series."""
        _, y = self.series.get((stage, split, name), ([], []))
        return y[-1] if y else None

    def slowed(self, share: float = 0.9) -> dict[str, tuple[int, int]]:
        """Stages that take fewer than this share of their planned steps, to keep the time limit."""
        return {stage: pace for stage, pace in self.pace.items() if pace[0] < share * pace[1]}

    def collapsed(self, nats: float = 0.5) -> bool:
        """Whether the latent has come to carry next to nothing (posterior collapse)."""
        kl = self.last("vae", "validation", "kl")
        return kl is not None and kl < nats

    def overfitted(self) -> bool:
        """Whether validation reconstruction has risen for its last three evaluations."""
        _, y = self.series.get(("vae", "validation", "reconstruction"), ([], []))
        return len(y) >= 4 and y[-4] < y[-3] < y[-2] < y[-1]

    def diverged(self) -> bool:
        """Whether a training loss stands far above where it began, or is no number."""
        for (_, split, name), (_, y) in self.series.items():
            if split != "train" or name not in ("loss", "reconstruction") or len(y) < 6:
                continue
            if y[-1] != y[-1] or y[-1] > 2 * max(abs(y[0]), 1.0) + abs(y[0]):
                return True
        return False


def thin(count: int, points: int) -> list[int]:
    """At most `points` evenly spread positions of `count`, the first and the last among them."""
    if count <= points:
        return list(range(count))
    return [round(i * (count - 1) / (points - 1)) for i in range(points)]
