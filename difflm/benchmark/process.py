"""A process that is timed, whose memory is watched, and that is ended when it takes too long"""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from difflm.disk import explained
from difflm.errors import RunError

LOOK = 0.1
"""Seconds between two looks at a process."""
FACTOR, ALLOWANCE = 1.5, 300.0
"""A phase may take so many times the limit, and so many seconds for start and end, before it is killed."""
THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "LOKY_MAX_CPU_COUNT",
    "RAYON_NUM_THREADS",
)


@dataclass(frozen=True)
class Measured:
    """What a process took: wall seconds from start to end, and memory with that of its children."""

    seconds: float
    peak_mb: float


def environment(threads: int, **more: str) -> dict[str, str]:
    """Environment that keeps numeric libraries to `threads` and away from the network and this package."""
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    quiet = {"HF_HUB_OFFLINE": "1", "HF_HUB_DISABLE_TELEMETRY": "1", "TOKENIZERS_PARALLELISM": "false"}
    limits = dict.fromkeys(THREAD_VARIABLES, str(threads))
    return {**kept, **quiet, **limits, "CUDA_VISIBLE_DEVICES": "", "PYTHONUNBUFFERED": "1", **more}


def measure(
    command: Sequence[str],
    log: Path,
    *,
    limit: float,
    env: Mapping[str, str],
    phase: Callable[[], int] = lambda: 0,
) -> Measured:
    """Run `command`, its output in `log`. RunError when it fails, or when a phase takes far over `limit`.

    `phase` counts the phases that are over; each has its own allowance. Memory is the sum over the tree of
    processes as seen every tenth of a second: getrusage would count what this process had before exec."""
    began = time.monotonic()
    allowed = FACTOR * limit + ALLOWANCE
    try:
        with log.open("ab") as file:
            process = subprocess.Popen(
                list(command),
                stdin=subprocess.DEVNULL,
                stdout=file,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                env=dict(env),
            )
    except OSError as error:
        raise explained(error, log) from error
    peak, now, phase_began = 0.0, 0, began
    try:
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            if phase() != now:
                now, phase_began = phase(), time.monotonic()
            if time.monotonic() - phase_began > allowed:
                raise RunError(
                    f"an end within {allowed:.0f} s ({FACTOR} x the limit of {limit:.0f} s + {ALLOWANCE:.0f} s)",
                    "a process that went on and was killed",
                    "raise --time-limit, lower --rows, or leave this model out",
                )
            time.sleep(LOOK)
    finally:
        if process.poll() is None:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    seconds = time.monotonic() - began
    if process.returncode:
        raise RunError("a process that ends well", _last_words(log, process.returncode), f"see {log.name}")
    return Measured(seconds, peak / 2**20)


def _resident(pid: int) -> float:
    """Bytes that a process and its children hold now, at least the highest that it held itself."""
    total = 0.0
    with suppress(psutil.Error):
        process = psutil.Process(pid)
        for one in [process, *process.children(recursive=True)]:
            with suppress(psutil.Error):
                total += one.memory_info().rss
    with suppress(OSError, ValueError, IndexError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                total = max(total, float(line.split()[1]) * 1024)
    return total


def _last_words(log: Path, code: int) -> str:
    lines = [line.strip() for line in log.read_text(errors="replace").splitlines() if line.strip()]
    # A signal says more than what was printed before it.
    if code < 0:
        return f"signal {-code} ({signal.Signals(-code).name}), maybe for lack of memory"
    return lines[-1][-300:] if lines else f"exit code {code}"
