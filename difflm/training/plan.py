"""From a time limit to steps, before training starts.

The steps follow from the sizes of table and model and from the speed of the machine, which is measured once
(training/speed.py): the same table and preset train the same on one machine. One that is busy with other work
is cut back while it runs (Loop).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from difflm.config import Config
from difflm.training.stage import Plan

REFERENCE_RATE = 1.85e11
"""Floating-point operations a second that training reaches on the two CPU cores of the README's figures
(benchmarks/speed.py), with a little room: what is cut by the clock is not repeatable, what ends early is."""
STEP_SECONDS = 0.03
PRIOR_STEP_SECONDS = 0.009
"""Time of a step that does not grow with the batch (optimisers, Python)."""
LEAST_STEP_SECONDS = 0.09
"""No step of stages 0 and 1 is shorter, however few its rows: optimisers, averages, Python."""
LAUNCHED_SECONDS = {"lm": 0.04, "vae": 0.04, "prior": 0.009}
"""No step on a GPU is shorter, however fast it multiplies: Python takes so long to ask for the kernels (one H200)."""
FOREIGN_RATE = 6.5e10
"""REFERENCE_RATE of a decoder of transformers beside an encoder of ours."""
EVALUATION_ROWS, EVALUATION_DOCUMENTS = 8_000, 1_500
"""Rows whose forward pass takes as long as one evaluation: held-out rows scored, some decoded twice; and documents."""
OVERHEAD_SECONDS, DOCUMENT_SECONDS = 30.0, 70.0
OVERHEAD_SHARE = 0.02
"""What is left of the time limit for starting, reading, encoding, the latent use and the first samples, of rows and of
documents; half of a short limit."""
CALIBRATION_SHARE, WRITTEN_TOKENS = 0.04, 25_000.0
"""Of the time limit at most for generating and counting (training/calibrate.py), and tokens written in a second."""
LEAST_ROUND, MOST_ROUND = 512, 16_384
"""Rows of a round of that: with fewer the counts are noise, with more nothing is gained."""
MOST_EPOCHS = {"lm": 2.0, "vae": 30.0, "prior": 200.0}
ENOUGH_STEPS = {"lm": 120, "vae": 1500, "prior": 3000}
"""Passes over the table at most. Beyond, rows are learned by heart (stage 1: the learning rate has to come down before
that), the decoder learns to do without z (stage 0, when it is trained along afterwards), or nothing is gained (prior).
A short table gets so many steps all the same, and stops by its held-out rows."""
LEAST_STEPS, SOME_STEPS = 40, 80
"""Steps that are taken whatever the limit, and those that long records are given by smaller batches."""
LEAST_BATCH = 8


@dataclass(frozen=True)
class Size:
    """What decides the cost."""

    rows: int
    tokens: float
    weights: int | None = None
    """Weights that work on each token, for a decoder that is no compact one."""
    looked: int = EVALUATION_ROWS
    """Rows whose forward pass takes as long as one evaluation."""


def make_plans(config: Config, size: Size, speed: float = 1.0, device: str = "cpu") -> dict[str, Plan]:
    """A Plan for each stage: "lm" (share may be 0), "vae", "prior"; `speed` is that of `machine_speed`."""
    launched = LAUNCHED_SECONDS if device == "cuda" else dict.fromkeys(LAUNCHED_SECONDS, 1e-9)
    limit = config.time_limit * 60
    compact = config.decoder.kind == "compact"
    overhead = OVERHEAD_SECONDS if compact else DOCUMENT_SECONDS
    after = OVERHEAD_SHARE + (CALIBRATION_SHARE if compact and config.prior.calibration else 0.0)
    budget = max(limit * (1 - after) - overhead, limit / 2)
    lm_share = config.lm.share if compact else 0.0
    prior_share = config.prior.share if config.prior.kind == "diffusion" else 0.05
    shares = {"lm": lm_share, "prior": prior_share, "vae": 1 - lm_share - prior_share}
    batch = _batch(config.vae.batch_size, size.rows)
    batch = _affordable(batch, row_operations(config, size, "vae"), budget * shares["vae"] * speed / 2)
    common = {
        "batch_size": batch,
        "lr": config.vae.lr,
        "muon_lr": config.vae.muon_lr,
        "warmup": config.vae.warmup,
        "weight_decay": config.vae.weight_decay,
        "seed": config.seed,
        "accumulation": config.vae.accumulation,
    }
    plans: dict[str, Plan] = {}
    for stage, length in (("lm", 1 + config.lm.copy_share), ("vae", 1.0)):
        seconds = budget * shares[stage]
        cost = row_operations(config, size, stage) * (length if stage == "lm" else 1.0)
        evaluations = config.vae.evaluations if stage == "vae" else 4
        looking = evaluations * size.looked * cost / 3 / REFERENCE_RATE
        spent = max(seconds * speed - looking, 0.5 * seconds * speed)
        steps = spent / max(STEP_SECONDS + batch * cost / REFERENCE_RATE, LEAST_STEP_SECONDS)
        steps = min(steps, seconds / launched[stage])
        epochs = config.lm.epochs if stage == "lm" else config.vae.epochs
        most = max(MOST_EPOCHS[stage] * size.rows / batch, ENOUGH_STEPS[stage])
        if stage == "lm" and not config.decoder.joint:
            most = float("inf")
        steps = epochs * size.rows / batch if epochs else min(steps, most)
        plans[stage] = Plan(
            stage=stage,
            steps=max(LEAST_STEPS, int(steps)),
            seconds=None if epochs else seconds,
            ema=config.vae.ema,
            evaluations=evaluations,
            patience=config.vae.patience if stage == "vae" else 2,
            cooldown=config.vae.cooldown if stage == "vae" else 0.0,
            **common,  # type: ignore[arg-type]
        )
    prior = config.prior
    weights = denoiser_weights(config)
    seconds = budget * shares["prior"]
    batch = min(prior.batch_size, size.rows)
    most = max(MOST_EPOCHS["prior"] * size.rows / batch, ENOUGH_STEPS["prior"])
    affordable = seconds * speed / (PRIOR_STEP_SECONDS + 6 * weights * batch / REFERENCE_RATE)
    steps = prior.steps or min(affordable, seconds / launched["prior"], most)
    plans["prior"] = Plan(
        stage="prior",
        section="prior",
        steps=max(LEAST_STEPS, int(steps)),
        batch_size=batch,
        lr=prior.lr,
        seed=config.seed,
        seconds=None if prior.steps else seconds,
        most_steps=most,
        ema=prior.ema,
        evaluations=10,
        patience=5,
        weight_decay=0.0,
    )
    return plans


def with_leftover(plans: dict[str, Plan], left: float) -> Plan:
    """The prior's plan when stage 1 left this share of its time: that, up to as much again, is the prior's."""
    vae, prior = plans["vae"], plans["prior"]
    if not vae.seconds or not prior.seconds:
        return prior
    gained = min(1.0, vae.seconds * left / prior.seconds)
    steps = int(min(prior.steps * (1 + gained), prior.most_steps))
    return replace(prior, steps=steps, seconds=prior.seconds * (1 + gained))


def calibration_rows(config: Config, size: Size, speed: float = 1.0) -> int:
    """Rows to generate in each round of calibration: at most twice the table; 0 where time is too short, or it is
    off."""
    rounds = config.prior.calibration
    if not rounds or config.decoder.kind != "compact" or config.sample.temperature == 0:
        return 0
    rows = CALIBRATION_SHARE * config.time_limit * 60 * speed * WRITTEN_TOKENS / size.tokens / rounds
    return 0 if rows < LEAST_ROUND else int(min(rows, MOST_ROUND, max(LEAST_ROUND, 2 * size.rows)))


def row_operations(config: Config, size: Size, stage: str) -> float:
    """Floating-point operations of one row forwards and backwards: 6 per weight and token, 4 where the weight is frozen
    and only passes the gradient on."""
    weights = size.weights or 12 * config.decoder.width**2 * config.decoder.layers
    decoder = weights * (size.tokens + config.injection.soft_tokens)
    encoder = 12 * config.encoder.width**2 * config.encoder.layers * (size.tokens + config.latent.slots)
    slower = REFERENCE_RATE / FOREIGN_RATE if size.weights else 1.0
    frozen = stage == "vae" and not config.decoder.joint
    return slower * ((4.0 if frozen else 6.0) * decoder + (6.0 * encoder if stage == "vae" else 0.0))


def denoiser_weights(config: Config) -> int:
    """Weights of the denoiser, about."""
    width = config.prior.width
    enter = config.latent.size * (1 + 2 * config.prior.fourier) * width
    return int(enter + config.prior.blocks * 4.5 * width**2)


def _affordable(batch: int, cost: float, seconds: float) -> int:
    """Rows of a step so that SOME_STEPS of them fit into `seconds`: few steps of many rows teach less."""
    rows = (seconds / SOME_STEPS - STEP_SECONDS) * REFERENCE_RATE / cost
    return min(batch, max(LEAST_BATCH, int(rows)))


def _batch(most: int, rows: int) -> int:
    """At least 20 steps a pass for short tables, never under 16 rows."""
    return int(min(most, max(16, rows // 20), rows))
