"""Virtual environments of the peers, made on demand: DIFFLM_PEERS, or difflm/peers in the user's cache folder"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from difflm.benchmark.registry import Entrant
from difflm.disk import cache_folder, locked, make_folder, write_atomic
from difflm.errors import RunError

PATIENCE = 3600.0
"""Seconds to wait for another process that makes the same environment."""


def root() -> Path:
    """Folder of all environments."""
    given = os.environ.get("DIFFLM_PEERS")
    return Path(given).expanduser().absolute() if given else cache_folder() / "peers"


def python_of(entrant: Entrant, say: Callable[[str], None]) -> str:
    """The Python to run `entrant` with; its environment is made, or made anew where the pins changed."""
    if not entrant.environment:
        return sys.executable
    folder = make_folder(root()) / entrant.environment
    python, stamp = folder / "bin" / "python", folder / "requirements.txt"
    wanted = "".join(
        [*(f"{pin}\n" for pin in entrant.requirements), *(f"# without {name}\n" for name in entrant.without)]
    )
    with locked(root() / f".{entrant.environment}.lock", PATIENCE):
        if stamp.exists() and stamp.read_text(encoding="utf-8") == wanted and python.exists():
            return str(python)
        say(f"setting up {entrant.label}: {', '.join(entrant.requirements)} (once, some minutes)")
        shutil.rmtree(folder, ignore_errors=True)
        log = root() / f"{entrant.environment}.log"
        _logged([sys.executable, "-m", "venv", str(folder)], log, entrant)
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _logged([*pip, "--prefer-binary", *entrant.requirements], log, entrant)
        if entrant.without:
            _logged(
                [str(python), "-m", "pip", "uninstall", "--quiet", "--yes", *entrant.without], log, entrant
            )
        # Last, as the mark that all is there.
        write_atomic(stamp, wanted.encode())
    return str(python)


def _logged(command: list[str], log: Path, entrant: Entrant) -> None:
    with log.open("ab") as file:
        code = subprocess.call(command, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT)
    if code:
        lines = [line for line in log.read_text(errors="replace").splitlines() if "ERROR" in line]
        told = lines[-1] if lines else f"exit code {code}"
        raise RunError(
            f"an environment for {entrant.label}", told[:300], f"see {log}, or leave {entrant.name} out"
        )
