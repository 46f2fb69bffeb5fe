"""The project's training loop over windows of a corpus: its plan, its noise, its held-out figures, its speed."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping
from itertools import pairwise
from statistics import median
from typing import Any

import torch
from accelerate import Accelerator

from difflm.precision import mixed
from difflm.pretrain.model import BaseModel
from difflm.pretrain.packing import Windows
from difflm.pretrain.sizes import Size
from difflm.training.host import Host
from difflm.training.loop import Loop
from difflm.training.stage import Plan

NOISE = 1.0
"""Largest noise on the tokens that a copy is told by, in units of the embeddings' spread."""
WEIGHT_DECAY = 0.05
EVALUATIONS = 20
FEWEST_EVALUATIONS = 4
EVALUATION_SHARE = 0.06
"""Of a time limit, what evaluations may take before there are fewer of them."""
EVALUATED_TOKENS = 2**13
"""Tokens that an evaluation takes at once."""
PROBED_STEPS = 6


def make_plan(
    size: Size, seed: int, steps: int, seconds: float | None = None, evaluations: int = EVALUATIONS
) -> Plan:
    """Warm-up, plateau, then linearly to zero; the best weights are kept, and nothing ends it early."""
    return Plan(
        stage="pretrain",
        section="pretrain",
        steps=max(steps, 1),
        batch_size=size.batch,
        lr=size.lr,
        muon_lr=size.muon_lr,
        seed=seed,
        seconds=seconds,
        weight_decay=WEIGHT_DECAY,
        evaluations=evaluations,
        patience=evaluations + 1,
    )


def timed_plan(size: Size, seed: int, seconds: float, step: float, held_windows: int) -> Plan:
    """What fits into `seconds` where a step takes `step` seconds, evaluations included."""
    # An evaluation goes forward only: a third of the products of a step.
    look = step / 3 * held_windows / size.batch
    fitting = int(EVALUATION_SHARE * seconds / max(look, 1e-9))
    evaluations = max(FEWEST_EVALUATIONS, min(EVALUATIONS, fitting))
    # One more look is at the weights as they are saved.
    left = seconds - look
    return make_plan(size, seed, int((left - evaluations * look) / step), left, evaluations)


def make_loop(
    plan: Plan,
    model: BaseModel,
    train: Windows,
    scores: Callable[[], dict[str, Any]],
    host: Host,
    accelerator: Accelerator,
) -> Loop:
    """A loop whose steps take windows (B, T + 1) of `train`; `scores` is asked at each evaluation."""
    device, width = accelerator.device, model.table.weight.shape[1]

    def draw(rows: torch.Tensor, generator: torch.Generator) -> dict[str, torch.Tensor]:
        sizes = NOISE * torch.rand(len(rows), 1, 1, generator=generator)
        seeds = torch.randint(2**31, (len(rows),), generator=generator)
        return {"ids": train.take(rows), "sizes": sizes, "seeds": seeds}

    def loss_of(batch: dict[str, torch.Tensor], progress: float) -> tuple[torch.Tensor, dict[str, float]]:
        # Noise has the size of all embeddings: each part of the batch draws its own from the first seed it gets.
        generator = torch.Generator(device).manual_seed(int(batch["seeds"][0]))
        ids, sizes = batch["ids"].to(device), batch["sizes"].to(device)
        noise = torch.randn(*ids[:, :-1].shape, width, generator=generator, device=device) * sizes
        with mixed(device, cache=False):
            loss = model(ids, noise)
        return loss, {"loss": loss.item()}

    loop = Loop(plan, model, len(train), draw, loss_of, scores, host, accelerator)
    if device.type == "cpu" and accelerator.num_processes == 1:
        # A window has hundreds of tokens: a few of them fill a core, unlike the short rows that Shards reckons with.
        loop.shards.parts = min(loop.shards.threads, plan.batch_size)
    return loop


@torch.no_grad()
def held_out_figures(model: BaseModel, held: Mapping[str, Windows], device: torch.device) -> dict[str, float]:
    """Nats a token: their mean over kinds ("loss"), each kind's own, and the share of copied tokens that are right."""
    figures: dict[str, float] = {}
    for kind, windows in held.items():
        nats, right, count = 0.0, 0, 0
        for rows in torch.arange(len(windows)).split(max(1, EVALUATED_TOKENS // windows.length)):
            found = model.score(windows.take(rows).to(device))
            nats, right, count = nats + found[0], right + found[1], count + found[2]
        figures[f"loss_{kind}"] = nats / max(count, 1)
        if kind == "copy":
            figures["copied"] = right / max(count, 1)
    own = [value for name, value in figures.items() if name != "copied"]
    return {"loss": sum(own) / max(len(own), 1), **figures}


def seconds_per_step(size: Size, model: BaseModel, train: Windows, accelerator: Accelerator) -> float:
    """Median time of a few whole steps of a copy of the model, the first left out."""
    times: list[float] = []

    def clock() -> bool:
        times.append(time.perf_counter())
        return False

    plan, probed = make_plan(size, 0, PROBED_STEPS, evaluations=1), copy.deepcopy(model)
    if model.compiled:
        probed.compile_body()
    probe = make_loop(plan, probed, train, lambda: {"score": 0.0}, Host(should_stop=clock), accelerator)
    probe.run()
    return median(after - before for before, after in pairwise(times))
