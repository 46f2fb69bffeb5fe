"""Mixed precision: bfloat16 for matrix products wherever the hardware multiplies it natively.

DIFFLM_PRECISION=float32 does without: then a training by several processes agrees with one by a single process to six
digits, where rounded gradients agree to three.
"""

from __future__ import annotations

import os
import platform
from contextlib import AbstractContextManager
from functools import cache

import torch


@cache
def native_bfloat16(device: torch.device) -> bool:
    """Whether bfloat16 is at least as fast as float32 on `device`, and allowed."""
    if os.environ.get("DIFFLM_PRECISION") == "float32":
        return False
    if device.type == "cuda":
        return torch.cuda.is_bf16_supported(including_emulation=False)
    if device.type != "cpu":
        return False
    probes = ("_is_avx512_bf16_supported", "_is_amx_tile_supported")
    if any(getattr(torch.cpu, probe, bool)() for probe in probes):
        return True
    return platform.system() == "Linux" and "avx512_bf16" in _cpu_flags()


def _cpu_flags() -> str:
    try:
        with open("/proc/cpuinfo") as file:
            return next((line for line in file if line.startswith("flags")), "")
    except OSError:
        return ""


def mixed(device: torch.device, cache: bool = True) -> AbstractContextManager[object]:
    """Autocast to bfloat16 where that is native, else nothing. Threads that train together share no cast weights:
    `cache` False."""
    return torch.autocast(
        device.type, dtype=torch.bfloat16, enabled=native_bfloat16(device), cache_enabled=cache
    )
