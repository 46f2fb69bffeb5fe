"""The process that runs one program under limits; started by difflm.sandbox with `python -I -S`, imports no difflm.

Standard input brings one JSON object (source, limits, folder, pipe, nonce); the pipe gets one JSON line back.
"""

from __future__ import annotations

import ctypes
import json
import os
import platform
import resource
import signal
import struct
import sys
from collections.abc import Callable
from typing import Any

PR_SET_PDEATHSIG, PR_SET_SECCOMP, PR_SET_NO_NEW_PRIVS = 1, 22, 38
CLONE_NEWUSER, CLONE_NEWNET, CLONE_NEWIPC = 0x10000000, 0x40000000, 0x08000000

# Landlock (Linux 5.13): numbers of its calls and rights, linux/landlock.h. Rights by the version that has them.
CREATE_RULESET, ADD_RULE, RESTRICT_SELF = 444, 445, 446
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 2, 4, 8
RIGHTS = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 5: (1 << 16) - 1}

# Seccomp: (audit architecture, numbers of the calls that are refused), linux/audit.h and asm/unistd.h.
_REFUSED: dict[str, tuple[int, tuple[int, ...]]] = {
    "x86_64": (
        0xC000003E,
        # clone fork vfork execve execveat clone3; every way to signal another process; socket socketpair
        (56, 57, 58, 59, 322, 435, 62, 200, 234, 129, 297, 424, 41, 53)
        # chmod, chown, truncate, utimes, xattr
        + (90, 91, 268, 452, 92, 93, 94, 260, 76, 132, 235, 261, 280, 188, 189, 190, 197, 198, 199, 463, 466)
        # ptrace and memory of others; limits, priority and scheduling, which name a process
        + (101, 310, 311, 323, 160, 302, 141, 144, 203)
        # unshare setns mount umount2 pivot_root chroot, keys, bpf, perf, io_uring
        + (272, 308, 165, 166, 155, 161, 248, 249, 250, 321, 298, 425, 426, 427),
    ),
    "aarch64": (
        0xC00000B7,
        (220, 221, 281, 435, 129, 130, 131, 138, 240, 424, 198, 199)
        + (52, 53, 452, 54, 55, 45, 88, 5, 6, 7, 14, 15, 16, 463, 466)
        + (117, 270, 271, 282, 164, 261, 140, 119, 122)
        + (97, 268, 40, 39, 41, 51, 217, 218, 219, 280, 241, 425, 426, 427),
    ),
}
X32 = 0x40000000

REFUSED_EVENTS = (
    "socket.", "subprocess.", "ctypes.", "os.system", "os.exec", "os.fork", "os.posix_spawn", "os.spawn",
    "os.startfile", "os.kill", "os.killpg", "signal.pthread_kill", "pty.", "resource.", "os.chmod", "os.chown",
    "os.chflags", "os.lockf", "os.utime", "os.setxattr", "os.removexattr", "os.symlink", "os.link", "syslog.",
    "sys.addaudithook",
)  # fmt: skip
PATH_EVENTS = ("os.remove", "os.rename", "os.rmdir", "os.mkdir", "os.truncate")


def set_limits(limits: dict[str, Any]) -> None:
    """Limits of the kernel on this process; hard ones, so that the program cannot raise them."""
    megabyte = 1024**2
    wanted = {
        "RLIMIT_CPU": limits["cpu_seconds"],
        "RLIMIT_AS": limits["memory_mb"] * megabyte,
        "RLIMIT_FSIZE": int(limits["file_mb"] * megabyte),
        "RLIMIT_NOFILE": limits["open_files"],
        "RLIMIT_NPROC": 0,
        "RLIMIT_CORE": 0,
    }
    for name, value in wanted.items():
        kind = getattr(resource, name, None)
        if kind is not None:
            hard = resource.getrlimit(kind)[1]
            value = value if hard == resource.RLIM_INFINITY else min(value, hard)
            resource.setrlimit(kind, (value, value))


def leave_network(libc: ctypes.CDLL) -> bool:
    """A network and a user name space of its own: no interface but an unused loopback, no rights outside."""
    unshare = getattr(libc, "unshare", None)
    return unshare is not None and unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWIPC) == 0


def lock_files(libc: ctypes.CDLL, folder: str) -> bool:
    """Landlock: reading of Python and the system's libraries, writing in `folder`, nothing else."""
    version = libc.syscall(CREATE_RULESET, None, ctypes.c_size_t(0), 1)
    if version < 1:
        return False
    rights = max(value for since, value in RIGHTS.items() if since <= version)
    attributes = ctypes.create_string_buffer(struct.pack("=Q", rights), 8)
    ruleset = libc.syscall(CREATE_RULESET, attributes, ctypes.c_size_t(8), 0)
    if ruleset < 0:
        return False
    reading = EXECUTE | READ_FILE | READ_DIR
    allowed = dict.fromkeys([*sys.path, os.path.dirname(os.__file__)], reading)
    allowed |= dict.fromkeys(["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/share/zoneinfo"], reading)
    allowed |= {"/dev/null": READ_FILE | WRITE_FILE, "/dev/urandom": READ_FILE, folder: rights}
    for path, right in allowed.items():
        if not os.path.exists(path):
            continue
        if not os.path.isdir(path):
            right &= EXECUTE | WRITE_FILE | READ_FILE
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
        rule = ctypes.create_string_buffer(struct.pack("=Qi", right, place), 12)
        failed = libc.syscall(ADD_RULE, ruleset, 1, rule, 0)
        os.close(place)
        if failed:
            return False
    done = libc.syscall(RESTRICT_SELF, ruleset, 0) == 0
    os.close(ruleset)
    return bool(done)


