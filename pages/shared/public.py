"""Public mode, for a shared demo (SPACE_ID or DIFFLM_PUBLIC set): visitors see the demos and what is their own.

A run's name ends with its visitor's mark, so that a link with that name is what opens it after the browser was closed;
nobody is shown the names of others.
"""

from __future__ import annotations

import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import streamlit as st

from difflm.config import Config
from difflm.errors import ConfigError, DataError
from difflm.runs import ACTIVE, Run, list_runs, runs_root
from difflm.sections import BASES

MINUTES = 3.0
"""Longest training."""
ROWS = 20_000
"""Most rows that a training takes, and that are generated at once."""
KEPT_SECONDS = 24 * 3600.0
"""After so long without a change a visitor's run, and what was uploaded, is removed."""


def is_public() -> bool:
    """Whether strangers use this app."""
    return bool(os.environ.get("SPACE_ID") or os.environ.get("DIFFLM_PUBLIC"))


def may_train() -> bool:
    """On a shared machine training is on unless DIFFLM_TRAINING=off."""
    return not is_public() or os.environ.get("DIFFLM_TRAINING", "on").lower() != "off"


def whereabouts() -> str:
    """Where an upload goes: on a shared machine it does leave the house."""
    if is_public():
        return (
            "This is a shared demo: an upload goes to its server, where it is removed after a day. Upload nothing "
            "private; install difflm for that."
        )
    return "Nothing leaves this machine."


def mark() -> str:
    """What ends the names of this visitor's runs."""
    return f"-{st.session_state['visitor'][:12]}"


def visible(runs: list[Run]) -> list[Run]:
    """The runs that this visitor may see: all of them on one's own machine."""
    if not is_public():
        return runs
    linked = st.query_params.get("run")
    return [run for run in runs if run.name.endswith(mark()) or run.name == linked]


def named(name: str) -> str:
    """A run's name as it is on disk."""
    if not is_public():
        return name
    return f"{name.removesuffix(mark())[:60]}{mark()}"


def check_caps(config: Config) -> None:
    """Raise ConfigError where a training would take more than a shared machine gives."""
    if not is_public():
        return
    if not may_train():
        raise ConfigError("a machine on which training is on", "this shared demo", "install difflm: see Home")
    if config.time_limit > MINUTES:
        raise ConfigError(
            f"at most {MINUTES:g} minutes on this shared machine", f"{config.time_limit:g}", "choose quick"
        )
    if config.vae.epochs or config.lm.epochs or config.prior.steps:
        raise ConfigError("trainings that end by the clock", "a number of passes or steps", "leave it empty")
    if config.decoder.path not in (None, *BASES) or config.encoder.path is not None:
        raise ConfigError("the models that are here", config.decoder.path or str(config.encoder.path))


def caps() -> list[str]:
    """Command-line settings that every training on a shared machine gets."""
    return ["--set", f"input.max_rows={ROWS}"] if is_public() else []


def check_turn() -> None:
    """Raise DataError where this visitor has a training at work already."""
    if is_public():
        own = [run for run in list_runs(runs_root()) if run.name.endswith(mark())]
        if busy := [run.name for run in own if run.status.state in ACTIVE]:
            raise DataError(
                "one training at a time for each visitor", f"{busy[0]} at work", "wait, or stop it"
            )


def most_rows() -> int:
    """Rows that can be generated at once."""
    return ROWS if is_public() else 1_000_000


def put_aside() -> Path:
    """Where the run goes that was deleted last."""
    return runs_root() / ".deleted" / (st.session_state["visitor"] if is_public() else "last")


def clean_up() -> None:
    """Remove what visitors left a day ago; called when a session begins."""
    if not is_public():
        return
    before = time.time() - KEPT_SECONDS
    for run in list_runs(runs_root()):
        if run.status.state not in ACTIVE and _changed(Path(run.path)) < before:
            shutil.rmtree(run.path, ignore_errors=True)
    for folder in (*(runs_root() / "uploads").glob("*"), *(runs_root() / ".deleted").glob("*")):
        if _changed(folder) < before:
            shutil.rmtree(folder, ignore_errors=True)


def _changed(folder: Path) -> float:
    times = [0.0]
    for path in (folder, *folder.glob("*")):
        with suppress(OSError):
            times.append(path.stat().st_mtime)
    return max(times)
