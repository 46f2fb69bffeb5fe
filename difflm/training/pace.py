"""How fast the steps of a stage go: how many of them its time has room for, and whether the plan knew the machine."""

from __future__ import annotations

import statistics

from difflm.training.stage import Plan

CHECK_EVERY = 0.08
"""Share of a stage between two looks at the clock."""
LEAST_SEEN = 12
"""Of fewer steps nothing is said: the first ones are slow."""


class Pace:
    """Of one process: what its steps and evaluations have taken so far."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.taken: list[float] = []
        """Seconds of each step."""
        self.evaluated, self.evaluating = 0, 0.0
        """Evaluations, and the seconds that they took."""
        self.next_check = 0.0
        self.looks = [(0, 0.0)]
        """Step and seconds, without those of evaluations, at the last looks at the clock."""

    def begin(self, step: int, seconds: float) -> None:
        """Where a stage starts, or goes on."""
        self.looks = [(step, seconds)]

    def count_evaluation(self, seconds: float) -> None:
        """One more was made, in so many seconds."""
        self.evaluated += 1
        self.evaluating += seconds

    @property
    def faster(self) -> float:
        """How many times as fast as planned steps were, by their fastest quarter: other work only makes them slower. 0
        where too few were seen to tell."""
        if len(self.taken) < LEAST_SEEN or not self.plan.pace:
            return 0.0
        return self.plan.pace / max(statistics.quantiles(self.taken, n=4)[0], 1e-9)

    def steps(self, step: int, steps: int, seconds: float, cooling: bool) -> int:
        """How many steps to take in place of `steps`, after `step` of them and `seconds`: fewer while this machine is
        more than a tenth slower than planned, up to the plan's again when it recovers; asked now and then, by the pace
        since the look before the last and by what evaluations still take."""
        limit, progress = self.plan.seconds, step / steps
        if limit is None or step < min(20, self.plan.steps // 4) or progress < self.next_check:
            return steps
        if step >= steps:
            return steps  # evaluated for the last time: more steps would need another one
        self.next_check = progress + CHECK_EVERY
        before, then = self.looks[0]
        stepping = seconds - self.evaluating
        self.looks = [*self.looks[-1:], (step, stepping)]
        pace = (stepping - then) / max(step - before, 1)
        each = self.evaluating / self.evaluated if self.evaluated else self.plan.looking
        looking = (self.plan.evaluations - int(progress * self.plan.evaluations + 1e-9)) * each
        expected = seconds + (steps - step) * pace + looking
        left = max(limit - seconds, 0.0)
        room = step + int(max(left - looking, left / 2) / pace)  # fewer steps, not an end in the middle
        room = min(room, self.plan.steps)
        slower = expected > 1.1 * limit and room < steps
        faster = expected < 0.95 * limit and room > steps and not cooling
        return room if slower or faster else steps
