"""All cells of an ablation in order, and the page, tables and JSON of what came of them"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from difflm.ablation.axes import BASE, Variant
from difflm.ablation.cells import Cell, Cells, Settings
from difflm.ablation.page import render
from difflm.ablation.summary import AxisTable, tabulate
from difflm.benchmark.page import machine_line
from difflm.benchmark.tables import Table, load_table
from difflm.disk import locked, make_folder, write_atomic, write_json
from difflm.provenance import machine, versions


def ablate(
    source: str,
    axes: Mapping[str, Sequence[Variant]],
    seeds: Sequence[int],
    settings: Settings,
    out: Path,
    command: str,
    say: Callable[[str], None],
    target: str | None = None,
    rows: int | None = None,
) -> list[AxisTable]:
    """Run what is not done yet and write ablation.json, .md and .html in `out`, anew after each seed of an axis.

    Seeds are the outer loop: an interrupted ablation has seen every variant once."""
    table = load_table(source, target, rows)
    variants = {variant.mark: variant for axis in axes.values() for variant in (BASE, *axis)}
    for variant in variants.values():
        settings.config(variant, seeds[0], len(table.dataset.train), target)  # errors come before any work
    done: dict[str, list[Cell]] = {mark: [] for mark in variants}
    tables: list[AxisTable] = []
    with locked(make_folder(out) / ".lock", wait=0.5):
        cells = Cells(table, settings, make_folder(out / table.folder))
        for seed in seeds:
            for number, (mark, variant) in enumerate(variants.items(), 1):
                say(f"seed {seed} [{number}/{len(variants)}] {variant.name}")
                cell = cells.cell(variant, seed)
                if cell.error:
                    say(f"seed {seed}, {variant.name}: {cell.error}")
                done[mark].append(cell)
            tables = [_tabulated(axis, own, done) for axis, own in axes.items()]
            _write(tables, table, settings, done, seeds, out, command)
    return tables


def _tabulated(axis: str, variants: Sequence[Variant], done: Mapping[str, list[Cell]]) -> AxisTable:
    base = [cell for cell in done[BASE.mark] if not cell.error]
    return tabulate(axis, base, {variant.name: done[variant.mark] for variant in variants})


def _write(
    tables: Sequence[AxisTable],
    table: Table,
    settings: Settings,
    done: Mapping[str, list[Cell]],
    seeds: Sequence[int],
    out: Path,
    command: str,
) -> None:
    where, data = machine(), table.dataset
    libraries = ", ".join(f"{name} {version}" for name, version in versions().items())
    told = {
        "command": command,
        "date": time.strftime("%Y-%m-%d %H:%M %z"),
        "machine": machine_line(where),
        "settings": f"{table.name}: {len(data.train):,} rows to learn, {len(data.test):,} held out; preset "
        f"{settings.preset}, {settings.passes:g} passes; seeds {', '.join(map(str, seeds))}; {libraries}.",
    }
    result: dict[str, Any] = {
        **told,
        "settings": {**asdict(settings), "changes": dict(settings.changes)},
        "tables": [one.to_dict() for one in tables],
        "cells": [asdict(cell) for own in done.values() for cell in own],
    }
    write_json(out / "ablation.json", result)
    text = "\n\n".join([f"`{command}`", f"{told['date']}; {told['machine']}. {told['settings']}"])
    write_atomic(out / "ablation.md", "\n\n".join([text, *(one.markdown() for one in tables), ""]).encode())
    write_atomic(out / "ablation.html", render(tables, told).encode())
