"""All cells of a benchmark in order, and the page, table and JSON of what came of them"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

from difflm.benchmark.cells import Cell, load_references, run_cell
from difflm.benchmark.page import machine_line, render
from difflm.benchmark.process import THREAD_VARIABLES
from difflm.benchmark.settings import Settings
from difflm.benchmark.summary import Comparison, compare
from difflm.benchmark.tables import Table, load_table
from difflm.disk import locked, make_folder, write_atomic, write_json
from difflm.provenance import machine, versions


def benchmark(
    sources: Sequence[str], settings: Settings, out: Path, command: str, say: Callable[[str], None]
) -> list[Comparison]:
    """Run what is not done yet and write benchmark.json and benchmark.html in `out`, anew after each cell.

    Seeds are the outer loop: an interrupted benchmark has compared all models already."""
    for seed in settings.seeds:
        settings.config(seed)  # its errors come before any work
    loaded = [load_table(source, settings.target, settings.rows) for source in sources]
    tables = list({table.folder: table for table in loaded}.values())
    make_folder(out)
    cells: dict[str, list[Cell]] = {table.folder: [] for table in tables}
    wanted = [(t, seed, model) for t in tables for seed in settings.seeds for model in settings.models]
    comparisons: list[Comparison] = []
    with locked(out / ".lock", wait=0.5), limited(settings.threads):
        for number, (table, seed, model) in enumerate(wanted, 1):
            name = f"[{number}/{len(wanted)}] {table.name}, {model}, seed {seed}"
            folder = make_folder(out / table.folder)
            cell = run_cell(table, model, seed, settings, folder, _named(name, say))
            cells[table.folder].append(cell)
            comparisons = [_compared(one, cells[one.folder], settings, out) for one in tables]
            _write(comparisons, settings, out, command)
    return comparisons


def _named(name: str, say: Callable[[str], None]) -> Callable[[str], None]:
    return lambda text: say(f"{name}: {text}")


@contextmanager
def limited(threads: int) -> Iterator[None]:
    """Scoring in this process keeps to as many threads as the models."""
    before = {name: os.environ.get(name) for name in THREAD_VARIABLES}
    os.environ.update(dict.fromkeys(THREAD_VARIABLES, str(threads)))
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _compared(table: Table, cells: Sequence[Cell], settings: Settings, out: Path) -> Comparison:
    order = {model: place for place, model in enumerate(settings.models)}
    shared = settings.shared(table)
    dataset = table.dataset
    counts = f"{len(dataset.train):,} rows to learn, {len(dataset.test):,} to test on"
    target = f"target {dataset.schema.target}" if dataset.schema.target else "no target"
    return compare(
        f"{table.name}: {counts}, {len(dataset.schema.columns)} columns, {target}",
        sorted(cells, key=lambda cell: (order[cell.model], cell.seed)),
        load_references(out / table.folder, shared),
    )


def _write(comparisons: Sequence[Comparison], settings: Settings, out: Path, command: str) -> None:
    where = machine()
    libraries = ", ".join(f"{name} {version}" for name, version in versions().items())
    told: dict[str, Any] = {
        "command": command,
        "date": time.strftime("%Y-%m-%d %H:%M %z"),
        "machine": machine_line(where),
        "settings": f"Time limit {settings.time_limit:g} minutes a training, preset {settings.preset}, "
        f"{settings.sets} generated set(s) as large as the training rows, seeds "
        f"{', '.join(map(str, settings.seeds))}, {settings.threads} thread(s). Scoring: {libraries}.",
    }
    result = {
        **told,
        "settings": {**asdict(settings), "changes": dict(settings.changes)},
        "machine": where,
        "versions": versions(),
        "comparisons": [
            {**comparison.to_dict(), "cells": [asdict(cell) for cell in comparison.cells]}
            for comparison in comparisons
        ],
    }
    write_json(out / "benchmark.json", result)
    write_atomic(out / "benchmark.html", render(comparisons, told).encode())
