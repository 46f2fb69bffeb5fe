"""Schedules of beta, the weight of the KL term in `rec + beta * kl` (nats per record, summed over dimensions)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any, final

from difflm.errors import ConfigError
from difflm.stage_sections import BetaConfig


class BetaSchedule(ABC):
    """beta by training progress, with a chance to react to the validation reconstruction."""

    def __init__(self, config: BetaConfig) -> None:
        self.config = config

    @abstractmethod
    def value(self, progress: float) -> float:
        """beta at `progress` in [0, 1]."""

    def on_evaluation(self, reconstruction: float) -> None:  # noqa: B027
        """Hear of a new validation reconstruction loss; most schedules do not mind."""

    def state(self) -> dict[str, Any]:
        """What a resumed run needs."""
        return {}

    def restore(self, state: dict[str, Any]) -> None:  # noqa: B027
        """Take `state()` back."""


@final
class Constant(BetaSchedule):
    """Always `end`."""

    def value(self, progress: float) -> float:
        return self.config.end


@final
class Linear(BetaSchedule):
    """From `start` to `end` over the first `rise` of training, then `end`."""

    def value(self, progress: float) -> float:
        done = min(1.0, progress / self.config.rise)
        return self.config.start + (self.config.end - self.config.start) * done


@final
class Cyclical(BetaSchedule):
    """Cycles of half at 0, a quarter rising to `end`, a quarter there (DiffLM; Fu et al. 2019)."""

    def value(self, progress: float) -> float:
        phase = (progress * self.config.cycles) % 1.0 if progress < 1 else 1.0
        return self.config.end * min(1.0, max(0.0, (phase - 0.5) / 0.25))


@final
class Decreasing(BetaSchedule):
    """From `start`, times `factor` after `patience` evaluations without progress, down to `end` (DiffLM 3.2)."""

    def __init__(self, config: BetaConfig) -> None:
        super().__init__(config)
        self.beta, self.best, self.bad = config.start, float("inf"), 0

    def value(self, progress: float) -> float:
        return self.beta

    def on_evaluation(self, reconstruction: float) -> None:
        if reconstruction < self.best:
            self.best, self.bad = reconstruction, 0
            return
        self.bad += 1
        if self.bad >= self.config.patience:
            self.beta, self.bad = max(self.config.end, self.beta * self.config.factor), 0

    def state(self) -> dict[str, Any]:
        return {"beta": self.beta, "best": self.best, "bad": self.bad}

    def restore(self, state: dict[str, Any]) -> None:
        self.beta, self.best, self.bad = state["beta"], state["best"], state["bad"]


SCHEDULES: dict[str, type[BetaSchedule]] = {
    "constant": Constant,
    "linear": Linear,
    "cyclical": Cyclical,
    "decreasing": Decreasing,
}


def make_schedule(config: BetaConfig) -> BetaSchedule:
    """The schedule that `config` names."""
    if config.schedule not in SCHEDULES:
        raise ConfigError(f"a beta schedule out of {', '.join(SCHEDULES)}", repr(config.schedule))
    return SCHEDULES[config.schedule](config)
