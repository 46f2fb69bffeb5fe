"""What a training loop is told of a stage: its plan, how batches are drawn, how it is evaluated."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import torch


@dataclass(kw_only=True)
class Plan:
    """What one stage does. `seconds` is its share of the time limit: a slower machine gets fewer steps."""

    stage: str
    steps: int
    batch_size: int
    lr: float
    seed: int
    section: str = "vae"
    """Where batch_size and lr are set, for messages."""
    seconds: float | None = None
    most_steps: float = float("inf")
    """More steps than these gain nothing, however much time another stage leaves."""
    pace: float = 0.0
    """Seconds that a step is reckoned to take, evaluations left out; 0 where nobody asks."""
    muon_lr: float | None = None
    warmup: float = 0.05
    weight_decay: float = 0.01
    ema: float = 0.0
    evaluations: int = 10
    looking: float = 0.0
    """Seconds that one of them is reckoned to take, until one has been seen."""
    patience: int = 4
    accumulation: int = 1
    """Parts that a process takes its rows of a step in, one after the other: less memory, the same step."""
    cooldown: float = 0.0
    """When validation stops improving, go back to the best weights and take the learning rate down to zero over this
    share of the steps that led there; 0 for never."""


Draw = Callable[[torch.Tensor, torch.Generator], dict[str, torch.Tensor]]
"""(row numbers, generator) -> what the loss reads of these rows and all that is random in it, rows first."""
Evaluate = Callable[[], dict[str, Any]]


class Cooling(NamedTuple):
    """Where a cooldown began: step, share of the peak learning rate, progress."""

    step: int
    rate: float
    course: float


class Stateful(Protocol):
    """Something outside the module that changes during training and must survive a resume."""

    def state(self) -> dict[str, Any]: ...
    def restore(self, state: dict[str, Any]) -> None: ...
