"""Training and generation of one cell, in processes of their own: difflm by its commands, peers by script"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from difflm.benchmark.environments import python_of
from difflm.benchmark.process import Measured, environment, measure
from difflm.benchmark.registry import ENTRANTS, OWN
from difflm.benchmark.settings import Settings
from difflm.benchmark.tables import Table, read_set, write_job
from difflm.cli.fit_options import FitRequest
from difflm.disk import make_folder, read_json, write_json
from difflm.errors import DiffLMError
from difflm.jobs import environment as own_environment
from difflm.provenance import code_mark, versions
from difflm.runs import Run
from difflm.schema import Kind

Say = Callable[[str], None]


@dataclass
class Made:
    """Generated sets, and what they cost."""

    sets: list[pd.DataFrame]
    train_seconds: float
    sample_seconds: float
    peak_mb: float
    versions: dict[str, str]
    notes: list[str] = field(default_factory=list)
    run: Path | None = None
    """difflm's run directory."""


def missing(settings: Settings, model: str) -> str | None:
    """Why a model cannot take part, None where it can."""
    if model != "great":
        return None
    if not settings.great_model:
        return "no base model; give --great-model PATH"
    return None if Path(settings.great_model).is_dir() else f"no base model in {settings.great_model}"


def make(table: Table, model: str, seed: int, settings: Settings, folder: Path, say: Say) -> Made:
    """Train `model` on the table's training rows and let it generate; what an earlier try left is removed, except a
    run of difflm that was trained to its end with the same settings."""
    if model == OWN:
        return _own(table, seed, settings, folder)
    shutil.rmtree(folder, ignore_errors=True)
    make_folder(folder)
    entrant = ENTRANTS[model]
    python = python_of(entrant, say)
    rows = len(table.dataset.train)
    write_job(
        folder,
        table,
        rows=rows,
        sets=settings.sets,
        seed=seed,
        seconds=settings.seconds,
        threads=settings.threads,
        options=settings.options(model),
    )
    marks = [folder / "fitted", *(folder / f"set-{k}.parquet" for k in range(settings.sets))]
    spent = measure(
        [python, str(entrant.path), str(folder)],
        folder / "log.txt",
        limit=settings.seconds,
        env=environment(settings.threads),
        phase=lambda: sum(mark.exists() for mark in marks),
    )
    told = read_json(folder / "result.json")
    sets = [read_set(path, table, seed + k) for k, path in enumerate(marks[1:])]
    notes = list(told["notes"])
    if texts := [column.name for column in table.learned if column.kind is Kind.text]:
        notes.append(f"free text taken as categories: {', '.join(texts)}")
    if any(len(one) != rows for one in sets):
        notes.append(f"{', '.join(str(len(one)) for one in sets)} rows in place of {rows}")
    for part in ("workspace", "train.parquet"):
        _remove(folder / part)
    sampled = told["sample_seconds"]
    # What is not generation is training: start and imports too, as in the command of difflm.
    return Made(sets, spent.seconds - sampled, sampled, spent.peak_mb, told["versions"], notes)


def _own(table: Table, seed: int, settings: Settings, folder: Path) -> Made:
    """`difflm fit` in a run that has the split already, then `difflm sample` for every set."""
    key, mark = settings.key(table, OWN, seed), folder / "trained.json"
    trained = _trained(mark, key)
    if trained is None:
        if (folder / "run" / "config.json").exists():
            with Run.open(folder / "run").lock():
                pass  # a RunError while the training of a benchmark that was killed goes on
        shutil.rmtree(folder, ignore_errors=True)
        make_folder(folder)
    request = FitRequest(
        data=table.source,
        run=str(folder / "run"),
        validation=None,
        config=settings.config(seed),
        command=f"difflm fit {table.source} (by difflm benchmark)",
    )
    env = environment(settings.threads, PYTHONPATH=own_environment()["PYTHONPATH"])
    command = [sys.executable, "-m", "difflm"]
    log = folder / "log.txt"

    def measured(*arguments: str) -> Measured:
        return measure([*command, *arguments], log, limit=settings.seconds, env=env)

    if trained is None:
        run = Run.create(request.run, request.stored())
        table.dataset.write(run.directory("data"))
        trained = measured("fit", "--from-run", "--run", str(run.path))
        told = {"key": key, "seconds": trained.seconds, "peak_mb": trained.peak_mb, "code": code_mark()}
        write_json(mark, told)
    run = Run.open(request.run)
    rows, paths = len(table.dataset.train), [folder / f"set-{k}.parquet" for k in range(settings.sets)]
    spent = [
        measured("sample", str(run.path), "-n", str(rows), "--out", str(path), "--seed", str(seed + 1000 * k))
        for k, path in enumerate(paths)
    ]
    status = run.status
    notes = [status.message] if status.message else []
    return Made(
        [pd.read_parquet(path) for path in paths],
        trained.seconds,
        sum(one.seconds for one in spent),
        max(one.peak_mb for one in [trained, *spent]),
        {**versions(), "difflm's code of the training": read_json(mark)["code"]},
        notes,
        run.path,
    )


def _trained(mark: Path, key: dict[str, Any]) -> Measured | None:
    """What a training with these settings took that an earlier benchmark finished, None where there is none."""
    try:
        told = read_json(mark) if mark.exists() else {}
    except DiffLMError:
        return None
    return Measured(told["seconds"], told["peak_mb"]) if told.get("key") == key else None


def _remove(path: Path) -> None:
    shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
