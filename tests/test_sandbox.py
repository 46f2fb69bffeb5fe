"""Programs under limits: what is stopped, what is harmless; and that nothing runs unasked."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

from difflm.errors import ConfigError
from difflm.sandbox import CHILD, Limits, Outcome, protections, run_program, run_programs

ROOT = Path(__file__).resolve().parents[1]
QUICK = Limits(seconds=60, cpu_seconds=1, memory_mb=256)


def run(source: str, limits: Limits = QUICK) -> Outcome:
    return run_program(source, limits=limits, allow_execution=True)


def test_nothing_runs_without_leave(tmp_path: Path) -> None:
    for given_leave in (False, None, 1, "yes"):
        with pytest.raises(ConfigError, match="allow_execution"):
            run_program("print(1)", allow_execution=given_leave)  # type: ignore[arg-type]
    with pytest.raises(ConfigError):
        list(run_programs(["print(1)"]))


def test_the_app_and_the_pipeline_never_import_it() -> None:
    files = [ROOT / "app.py", *(ROOT / "pages").rglob("*.py")]
    files += [ROOT / "difflm" / name for name in ("__init__.py", "pipeline.py", "evaluation.py")]
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import | ast.ImportFrom):
                module = getattr(node, "module", None) or ""
                names = [f"{module}.{name.name}" for name in node.names]
                assert not any("sandbox" in name or "passk" in name for name in [module, *names]), path


@pytest.mark.parametrize(
    ("source", "status", "message"),
    [
        ("x = 1", "passed", ""),
        ("assert 1 == 2", "failed", "AssertionError"),
        ("def f(:", "failed", "SyntaxError"),
        ("a\0b", "failed", ""),
        ("raise SystemExit(0)", "failed", "SystemExit: 0"),
        ("import os; os._exit(0)", "crashed", "code 0"),
        ("input()", "failed", "EOFError"),
        ("while True: pass", "timeout", "1 s of processor time"),
        ("x = []\nwhile True: x.append(bytearray(10**7))", "memory", "MemoryError"),
        ("open('f', 'w').write('x' * 10**8)", "failed", "File too large"),
        ("files = [open('f', 'w') for _ in range(99)]", "failed", "Too many open files"),
        ("import os; os.fork()", "failed", "not allowed"),
        ("import subprocess; subprocess.run(['true'])", "failed", "not allowed"),
        ("import os; os.kill(os.getppid(), 9)", "failed", "not allowed"),
        ("import socket; socket.create_connection(('127.0.0.1', 9))", "failed", "not allowed"),
        ("import ctypes; ctypes.CDLL(None)", "failed", "not allowed"),
        ("import numpy", "failed", "No module named"),
    ],
)
def test_how_programs_end(source: str, status: str, message: str) -> None:
    outcome = run(source)
    assert (outcome.status, message in outcome.message) == (status, True), outcome


def test_waiting_is_stopped_by_the_clock() -> None:
    started = time.monotonic()
    assert run("import time; time.sleep(60)", Limits(seconds=0.5)).status == "timeout"
    assert time.monotonic() - started < 15


def test_the_folder_is_empty_and_gone_afterwards() -> None:
    outcome = run(
        "import os\nprint(os.listdir('.'), os.getcwd())\nopen('a', 'w').write('x')\nprint(open('a').read())"
    )
    assert outcome.passed
    first, second = outcome.output.splitlines()
    assert first.startswith("[] ") and second == "x"
    assert not Path(first[3:]).exists()


def test_writing_outside_fails(tmp_path: Path) -> None:
    victim = tmp_path / "kept.txt"
    victim.write_text("mine")
    for act in (
        f"open({str(victim)!r}, 'w')",
        f"import os; os.remove({str(victim)!r})",
        f"import os; os.rename({str(victim)!r}, 'stolen')",
        f"import os; os.truncate({str(victim)!r}, 0)",
        f"import os; os.chmod({str(victim)!r}, 0)",
        f"import os; os.mkdir({str(tmp_path / 'new')!r})",
        f"import os; os.symlink({str(tmp_path)!r}, 'way')",
        f"import os; os.chdir('/'); open({str(victim)[1:]!r}, 'a')",
        f"import pathlib; pathlib.Path({str(victim)!r}).write_text('')",
        f"import shutil; shutil.rmtree({str(tmp_path)!r})",
        f"import sqlite3; sqlite3.connect({str(victim)!r}).execute('create table t (x)')",
    ):
        outcome = run(act)
        assert outcome.status == "failed", (act, outcome)
    assert victim.read_text() == "mine" and [path.name for path in tmp_path.iterdir()] == ["kept.txt"]
    if "files" in protections():
        assert run(f"open({str(victim)!r})").status == "failed", "reading"


def test_no_environment_reaches_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET", "word")
    outcome = run("import os; print(dict(os.environ))")
    assert outcome.passed and "word" not in outcome.output and "PATH" not in outcome.output


def test_output_is_capped_and_odd_output_is_harmless() -> None:
    outcome = run("print('x' * 10**6)", Limits(output_characters=100))
    assert outcome.passed and outcome.output == "x" * 100
    assert "\ufffd" in run("import os; os.write(1, b'\\xff')").output
    assert run("import sys; sys.stdout.close()").status in ("passed", "failed")
    assert run("import os; os.close(1); os.close(2)").status in ("passed", "failed")


def test_a_forged_report_is_no_pass() -> None:
    forged = json.dumps({"nonce": "guess", "status": "passed", "message": ""})
    write = f"os.write(n, {forged!r}.encode() + b'\\n')"
    source = f"import os\nfor n in range(3, 32):\n try: {write}\n except OSError: pass\nos._exit(0)"
    assert run(source).status == "crashed"


def test_a_program_that_changes_modules_cannot_hinder_its_report() -> None:
    source = "import os, json, sys\nos.write = json.dumps = os._exit = sys.stdout = None"
    assert run(source).status in ("passed", "failed")


@pytest.mark.skipif(sys.platform != "linux", reason="layers of Linux")
@pytest.mark.parametrize(
    ("layer", "act"),
    [
        ("calls", "os.fork()"),
        ("calls", "os.posix_spawn('/bin/true', ['true'], {})"),
        ("calls", "os.execv('/bin/true', ['true'])"),
        ("calls", "os.kill(os.getppid(), 0)"),
        ("calls", "signal.pidfd_send_signal(os.pidfd_open(os.getppid()), 0)"),
        ("calls", "socket.socket()"),
        ("calls", "socket.socketpair()"),
        ("calls", "os.chmod('.', 0o700)"),
        ("calls", "os.utime(os.devnull)"),
        ("calls", "threading.Thread(target=print).start()"),
        ("calls", "resource.setrlimit(resource.RLIMIT_CPU, (99, 99))"),
        ("files", "open(victim, 'w')"),
        ("files", "open(victim)"),
        ("files", "os.remove(victim)"),
        ("files", "os.listdir(os.path.dirname(victim))"),
        ("files", "os.mkdir(victim + 'x')"),
    ],
)
def test_the_kernel_refuses_also_without_the_audit_hook(layer: str, act: str, tmp_path: Path) -> None:
    if layer not in protections():
        pytest.skip(f"this machine does not have the layer {layer}")
    victim = tmp_path / "kept.txt"
    victim.write_text("mine")
    folder = tmp_path / "work"
    folder.mkdir()
    limits = {"cpu_seconds": 5, "memory_mb": 512, "file_mb": 1, "open_files": 32}
    source = f"""
