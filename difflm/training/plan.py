"""From a time limit to steps, before training starts.

The steps follow from the sizes of table and model and from the speed of the machine, which is measured once
(training/speed.py), and corrected once by what stage 0 took: the same table and preset train the same on one machine.
One that is busy with other work is cut back while it runs (training/pace.py).
"""

from __future__ import annotations

from dataclasses import replace

from difflm.config import Config
from difflm.training.costs import (
    FORWARDS,
    REFERENCE_RATE,
    WRITTEN_TOKENS,
    Size,
    denoiser_weights,
    evaluation_seconds,
    other_seconds,
    row_operations,
)
from difflm.training.stage import Plan

STEP_SECONDS = 0.03
PRIOR_STEP_SECONDS = 0.009
"""Time of a step that does not grow with the batch (optimisers, Python)."""
LEAST_STEP_SECONDS = 0.09
"""No step of stages 0 and 1 is shorter, however few its rows: optimisers, averages, Python."""
LAUNCHED_SECONDS = {"lm": 0.04, "vae": 0.04, "prior": 0.009}
"""No step on a GPU is shorter, however fast it multiplies: Python takes so long to ask for the kernels (one H200)."""
SPARE_SHARE, LEAST_SHARE = 0.02, 1 / 3
"""What is left of the time limit beside all that is reckoned; and what the stages get of it at least."""
CALIBRATION_SHARE = 0.04
"""Of the time limit at most for generating and counting (training/calibrate.py)."""
LEAST_ROUND, MOST_ROUND = 512, 16_384
"""Rows of a round of that: with fewer the counts are noise, with more nothing is gained."""
LEAST_EXPECTED, EXPECTED_TOKENS = 64, 400_000
"""Rows at least, and tokens at most, of the calibration that generates nothing: it is for rows too long to be generated
in that time."""
LM_EVALUATIONS, LEAST_EVALUATIONS, LOOKING_SHARE, MOST_LOOKING = 4, 2, 0.35, 2 / 3
"""Evaluations of stage 0; of each stage at least; what they may take of its time at most; and what so few may, beyond
which there is one."""
MOST_EPOCHS = {"lm": 2.0, "vae": 30.0, "prior": 200.0}
ENOUGH_STEPS = {"lm": 120, "vae": 1500, "prior": 3000}
"""Passes over the table at most. Beyond, rows are learned by heart (stage 1: the learning rate has to come down before
that), the decoder learns to do without z (stage 0, when it is trained along afterwards), or nothing is gained (prior).
A short table gets so many steps all the same, and stops by its held-out rows."""
LEAST_STEPS, SOME_STEPS = 40, 80
"""Steps that are taken whatever the limit, and those that long records are given by smaller batches."""
LEAST_BATCH = 8


def make_plans(config: Config, size: Size, speed: float = 1.0, device: str = "cpu") -> dict[str, Plan]:
    """A Plan for each stage: "lm" (no steps: left out), "vae", "prior"; `speed` is that of `machine_speed`."""
    compact = config.decoder.kind == "compact"
    lm_share = config.lm.share if compact else 0.0
    prior_share = config.prior.share if config.prior.kind == "diffusion" else 0.05
    budget = training_seconds(config, size, speed)
    short = budget * lm_share * speed < evaluation_seconds(config, size, "lm")
    if short and config.decoder.joint and not config.lm.epochs:
        lm_share = 0.0  # it would end before it could be looked at once
    shares = {"lm": lm_share, "vae": 1 - lm_share - prior_share, "prior": prior_share}
    seconds = {stage: budget * share for stage, share in shares.items()}
    launched = LAUNCHED_SECONDS if device == "cuda" else dict.fromkeys(LAUNCHED_SECONDS, 1e-9)
    batch = _batch(config.vae.batch_size, size.rows)
    batch = _affordable(batch, row_operations(config, size, "vae"), seconds["vae"] * speed / 2)
    plans = {
        stage: _language_plan(stage, config, size, batch, seconds[stage], speed, launched[stage])
        for stage in ("lm", "vae")
    }
    if not lm_share:
        plans["lm"].steps = 0
    return plans | {"prior": _prior_plan(config, size, seconds["prior"], speed, launched["prior"])}


