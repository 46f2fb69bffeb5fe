"""How fast this machine trains, so that a schedule fits its time limit from the start.

Measured with a few training steps of the product's own blocks, and kept in the user's cache: the same machine gets
the same plan, and with it the same weights for a seed. Every training looks again for two seconds, and only a clearly
higher figure replaces the old one, which then came from a busy moment. The variable DIFFLM_SPEED sets it.
"""

from __future__ import annotations

import math
import os
import platform
import time
from contextlib import suppress

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


def machine_speed(device: torch.device) -> float:
    """1.0 for the reference machine, 2.0 for one that takes half the time for the same steps."""
    given = os.environ.get("DIFFLM_SPEED")
    if given:
        try:
            return max(float(given), 1e-3)
        except ValueError as error:
            raise ConfigError("a number in DIFFLM_SPEED, such as 1.0", repr(given)) from error
    path, key = cache_folder() / "speed.json", _machine(device)
    try:
        known = read_json(path) if path.exists() else {}
    except DiffLMError:
        known = {}
    before = known.get(key)
    now = _rounded(REFERENCE_SECONDS / probe(device))
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


def _rounded(speed: float) -> float:
    return float(GRID ** round(math.log(speed) / math.log(GRID)))