def refuse_calls(libc: ctypes.CDLL) -> bool:
    """Seccomp: no other process, no signal to one, no socket, no change of rights on files."""
    known = _REFUSED.get(platform.machine())
    if known is None:
        return False
    architecture, numbers = known
    refuse, allow, kill = 0x00050000 | 1, 0x7FFF0000, 0x80000000
    load, equal, at_least, give = 0x20, 0x15, 0x35, 0x06
    count = len(numbers)
    lines = [
        (load, 0, 0, 4),
        (equal, 1, 0, architecture),
        (give, 0, 0, kill),
        (load, 0, 0, 0),
        (at_least, count + 1, 0, X32),
        *((equal, count - i, 0, number) for i, number in enumerate(numbers)),
        (give, 0, 0, allow),
        (give, 0, 0, refuse),
    ]
    code = ctypes.create_string_buffer(b"".join(struct.pack("=HBBI", *line) for line in lines))
    program = struct.pack("@HxxxxxxP", len(lines), ctypes.addressof(code))
    return bool(libc.prctl(PR_SET_SECCOMP, 2, ctypes.create_string_buffer(program), 0, 0) == 0)


def watch(folder: str) -> None:
    """Python's own events: the same refusals where the kernel has none of the above. No sandbox by itself."""
    inside = os.path.realpath(folder) + os.sep
    writing = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
    # Kept here: the program may change the modules.
    real, decode, null = os.path.realpath, os.fsdecode, os.devnull

    def outside(path: Any) -> bool:
        if path is None or isinstance(path, int):
            return False
        name = decode(path)
        return name != null and not (real(name) + "/").startswith(inside)

    def hook(event: str, arguments: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = arguments
            writes = any(c in "wax+" for c in mode) if mode else bool((flags or 0) & writing)
            if writes and outside(path):
                raise PermissionError(f"writing outside the working folder: {path!r}")
        elif event.startswith(PATH_EVENTS):
            if any(outside(path) for path in arguments if isinstance(path, str | bytes)):
                raise PermissionError(f"{event} outside the working folder")
        elif event.startswith(REFUSED_EVENTS):
            raise PermissionError(f"{event} is not allowed here")

    sys.addaudithook(hook)


def protect(limits: dict[str, Any], folder: str) -> list[str]:
    """Everything that this machine permits; the names of what it does."""
    libc = ctypes.CDLL(None, use_errno=True)
    linux = sys.platform == "linux"
    done = ["limits", "audit"]
    if linux:
        if leave_network(libc):
            done.append("network")
        # After the name spaces, which clear it.
        libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    set_limits(limits)
    if linux and libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        if lock_files(libc, folder):
            done.append("files")
        if refuse_calls(libc):
            done.append("calls")
    watch(folder)
    return done


def run(source: str) -> tuple[str, str]:
    """(status, message) of the program: passed only when it ran to its end."""
    try:
        exec(compile(source, "<program>", "exec"), {"__name__": "__main__", "__builtins__": __builtins__})
    except MemoryError:
        return "memory", "MemoryError"
    except SystemExit as leaving:
        return "failed", f"SystemExit: {leaving.code}"
    except BaseException as error:
        line = _line(error)
        return "failed", f"{type(error).__name__}: {error}"[:500] + (f" (line {line})" if line else "")
    return "passed", ""


def _line(error: BaseException) -> int | None:
    line, trace = None, error.__traceback__
    while trace is not None:
        if trace.tb_frame.f_code.co_filename == "<program>":
            line = trace.tb_lineno
        trace = trace.tb_next
    return line


def main() -> None:
    """Read the order, protect, run, report."""
    order = json.load(sys.stdin)
    # Kept before the program can change the modules: what is said at the end is said with these.
    write: Callable[[int, bytes], int] = os.write
    dumps, leave, flush = json.dumps, os._exit, (sys.stdout.flush, sys.stderr.flush)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.chdir(order["folder"])
    sys.argv = ["program"]
    done = protect(order["limits"], order["folder"])
    pipe, nonce = order["pipe"], order["nonce"]
    write(pipe, dumps({"nonce": nonce, "protections": done}).encode() + b"\n")
    status, message = run(order["source"])
    for one in flush:
        try:
            one()
        except BaseException:
            status, message = (
                ("failed", "standard output was broken") if status == "passed" else (status, message)
            )
    write(
        pipe, dumps({"nonce": nonce, "status": status, "message": message}).encode("utf-8", "replace") + b"\n"
    )
    leave(0)


if __name__ == "__main__":
    main()
