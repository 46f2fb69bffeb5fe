"""Run a program that nobody has read: a process of its own under limits, in an empty folder, without a network.

What is guaranteed depends on the machine; `protections()` says what works here, and every outcome carries it.

* limits (POSIX): wall clock, CPU seconds, memory (address space), size of a file, open files, no core file; the
  process group is killed at the end. Processes and threads are refused by RLIMIT_NPROC to all but root.
* network (Linux with unprivileged name spaces): no interface of the machine can be reached.
* files (Linux 5.13 with Landlock): reads Python and system libraries, writes its own empty folder, nothing else.
* calls (Linux, x86_64 and aarch64, seccomp): no process, thread, signal to others, socket, change of file rights.
* audit (always): Python's audit events refuse the same. It stops accidents; code that means harm gets round it.

Where `files` and `calls` are missing, only audit keeps a program from the user's files and processes. Never
guaranteed: that a program did not tamper with its own tests (it shares their interpreter), that the disk is not
filled by many small files within the time, secrecy from bugs of the kernel. For hostile code use a virtual machine.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import selectors
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Literal

from difflm.errors import ConfigError

CHILD = Path(__file__).with_name("child.py")
STARTING = 10.0
"""Seconds that Python may take to start, beyond those of the program."""
Status = Literal["passed", "failed", "timeout", "memory", "crashed"]
STATUSES: tuple[Status, ...] = ("passed", "failed", "timeout", "memory", "crashed")


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What a program may use."""

    seconds: float = 20.0
    """Wall clock, from when the program starts; more than the processor time, for machines that are busy."""
    cpu_seconds: int = 6
    """Processor time, start of Python included."""
    memory_mb: int = 512
    """Address space, Python itself included (about 20)."""
    file_mb: float = 1.0
    """Size of a file."""
    open_files: int = 32
    output_characters: int = 10_000
    """Of standard output and error together; more is read and thrown away."""

    def __post_init__(self) -> None:
        for name, value in asdict(self).items():
            if not value > 0:
                raise ConfigError(f"a limit {name} above 0", repr(value))


@dataclass(frozen=True)
class Outcome:
    """How a program ended."""

    status: Status
    """passed: it ran to its end without an exception. crashed: the process ended without a report."""
    message: str
    output: str
    seconds: float
    protections: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return self.status == "passed"


def run_program(source: str, *, limits: Limits | None = None, allow_execution: bool = False) -> Outcome:
    """Run Python source (standard library only) to its end or to a limit.

    ConfigError unless `allow_execution` is True, or where the system is not POSIX. Exceptions of the program
    are an outcome. A program that leaves early (sys.exit, os._exit) has not passed.
    """
    if allow_execution is not True:
        raise ConfigError(
            "leave to run programs that nobody has read",
            f"allow_execution={allow_execution!r}",
            "pass allow_execution=True where that is acceptable; difflm.sandbox says what is guaranteed",
        )
    if os.name != "posix":
        raise ConfigError("a POSIX system to run programs under limits", os.name, "use Linux")
    limits = limits if limits is not None else Limits()
    folder = tempfile.mkdtemp(prefix="difflm-program-")
    try:
        return _run(source, limits, folder)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_programs(
    sources: Sequence[str],
    *,
    limits: Limits | None = None,
    allow_execution: bool = False,
    workers: int = 1,
    should_stop: Callable[[], bool] = lambda: False,
) -> Iterator[Outcome]:
    """Outcomes in the order of the sources, `workers` programs at a time; ends early when told to stop."""

    def one(source: str) -> Outcome | None:
        return None if should_stop() else run_program(source, limits=limits, allow_execution=allow_execution)

    with ThreadPoolExecutor(max(1, workers)) as pool:
        for outcome in pool.map(one, sources):
            if outcome is None:
                return
            yield outcome


@cache
def protections() -> tuple[str, ...]:
    """Which of limits, audit, network, files and calls work on this machine; runs an empty program once."""
    return run_program("", allow_execution=True).protections


def _run(source: str, limits: Limits, folder: str) -> Outcome:
    said, say = os.pipe()
    nonce = secrets.token_hex(16)
    order = {"source": source, "limits": asdict(limits), "folder": folder, "pipe": say, "nonce": nonce}
    process = subprocess.Popen(
        [sys.executable, "-I", "-S", "-B", "-X", "utf8", str(CHILD)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        pass_fds=(say,),
        env={},
        cwd=folder,
        start_new_session=True,
    )
    os.close(say)
    assert process.stdin is not None and process.stdout is not None
    try:
        # One that dies before it has read sends no report, which is an outcome.
        with contextlib.suppress(BrokenPipeError):
            process.stdin.write(json.dumps(order).encode())
            process.stdin.close()
        heard = _listen(process, said, limits)
    finally:
        os.close(said)
        _kill(process)
        process.stdout.close()
    return _outcome(heard, process.returncode, nonce, limits)


@dataclass
class _Heard:
    output: bytearray
    report: bytearray
    seconds: float = 0.0
    late: bool = False


def _listen(process: subprocess.Popen[bytes], said: int, limits: Limits) -> _Heard:
    """Read output and report until both end or the time is up."""
    assert process.stdout is not None
    heard, output = _Heard(bytearray(), bytearray()), process.stdout.fileno()
    started, deadline = time.monotonic(), time.monotonic() + STARTING
    with selectors.DefaultSelector() as selector:
        for number, into in ((output, heard.output), (said, heard.report)):
            os.set_blocking(number, False)
            selector.register(number, selectors.EVENT_READ, into)
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                heard.late = True
                break
            for key, _ in selector.select(left):
                piece = os.read(key.fd, 65536)
                if not piece:
                    selector.unregister(key.fd)
                    continue
                if key.fd == said and not heard.report:
                    # Its first line says that the program begins now.
                    started = time.monotonic()
                    deadline = started + limits.seconds
                room = 1 << 16 if key.fd == said else 4 * limits.output_characters
                key.data.extend(piece[: max(0, room - len(key.data))])
            if heard.report.count(b"\n") >= 2:
                break  # what the program wrote is in the pipe already, or it left something running
    heard.seconds = time.monotonic() - started
    with contextlib.suppress(BlockingIOError):
        while len(heard.output) < 4 * limits.output_characters and (piece := os.read(output, 65536)):
            heard.output += piece
    return heard


def _kill(process: subprocess.Popen[bytes]) -> None:
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        process.kill()
    process.wait()


def _outcome(heard: _Heard, code: int, nonce: str, limits: Limits) -> Outcome:
    lines = []
    for line in heard.report.splitlines():
        try:
            value = json.loads(line)
        except ValueError:
            continue
        if isinstance(value, dict) and value.get("nonce") == nonce:
            lines.append(value)
    status: Status
    done = tuple(lines[0].get("protections", ())) if lines else ()
    output = heard.output.decode("utf-8", "replace")[: limits.output_characters]
    if heard.late:
        status, message = "timeout", f"more than {limits.seconds:g} s"
    elif len(lines) == 2 and lines[1].get("status") in STATUSES:
        status, message = lines[1]["status"], str(lines[1].get("message", ""))
    elif code == -signal.SIGXCPU or (code == -signal.SIGKILL and heard.seconds > limits.cpu_seconds / 2):
        # Starting Python counts too, so that the program itself had a little less.
        status, message = "timeout", f"more than {limits.cpu_seconds} s of processor time"
    else:
        status, message = "crashed", f"ended with code {code} before its end"
    return Outcome(status, message, output, heard.seconds, done)
