"""One training loop for all stages: batches, schedules, averages, evaluation, stop and resume.

Batch order and noise depend on (seed, stage, step) alone, so a resumed run continues bit for bit. Of several
processes each takes its rows of the one batch, with the noise that they have there, and rank 0 decides for all.
"""

from __future__ import annotations

from typing import Any

import torch
from accelerate import Accelerator
from torch import nn

from difflm.errors import ConfigError
from difflm.ranks import Ranks
from difflm.seeding import seeded
from difflm.training.guards import divergence, step_memory
from difflm.training.host import Host, Stopped
from difflm.training.optim import Average, make_optimizers, schedule
from difflm.training.pace import Pace
from difflm.training.shards import LossOf, Shards, mean_of_parts
from difflm.training.stage import Cooling, Draw, Evaluate, Plan, Stateful
from difflm.training.state import load_state, save_state

SAVE_EVERY_SECONDS = 60.0
REPORTS = 200


class Loop:
    """Trains `module` by `loss_of(draw(rows, generator), progress) -> (loss, what to log)`.

    `evaluate()` gives the validation row; its "score" (smaller is better) drives early stopping, and
    the weights with the best score are kept.
    """

    def __init__(
        self,
        plan: Plan,
        module: nn.Module,
        rows: int,
        draw: Draw,
        loss_of: LossOf,
        evaluate: Evaluate,
        host: Host,
        accelerator: Accelerator,
        extra: Stateful | None = None,
        threads: int | None = None,
    ) -> None:
        self.plan, self.module, self.rows = plan, module, rows
        self.draw, self.loss_of, self.evaluate = draw, loss_of, evaluate
        self.host, self.accelerator, self.extra = host, accelerator, extra
        self.trained = [p for p in module.parameters() if p.requires_grad]
        self.ranks, whole = Ranks(accelerator), min(plan.batch_size, rows)
        if whole < self.ranks.count * plan.accumulation:
            raise ConfigError(
                f"at least a record a step for each of {self.ranks.count} processes x {plan.accumulation} parts",
                f"{whole} records a step",
                "start fewer processes, or set a larger batch_size",
            )
        threads = 1 if plan.accumulation > 1 else threads
        self.shards = Shards(whole, accelerator.device, self.ranks.count, threads)
        self.steps, self.step, self.seconds, self.pace = plan.steps, 0, 0.0, Pace(plan)
        self.best_score, self.bad, self.best_step = float("inf"), 0, 0
        self.best: dict[str, torch.Tensor] = {}
        self.cooling: Cooling | None = None
        made = make_optimizers(module, plan.lr, plan.muon_lr, plan.weight_decay)
        self.optimizers = [accelerator.prepare(one) for one in made]
        self.average = Average(module, plan.ema) if plan.ema else None
        self.order: tuple[int, torch.Tensor] = (-1, torch.empty(0, dtype=torch.long))

    @property
    def progress(self) -> float:
        """Share of the stage that is done."""
        return self.step / self.steps

    @property
    def _evaluations_due(self) -> int:
        return int(self.progress * self.plan.evaluations + 1e-9)

    @property
    def course(self) -> float:
        """Progress for schedules: a cooldown goes on from where it began, however much shorter the stage became."""
        if self.cooling is None:
            return self.progress
        return self.cooling.course + (1 - self.cooling.course) * self._cooled

    @property
    def _cooled(self) -> float:
        assert self.cooling is not None
        return (self.step - self.cooling.step) / max(self.steps - self.cooling.step, 1)

    @property
    def left(self) -> float:
        """Share of its steps that a cooldown saved. A stage that the clock cut has used its time and left none."""
        if self.cooling is None:
            return 0.0
        return max(0.0, 1 - self.step * self.cooling.course / self.cooling.step)

    def run(self) -> None:
        """Train to the end, to early stopping, or raise Stopped with the state saved.

        TrainingError when the loss is no number any more."""
        load_state(self)
        # Machines may differ in the last digit of what a model begins with.
        self.ranks.share([p.data for p in self.module.parameters()])
        self.step, self.steps = self.ranks.agreed((self.step, self.steps))
        self.pace.begin(self.step, self.seconds)
        start = self.host.seconds - self.seconds
        self.module.train()
        with self.shards:
            self._steps(start)
        save_state(self)
        self._finish()

    def _steps(self, start: float) -> None:
        saved, reported = self.host.seconds, 0
        next_evaluation = (self._evaluations_due + 1) / self.plan.evaluations
        while self.step < self.steps:
            before = self.host.seconds
            logs = self._one_step()
            self.seconds = self.host.seconds - start
            self.pace.taken.append(self.host.seconds - before)
            if self.progress * REPORTS >= reported + 1 or self.step == self.steps:
                reported = int(self.progress * REPORTS)
                self._report("train", self.ranks.mean_logs(logs))
            if self.progress >= next_evaluation - 1e-9 or self.step == self.steps:
                next_evaluation = (self._evaluations_due + 1) / self.plan.evaluations
                before = self.host.seconds
                if self._evaluate():
                    self.steps = self.step
                self.pace.count_evaluation(self.host.seconds - before)
                self.seconds = self.host.seconds - start
            if self.ranks.main:
                self._keep_to_time()
            self.steps, stop = self.ranks.agreed((self.steps, self.host.should_stop()))
            if stop:
                save_state(self)
                self._finish()
                raise Stopped
            if self.host.seconds - saved > SAVE_EVERY_SECONDS:
                save_state(self)
                saved = self.host.seconds

    def _one_step(self) -> dict[str, float]:
        plan = self.plan
        rate = schedule(self.progress, plan.warmup)
        if self.cooling is not None:
            rate = self.cooling.rate * (1 - self._cooled)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = group["peak"] * rate
        # Dropout draws from the global generator, and has no rows: each process has its own.
        torch.manual_seed(seeded(plan.seed, plan.stage, self.step, self.ranks.index).initial_seed())
        batch = self.draw(self._batch(), seeded(plan.seed, plan.stage, self.step, 0))
        with step_memory(self):
            if self.shards.parts > 1:
                logs = self.shards.backward(self.loss_of, batch, self.course, self.trained)
            else:
                logs = self._backward(batch)
        norm = self.accelerator.clip_grad_norm_([p for p in self.trained if p.grad is not None], 1.0)
        if norm is not None and not torch.isfinite(norm):
            # The gradient has not reached the weights: they and their state are those of the step before.
            save_state(self)
            self._finish()
            raise divergence(self)
        for optimizer in self.optimizers:
            optimizer.step()
            optimizer.zero_grad()
        if self.average:
            self.average.update(self.module)
        self.step += 1
        return logs

    def _backward(self, batch: dict[str, torch.Tensor]) -> dict[str, float]:
        """Leave the gradient of the mean loss of the whole batch, of which this process sees its rows."""
        parts, own, count = self.plan.accumulation, self.ranks.index, self.ranks.count
        whole = len(next(iter(batch.values())))
        # Every so-many-eth row: what stands in one place of the batch is spread over processes and parts.
        mine = {k: v[own::count] for k, v in batch.items()} if count > 1 else batch
        told: list[tuple[float, dict[str, float]]] = []
        for part in range(parts):
            some = {k: v[part::parts] for k, v in mine.items()} if parts > 1 else mine
            share = len(next(iter(some.values()))) / whole
            with self.ranks.in_step():
                loss, logs = self.loss_of(some, self.course)
                self.accelerator.backward(loss * share if share < 1 else loss)
            told.append((share, logs))
        self.ranks.add_gradients(self.trained)
        return mean_of_parts(told)

    def _batch(self) -> torch.Tensor:
        """Row numbers of the step: a new permutation for each pass."""
        whole = min(self.plan.batch_size, self.rows)
        first = self.step * whole
        picked = []
        while whole:
            epoch, at = divmod(first, self.rows)
            if self.order[0] != epoch:
                generator = seeded(self.plan.seed, self.plan.stage, "order", epoch)
                self.order = (epoch, torch.randperm(self.rows, generator=generator))
            part = self.order[1][at : at + whole]
            picked.append(part)
            first, whole = first + len(part), whole - len(part)
        return torch.cat(picked)

    def _report(self, split: str, values: dict[str, Any]) -> None:
        row = {"stage": self.plan.stage, "split": split, "step": self.step, "of": self.steps}
        self.host.on_progress({**row, "seconds": round(self.host.seconds, 2), **values})

    def _evaluate(self) -> bool:
        """Report validation figures, keep the best weights; True when it is time to stop early."""
        if self.average:
            self.average.swap(self.module)
        self.module.eval()
        values = self._evaluated()
        score = values.pop("score")
        if score < self.best_score:
            self.best_score, self.bad, self.best_step = score, 0, self.step
            self.best = {n: p.detach().clone() for n, p in self.module.named_parameters() if p.requires_grad}
        else:
            self.bad += 1
        self.module.train()
        if self.average:
            self.average.swap(self.module)
        self._report("validation", values)
        if self.plan.cooldown and self.bad and self.cooling is None and self.step < self.steps:
            self._cool()
            return False
        return self.bad >= self.plan.patience

    def _evaluated(self) -> dict[str, Any]:
        """What `evaluate` says on rank 0; all take up what it changed."""

        def look() -> tuple[dict[str, Any], dict[str, Any]]:
            return self.evaluate(), self.extra.state() if self.extra else {}

        values, state = self.ranks.decided(look)
        if self.extra and not self.ranks.main:
            self.extra.restore(state)
        return values

    @torch.no_grad()
    def _cool(self) -> None:
        """Begin the cooldown at the best weights."""
        rate, length = schedule(self.progress, self.plan.warmup), int(self.plan.cooldown * self.best_step)
        self.cooling = Cooling(self.step, rate, self.progress)
        self.steps, self.bad = min(self.steps, self.step + max(length, 1)), 0
        parameters = dict(self.module.named_parameters())
        for name, value in self.best.items():
            parameters[name].copy_(value)
            if self.average:
                self.average.weights[name].copy_(value)
        text = f"validation no longer improves: back to step {self.best_step}, done at step {self.steps}"
        self.host.on_progress({"event": "note", "stage": self.plan.stage, "text": text})

    def _keep_to_time(self) -> None:
        """Take the steps that there is time for, and say so where they are others than before."""
        steps = self.pace.steps(self.step, self.steps, self.seconds, self.cooling is not None)
        if steps == self.steps:
            return
        told = "slower than planned" if steps < self.steps else "faster again"
        told = f"{told}: {steps} instead of {self.steps} steps, to keep the time limit"
        paced = {"stage": self.plan.stage, "steps": steps, "planned": self.plan.steps}
        self.host.on_progress({"event": "pace", **paced, "text": told})
        self.steps = steps

    @torch.no_grad()
    def _finish(self) -> None:
        """Leave the best weights seen in the module, in evaluation mode."""
        if not self.best and self.average:
            self.average.swap(self.module)
        parameters = dict(self.module.named_parameters())
        for name, value in self.best.items():
            parameters[name].copy_(value)
        self.module.eval()
