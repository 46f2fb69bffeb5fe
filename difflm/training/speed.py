"""How fast this machine trains, so that a schedule fits its time limit from the start.

Measured with a few training steps of the product's own blocks, and kept in the user's cache: the same machine gets
the same plan, and with it the same weights for a seed. Every training looks again for two seconds, and only a clearly
higher figure replaces the old one, which then came from a busy moment. The variable DIFFLM_SPEED sets it.

A few products say little of a machine that multiplies slowly and does all else as well as others: what stage 0 of a
table took says more of the stages after it, and is kept for that table in the same way.
"""

from __future__ import annotations

import math
import os
import platform
import time
from contextlib import suppress
from pathlib import Path

import torch
from torch import nn

from difflm.disk import cache_folder, make_folder, read_json, write_json
from difflm.errors import ConfigError, DiffLMError
from difflm.models.transformer import Block
from difflm.precision import mixed
from difflm.training.shards import Shards

ROWS, PLACES, WIDTH, LAYERS, HEADS = 256, 20, 128, 2, 4
REFERENCE_SECONDS = 0.051
"""Time of one probe on the machine of the README's figures: two cores of an AMD EPYC with AVX-512 bfloat16."""
PROBE_SECONDS = 2.0
BUSY = 1.12
"""A figure beaten by more than this was taken while the machine did other work."""
GRID = 1.05
"""Speeds are rounded to powers of this: what is less is noise."""
ROOM, MOST_FASTER = 0.95, 3.0
"""What is taken of a speed that steps were seen to have, so that the clock cuts nothing; and no more is believed."""


def machine_speed(device: torch.device) -> float:
    """1.0 for the reference machine, 2.0 for one that takes half the time for the same steps."""
    given = os.environ.get("DIFFLM_SPEED")
    if given:
        try:
            return max(float(given), 1e-3)
        except ValueError as error:
            raise ConfigError("a number in DIFFLM_SPEED, such as 1.0", repr(given)) from error
    return _kept(_machine(device), GRID ** round(_grid(REFERENCE_SECONDS / probe(device))))


def speed_seen(
    device: torch.device, work: str, speed: float, faster: float, state: Path | None = None
) -> float:
    """The speed for the stages after stage 0 of `work` (a table and a model, in words), whose steps went `faster` times
    as fast as `speed` had promised (0: not known). Slower ones change no plan: the loop keeps to its time. What a run
    was planned by stays in the folder `state`."""
    if "DIFFLM_SPEED" in os.environ:
        return speed
    path = None if state is None else state / "seen.json"
    if path is not None and path.exists():
        return float(read_json(path)["speed"])
    seen = GRID ** math.floor(_grid(ROOM * min(faster, MOST_FASTER) * speed)) if faster else 0.0
    seen = max(speed, _kept(f"{_machine(device)}: {work}", max(speed, seen)))
    if path is not None:
        make_folder(path.parent)
        write_json(path, {"speed": seen})
    return seen


def _kept(key: str, now: float) -> float:
    """What is kept under `key` in the user's cache; `now` where that is nothing, or clearly less."""
    path = cache_folder() / "speed.json"
    try:
        known = read_json(path) if path.exists() else {}
    except DiffLMError:
        known = {}
    before = known.get(key)
    if not isinstance(before, float) or now > BUSY * before:
        known[key] = now
        with suppress(OSError, DiffLMError):  # a read-only home: measured again the next time
            make_folder(path.parent)
            write_json(path, known)
    return float(known[key])


def probe(device: torch.device, seconds: float = PROBE_SECONDS) -> float:
    """Shortest time of a forward and backward pass of a small Transformer; other work only ever makes it longer."""
    with torch.random.fork_rng(devices=[]):
        return _probe(device, seconds)


def _probe(device: torch.device, seconds: float) -> float:
    blocks = nn.ModuleList(Block(WIDTH, HEADS) for _ in range(LAYERS)).to(device)
    parameters = list(blocks.parameters())

    def loss_of(batch: dict[str, torch.Tensor], progress: float) -> tuple[torch.Tensor, dict[str, float]]:
        x = batch["x"].to(device)
        with mixed(device, cache=False):
            for block in blocks:
                x = block(x, causal=True)
        return x.float().square().mean(), {}

    batch = {"x": torch.randn(ROWS, PLACES, WIDTH)}
    best, end, runs = float("inf"), time.perf_counter() + seconds, 0
    with Shards(ROWS, device) as shards:
        while time.perf_counter() < end or runs < 3:
            start = time.perf_counter()
            if shards.parts > 1:
                shards.backward(loss_of, batch, 0.0, parameters)
            else:
                loss_of(batch, 0.0)[0].backward()
            if device.type == "cuda":
                torch.cuda.synchronize(device)
            best, runs = min(best, time.perf_counter() - start), runs + 1
    return best


def _machine(device: torch.device) -> str:
    name = torch.cuda.get_device_name(device) if device.type == "cuda" else platform.processor()
    name = f"{platform.node()}, {name or platform.machine()}"
    return f"{name}, {torch.get_num_threads()} threads, torch {torch.__version__}"


def _grid(speed: float) -> float:
    return math.log(speed) / math.log(GRID)
