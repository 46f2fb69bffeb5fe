"""The training loop: resume bit for bit, early stopping, time, and what it tells its host."""

import copy
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from torch import nn

from difflm.errors import ResourceError, TrainingError
from difflm.latent.beta import BetaSchedule, make_schedule
from difflm.stage_sections import BetaConfig
from difflm.training.host import Host, Stopped
from difflm.training.loop import Loop
from difflm.training.optim import schedule
from difflm.training.pace import Pace
from difflm.training.shards import mean_of_parts
from difflm.training.stage import Plan

X = torch.randn(64, 4, generator=torch.Generator().manual_seed(0))
Y = X @ torch.tensor([[1.0], [-2.0], [0.5], [0.0]])


class Net(nn.Module):
    """Has a matrix inside "blocks", so that both optimisers take part."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.blocks = nn.ModuleList([nn.Linear(4, 8)])
        self.head = nn.Linear(8, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.head(torch.relu(self.blocks[0](x)))


def make_loop(
    host: Host, scores: list[float] | None = None, extra: BetaSchedule | None = None, **plan: Any
) -> Loop:
    net = Net()
    settings = {
        "stage": "test",
        "steps": 40,
        "batch_size": 16,
        "lr": 1e-2,
        "muon_lr": 1e-2,
        "seed": 0,
        "ema": 0.9,
    }

    def draw(rows: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        return {"x": X[rows] + 0.01 * torch.randn(len(rows), 4, generator=generator), "y": Y[rows]}

    def loss_of(batch: dict[str, torch.Tensor], progress: float) -> tuple[torch.Tensor, dict]:
        loss = (net(batch["x"]) - batch["y"]).square().mean()
        return loss, {"loss": loss.item()}

    def evaluate() -> dict[str, Any]:
        if extra:
            extra.on_evaluation(1.0)
        with torch.no_grad():
            loss = (net(X) - Y).square().mean().item()
        return {"loss": loss, "score": scores.pop(0) if scores else loss}

    return Loop(
        Plan(**{**settings, **plan}), net, len(X), draw, loss_of, evaluate, host, Accelerator(cpu=True), extra
    )


def weights(loop: Loop) -> torch.Tensor:
    return torch.cat([p.detach().flatten() for p in loop.module.parameters()])


@pytest.mark.parametrize("stop_at", [1, 13, 39])
def test_a_resumed_run_ends_with_the_very_same_weights(stop_at: int, tmp_path: Path) -> None:
    config = BetaConfig(schedule="decreasing", patience=1)
    whole = make_loop(Host(), extra=make_schedule(config))
    whole.run()
    calls = iter(range(1000))
    stopped = make_loop(
        Host(should_stop=lambda: next(calls) == stop_at - 1, state=tmp_path), extra=make_schedule(config)
    )
    with pytest.raises(Stopped):
        stopped.run()
    assert stopped.step == stop_at
    resumed = make_loop(Host(state=tmp_path), extra=make_schedule(config))
    resumed.run()
    assert torch.equal(weights(resumed), weights(whole))
    assert resumed.extra is not None and whole.extra is not None
    assert resumed.extra.state() == whole.extra.state()


def test_a_finished_stage_is_not_trained_again(tmp_path: Path) -> None:
    first = make_loop(Host(state=tmp_path))
    first.run()
    told: list[dict[str, Any]] = []
    again = make_loop(Host(told.append, state=tmp_path))
    again.run()
    assert torch.equal(weights(again), weights(first)) and not told


def test_early_stopping_keeps_the_best_weights() -> None:
    rows: list[dict[str, Any]] = []
    loop = make_loop(Host(rows.append), scores=[3.0, 1.0, 2.0, 2.0, 2.0], evaluations=10, patience=2)
    loop.run()
    assert loop.step == 16 and loop.best_score == 1.0
    assert [r["step"] for r in rows if r["split"] == "validation"] == [4, 8, 12, 16]


COOLING = {"scores": [3.0, 1.0, 2.0, 0.9, 0.8], "evaluations": 10, "patience": 4, "cooldown": 0.5}


def test_a_cooldown_goes_back_to_the_best_weights_and_ends_at_rate_zero() -> None:
    rows: list[dict[str, Any]] = []
    loop = make_loop(Host(rows.append), **copy.deepcopy(COOLING))
    loop.run()
    assert any(r.get("event") == "note" and "back to step 8" in r["text"] for r in rows)
    assert loop.step == 16 and loop.cooling is not None and loop.cooling.step == 12
    assert loop.left == pytest.approx(1 - 16 / 40)
    assert loop.course == 1.0 and loop.cooling.course == pytest.approx(12 / 40)
    assert 0 < loop.optimizers[0].param_groups[0]["lr"] < 0.3 * 1e-2


def test_a_cooldown_survives_a_resume(tmp_path: Path) -> None:
    whole = make_loop(Host(), **copy.deepcopy(COOLING))
    whole.run()
    scores = copy.deepcopy(COOLING)
    count = iter(range(100))
    first = make_loop(Host(should_stop=lambda: next(count) == 13, state=tmp_path), **scores)
    with pytest.raises(Stopped):
        first.run()
    assert first.cooling is not None
    again = make_loop(Host(state=tmp_path), **scores)
    again.run()
    assert again.cooling == whole.cooling and again.step == whole.step
    assert torch.equal(weights(again), weights(whole))


def test_rows_say_stage_split_step_and_seconds() -> None:
    rows: list[dict[str, Any]] = []
    make_loop(Host(rows.append)).run()
    assert {r["split"] for r in rows} == {"train", "validation"}
    assert all({"stage", "step", "of", "seconds", "loss"} <= set(r) for r in rows)
    assert rows[-1]["loss"] < rows[0]["loss"]


def test_a_slow_machine_gets_fewer_steps() -> None:
    rows: list[dict[str, Any]] = []
    loop = make_loop(Host(rows.append), steps=100_000, seconds=1.0)
    loop.run()
    assert loop.step < 100_000 and loop.host.seconds < 5 and loop.left == 0
    assert any(r.get("event") == "pace" and r["steps"] < r["planned"] for r in rows)


@pytest.mark.parametrize(("paces", "steps"), [((0.01, 0.03, 0.01), 800), ((0.01, 0.03, 0.03), 400)])
def test_a_machine_that_was_busy_for_a_while_gets_its_steps_back(
    paces: tuple[float, ...], steps: int
) -> None:
    rows: list[dict[str, Any]] = []
    loop = make_loop(Host(rows.append), steps=1000, seconds=10.0)
    while loop.step < loop.steps:
        slow = paces[0] if loop.step < 100 else paces[1] if loop.step < 200 else paces[2]
        loop.step, loop.seconds = loop.step + 1, loop.seconds + slow
        loop._keep_to_time()
    assert loop.seconds < 11.5
    assert loop.step == pytest.approx(steps, rel=0.1)
    told = [row["text"] for row in rows]
    assert told[0].startswith("slower") and any(t.startswith("faster") for t in told) == (steps == 800)


@pytest.mark.parametrize(("seconds", "steps"), [(0.2, 1000), (1.2, 578)])
def test_evaluations_to_come_are_reckoned(seconds: float, steps: int) -> None:
    rows: list[dict[str, Any]] = []
    loop = make_loop(Host(rows.append), steps=1000, seconds=10.0, evaluations=4)
    while loop.step < loop.steps:
        loop.step, loop.seconds = loop.step + 1, loop.seconds + 0.009
        if loop.progress >= (loop.pace.evaluated + 1) / 4 - 1e-9:
            loop.pace.count_evaluation(seconds)
            loop.seconds += seconds
        loop._keep_to_time()
    assert loop.step == pytest.approx(steps, rel=0.15) and loop.seconds < 11
    assert len([row for row in rows if "pace" in row["event"]]) == (steps < 1000)


def test_the_only_evaluation_is_reckoned_before_it_was_seen() -> None:
    loop = make_loop(Host(), steps=1000, seconds=10.0, evaluations=1, looking=4.0)
    while loop.step < loop.steps:
        loop.step, loop.seconds = loop.step + 1, loop.seconds + 0.009
        loop._keep_to_time()
    assert loop.seconds + 4.0 < 11 and loop.step == pytest.approx(667, rel=0.1)


def test_steps_that_were_faster_than_planned_are_noticed_in_spite_of_busy_moments() -> None:
    plan = make_loop(Host(), pace=0.03).plan
    pace = Pace(plan)
    pace.taken = [0.5] + [0.01] * 5
    assert pace.faster == 0, "too few to tell"
    pace.taken += [0.1] * 4 + [0.01] * 5
    assert pace.faster == pytest.approx(3.0)
    pace.plan = make_loop(Host()).plan
    assert pace.faster == 0, "nothing was promised"


def test_every_row_is_seen_once_a_pass() -> None:
    loop = make_loop(Host())
    seen = []
    for step in range(8):
        loop.step = step
        seen.append(loop._batch())
    passes = torch.cat(seen).view(2, 64)
    assert all(torch.equal(p.sort().values, torch.arange(64)) for p in passes)
    assert not torch.equal(passes[0], passes[1])


def test_the_learning_rate_warms_up_holds_and_falls_to_zero() -> None:
    assert schedule(0.0, 0.1) == 0 and schedule(0.05, 0.1) == pytest.approx(0.5)
    assert schedule(0.2, 0.1) == 1 and schedule(1.0, 0.1) == 0


def test_a_loss_that_is_no_number_keeps_the_last_good_state(tmp_path: Path) -> None:
    host = Host(state=tmp_path)
    loop = make_loop(host, cooldown=0.0)
    inner = loop.loss_of

    def loss_of(batch: dict[str, torch.Tensor], progress: float) -> tuple[torch.Tensor, dict[str, float]]:
        loss, logs = inner(batch, progress)
        return loss * (float("nan") if loop.step == 25 else 1.0), logs

    loop.loss_of = loss_of
    with pytest.raises(
        TrainingError, match=r"stage test, but got NaN or infinity at step 26 of 40; .* vae\.lr"
    ):
        loop.run()
    assert all(bool(p.isfinite().all()) for p in loop.module.parameters())
    again = make_loop(Host(state=tmp_path))
    again.run()
    whole = make_loop(Host())
    whole.run()
    for one, two in zip(again.module.parameters(), whole.module.parameters(), strict=True):
        assert torch.equal(one, two)


@pytest.mark.parametrize(
    ("error", "place"),
    [
        (torch.OutOfMemoryError("CUDA out of memory"), "GPU"),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory"), "machine"),
    ],
)
def test_memory_that_is_not_enough_names_a_smaller_batch(error: Exception, place: str) -> None:
    loop = make_loop(Host())

    def loss_of(batch: dict[str, torch.Tensor], progress: float) -> tuple[torch.Tensor, dict[str, float]]:
        raise error

    loop.loss_of = loss_of
    with pytest.raises(ResourceError, match=rf"a step of 16 records .* {place}.*; set vae\.batch_size=8"):
        loop.run()
    loop.loss_of = lambda batch, progress: 1 / 0  # type: ignore[assignment, return-value]
    with pytest.raises(ZeroDivisionError):
        loop.run()


def test_a_part_that_says_nothing_of_a_figure_does_not_count_as_nought() -> None:
    told = [(0.25, {"kl": 1.0, "reconstruction": 8.0}), (0.75, {"kl": 3.0})]
    assert mean_of_parts(told) == {"kl": 2.5, "reconstruction": 8.0}
    assert mean_of_parts([*told, (1.0, {"reconstruction": 3.0})])["reconstruction"] == 4.0
    assert mean_of_parts(told[1:]) == {"kl": 3.0}
