"""What stops a training step, as errors that say what to do: memory that is not enough, a loss that is no number."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING

from difflm.errors import TrainingError
from difflm.memory import enough_memory

if TYPE_CHECKING:
    from difflm.training.loop import Loop


def step_memory(loop: Loop) -> AbstractContextManager[None]:
    """ResourceError with a smaller batch where that of the plan does not fit."""
    return enough_memory(f"{loop.plan.section}.batch_size", min(loop.plan.batch_size, loop.rows))


def divergence(loop: Loop) -> TrainingError:
    """The gradient of the next step of `loop` is no number."""
    plan = loop.plan
    return TrainingError(
        f"a finite loss in stage {plan.stage}",
        f"NaN or infinity at step {loop.step + 1} of {loop.steps}",
        f"the state of step {loop.step} is kept; train again with a smaller {plan.section}.lr (now {plan.lr:g})",
    )