import importlib.util, os, resource, signal, socket, sys, threading
spec = importlib.util.spec_from_file_location("child", {str(CHILD)!r})
child = importlib.util.module_from_spec(spec)
spec.loader.exec_module(child)
child.watch = lambda folder: None
os.chdir({str(folder)!r})
child.protect({limits!r}, {str(folder)!r})
victim = {str(victim)!r}
open("inside", "w").write("fine")
try:
    {act}
except (PermissionError, RuntimeError, ValueError) as error:
    print("refused", type(error).__name__, error)
"""
    done = subprocess.run([sys.executable, "-I", "-c", source], capture_output=True, text=True, timeout=60)
    assert done.stdout.startswith("refused"), (done.stdout, done.stderr)
    assert victim.read_text() == "mine"


@pytest.mark.skipif(sys.platform != "linux", reason="a layer of Linux")
def test_a_program_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    source = (
        "from difflm.sandbox import run_program\n"
        "run_program('import os, time; print(os.getcwd()); time.sleep(60)', allow_execution=True)"
    )
    # Its working folder is nobody's to remove then.
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    parent = subprocess.Popen([sys.executable, "-c", source], cwd=ROOT, env=environment)
    try:
        deadline = time.monotonic() + 60
        children: list[psutil.Process] = []
        while not children and time.monotonic() < deadline:
            time.sleep(0.05)
            found = psutil.Process(parent.pid).children()
            # Only once it has an address space of its limits has it asked to die with its parent.
            children = [
                one
                for one in found
                if one.rlimit(psutil.RLIMIT_CORE) == (0, 0) and one.rlimit(psutil.RLIMIT_NPROC)[0] == 0
            ]
        assert children
    finally:
        parent.send_signal(signal.SIGKILL)
        parent.wait()
    assert psutil.wait_procs(children, timeout=10)[1] == []


def test_several_at_a_time_in_order_and_stopping() -> None:
    sources = [f"assert {n} % 2" for n in range(4)]
    found = [one.passed for one in run_programs(sources, allow_execution=True, workers=2)]
    assert found == [False, True, False, True]
    assert list(run_programs(sources, allow_execution=True, should_stop=lambda: True)) == []


def test_limits_are_checked() -> None:
    with pytest.raises(ConfigError, match="cpu_seconds"):
        Limits(cpu_seconds=0)


def test_the_child_needs_nothing_but_the_standard_library() -> None:
    assert importlib.util.find_spec("difflm.sandbox.child") is not None
    for node in ast.walk(ast.parse(CHILD.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = [node.module or ""] if isinstance(node, ast.ImportFrom) else [n.name for n in node.names]
            assert all(name.split(".")[0] in sys.stdlib_module_names for name in names)
