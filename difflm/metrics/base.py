"""What a metric is: its figures with goal, bounds and meaning, and the registry from names to classes."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from difflm.errors import ConfigError

if TYPE_CHECKING:
    from difflm.metrics.table import Bench, Encoded

Goal = Literal["max", "min", "target"]


@dataclass(frozen=True, kw_only=True)
class Figure:
    """One reported number: how to read it, and which value would be perfect."""

    name: str
    label: str
    goal: Goal
    """max: higher is better; min: lower is better; target: the nearer to `best` the better."""
    bounds: tuple[float, float | None]
    best: float | None
    """The perfect value; None where only the real data's own figure says what is attainable."""
    meaning: str
    """One or two sentences for a reader who does not know the metric."""
    digits: int = 3

    def to_dict(self) -> dict[str, Any]:
        return {**asdict(self), "bounds": list(self.bounds)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Figure:
        return cls(**{**data, "bounds": tuple(data["bounds"])})


@dataclass
class Result:
    """Scores by figure name (None: cannot be computed here, a note says why), and details for charts."""

    scores: dict[str, float | None]
    details: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


class Metric(ABC):
    """A comparison of one encoded synthetic table with the real tables of a bench."""

    name: ClassVar[str]
    private: ClassVar[bool] = False
    """Compares training rows with unseen real rows, so that the holdout has to be halved to be scored."""
    trains: ClassVar[bool] = False
    """Trains on the synthetic rows and tests on the test split, which then cannot be scored itself."""

    @abstractmethod
    def figures(self, bench: Bench) -> tuple[Figure, ...]:
        """The numbers that `compute` returns, the main one first."""

    @abstractmethod
    def compute(self, bench: Bench, synthetic: Encoded) -> Result:
        """Score `synthetic`; the same bench (with its seed) and rows give the same figures."""

    def main(self, bench: Bench) -> Figure:
        """The figure that stands for the metric; name, goal, bounds and meaning are read from it."""
        return self.figures(bench)[0]


def cores() -> int:
    """Threads to use: the cores of this process, fewer where OMP_NUM_THREADS says so."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    wanted = os.environ.get("OMP_NUM_THREADS", "")
    return max(1, min(available, int(wanted))) if wanted.isdigit() else available


M = TypeVar("M", bound=Metric)
_REGISTRY: dict[str, type[Metric]] = {}


def register(metric: type[M]) -> type[M]:
    """Class decorator: makes a metric available under its `name`."""
    _REGISTRY[metric.name] = metric
    return metric


def metric_names() -> list[str]:
    """Names of all registered metrics, in the order in which reports show them."""
    return list(_REGISTRY)


def resolve(name: str) -> type[Metric]:
    """The metric class of that name; ConfigError with the valid names otherwise."""
    if name not in _REGISTRY:
        raise ConfigError(f"a metric among {', '.join(_REGISTRY)}", repr(name), "choose one of these names")
    return _REGISTRY[name]