def training_seconds(config: Config, size: Size, speed: float = 1.0) -> float:
    """What the time limit leaves for the three stages."""
    limit = config.time_limit * 60
    compact = config.decoder.kind == "compact"
    spare = SPARE_SHARE + (CALIBRATION_SHARE if compact and config.prior.calibration else 0.0)
    other = other_seconds(config, size, speed) / (min(speed, 1.0) if compact else 1.0)
    return max(limit * (1 - spare) - other, limit * LEAST_SHARE)


def _language_plan(
    stage: str, config: Config, size: Size, batch: int, seconds: float, speed: float, launched: float
) -> Plan:
    """Of stage 0 or 1, which learn what rows say, in `seconds` on this machine."""
    vae = config.vae
    looking = evaluation_seconds(config, size, stage)
    evaluations = vae.evaluations if stage == "vae" else LM_EVALUATIONS
    least = LEAST_EVALUATIONS if LEAST_EVALUATIONS * looking <= MOST_LOOKING * seconds * speed else 1
    evaluations = min(evaluations, max(least, int(LOOKING_SHARE * seconds * speed / looking)))
    spent = max(seconds * speed - evaluations * looking, 0.5 * seconds * speed)
    length = 1 + config.lm.copy_share if stage == "lm" else 1.0
    cost = length * row_operations(config, size, stage)
    pace = max(STEP_SECONDS + batch * cost / REFERENCE_RATE, LEAST_STEP_SECONDS)
    steps = min(spent / pace, seconds / launched)
    most = max(MOST_EPOCHS[stage] * size.rows / batch, ENOUGH_STEPS[stage])
    if stage == "lm" and not config.decoder.joint:
        most = float("inf")
    epochs = config.lm.epochs if stage == "lm" else vae.epochs
    steps = epochs * size.rows / batch if epochs else min(steps, most)
    return Plan(
        stage=stage,
        steps=max(LEAST_STEPS, int(steps)),
        batch_size=batch,
        lr=vae.lr,
        muon_lr=vae.muon_lr,
        warmup=vae.warmup,
        weight_decay=vae.weight_decay,
        seed=config.seed,
        accumulation=vae.accumulation,
        seconds=None if epochs else seconds,
        pace=max(pace / speed, launched),
        ema=vae.ema,
        evaluations=evaluations,
        looking=looking / speed,
        patience=vae.patience if stage == "vae" else 2,
        cooldown=vae.cooldown if stage == "vae" else 0.0,
    )


def _prior_plan(config: Config, size: Size, seconds: float, speed: float, launched: float) -> Plan:
    """Of stage 2, in `seconds` on this machine."""
    prior = config.prior
    batch = min(prior.batch_size, size.rows)
    most = max(MOST_EPOCHS["prior"] * size.rows / batch, ENOUGH_STEPS["prior"])
    operations = 6 * denoiser_weights(config) * batch
    affordable = seconds * speed / (PRIOR_STEP_SECONDS + operations / REFERENCE_RATE)
    steps = prior.steps or min(affordable, seconds / launched, most)
    return Plan(
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
    if not calibrated(config):
        return 0
    rows = CALIBRATION_SHARE * config.time_limit * 60 * speed * WRITTEN_TOKENS / size.tokens / rounds
    return 0 if rows < LEAST_ROUND else int(min(rows, MOST_ROUND, max(LEAST_ROUND, 2 * size.rows)))


def expected_rows(config: Config, size: Size, speed: float = 1.0) -> int:
    """Training rows of the calibration that generates nothing, which is for where `calibration_rows` has no time."""
    if not calibrated(config) or calibration_rows(config, size, speed):
        return 0
    rows = CALIBRATION_SHARE * config.time_limit * 60 * speed * REFERENCE_RATE
    rows /= row_operations(config, size, "vae") / 3 * FORWARDS
    rows = int(min(rows, size.rows, EXPECTED_TOKENS / size.tokens))
    return rows if rows >= LEAST_EXPECTED else 0


def calibrated(config: Config) -> bool:
    """Whether what is generated is to be brought to the frequencies of the training rows."""
    return bool(config.prior.calibration and config.decoder.kind == "compact" and config.sample.temperature)


def _affordable(batch: int, cost: float, seconds: float) -> int:
    """Rows of a step so that SOME_STEPS of them fit into `seconds`: few steps of many rows teach less."""
    rows = (seconds / SOME_STEPS - STEP_SECONDS) * REFERENCE_RATE / cost
    return min(batch, max(LEAST_BATCH, int(rows)))


def _batch(most: int, rows: int) -> int:
    """At least 20 steps a pass for short tables, never under 16 rows."""
    return int(min(most, max(16, rows // 20), rows))
