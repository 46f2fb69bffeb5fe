"""Processes as a launcher starts them: on this machine, on its CPU, over 127.0.0.1."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
ALONE = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT")


def environment(**more: str) -> dict[str, str]:
    """One thread each, no GPU, this package."""
    own = {k: v for k, v in os.environ.items() if k not in ALONE}
    fixed = {"PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}", "OMP_NUM_THREADS": "1", "ACCELERATE_USE_CPU": "true"}
    return {**own, **fixed, "DIFFLM_SPEED": "1.0", **more}


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def start(processes: int, *arguments: str) -> list[subprocess.Popen[str]]:
    """`python ARGUMENTS` by so many ranks, without a launcher that would clean up after a killed one."""
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "WORLD_SIZE": str(processes)}
    ranks = [{**group, "RANK": str(rank), "LOCAL_RANK": str(rank)} for rank in range(processes)]
    return [
        subprocess.Popen(
            [sys.executable, *arguments],
            env=environment(**(rank if processes > 1 else {})),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in ranks
    ]


def finish(started: Sequence[subprocess.Popen[str]], timeout: float = 120.0) -> list[str]:
    """What each of them said; all have to end well."""
    try:
        said = [process.communicate(timeout=timeout)[0] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0] * len(started), "\n".join(said)
    return said


def launcher(kind: str) -> list[str]:
    """The arguments of Python that start two ranks by a launcher."""
    where = ["--main_process_ip", "127.0.0.1", "--main_process_port", str(free_port())]
    if kind == "accelerate":
        plain = ["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"]
        # Its --cpu starts one process only; with --multi_gpu and ACCELERATE_USE_CPU it starts two that use the CPU.
        return ["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2", *plain, *where]
    own = ["--nproc_per_node", "2", "--master_addr", "127.0.0.1", "--master_port", where[-1]]
    return ["-m", "torch.distributed.run", *own]
