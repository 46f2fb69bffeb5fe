"""Cells of an ablation as tables: an axis each, means and deviations over seeds, and what differs from the base"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

from scipy.stats import t as student

from difflm.ablation.axes import AS_IS
from difflm.ablation.cells import Cell
from difflm.benchmark.summary import LATENT, Line
from difflm.metrics.base import Figure
from difflm.report import LABELS

CORE = Figure(
    name="core",
    label="Rebuilt by the core",
    goal="max",
    bounds=(0.0, 1.0),
    best=None,
    meaning="Share of held-out cells that come back exactly from the core of the latent alone.",
)
SHOWN = ("shape", "trend", "c2st_xgb", "mle", "dcr_share", "near_copies")
"""Figures of rows that the tables have, beside latent use."""
CLEAR = 0.05
"""A difference of paired seeds is called clear where a two-sided t test finds less chance than this: with three seeds
beyond 4.3 standard errors."""


@dataclass
class AxisTable:
    """One axis: lines in the order of its variants, the base first."""

    axis: str
    figures: list[Figure]
    lines: list[Line]
    clear: dict[str, set[str]] = field(default_factory=dict)
    """For each line the figures that differ clearly from the base."""
    curves: dict[str, dict[str, list[list[float]]]] = field(default_factory=dict)
    """For each line its curves, mean over seeds."""
    errors: list[str] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        lines = [
            {
                "variant": line.label,
                "seeds": line.seeds,
                "values": line.values,
                "spread": line.spread,
                "clear": sorted(self.clear.get(line.label, ())),
            }
            for line in self.lines
        ]
        return {"axis": self.axis, "lines": lines, "errors": self.errors}

    def cell(self, line: Line, figure: Figure) -> str:
        """A figure as text, marked where it differs clearly from the base."""
        return line.cell(figure) + (" !" if figure.name in self.clear.get(line.label, ()) else "")

    def markdown(self) -> str:
        """A table for docs."""
        rows = [["", *(figure.label for figure in self.figures)], ["---"] * (len(self.figures) + 1)]
        rows += [[line.label, *(self.cell(line, figure) for figure in self.figures)] for line in self.lines]
        return "\n".join(
            [f"### {self.axis}", "", *("| " + " | ".join(row) + " |" for row in rows), *self.errors]
        )


def tabulate(axis: str, base: Sequence[Cell], cells: Mapping[str, Sequence[Cell]]) -> AxisTable:
    """The table of `axis`: the base with its two companions, then each variant by name."""
    known = {f["name"]: Figure.from_dict(f) for cell in base for f in cell.figures}
    figures = [*LATENT, CORE, *(known[name] for name in SHOWN if name in known)]
    lines = [_line(AS_IS, base, "generated")]
    lines += [_line(f"{AS_IS}: {LABELS[row]}", base, row) for row in ("posterior", "decoder_alone")]
    table = AxisTable(axis, figures, lines)
    if base:
        table.curves[AS_IS] = _mean_curves(base)
    for name, own in cells.items():
        done = [cell for cell in own if not cell.error]
        table.errors += [f"{name}, seed {cell.seed}: {cell.error}" for cell in own if cell.error]
        if done:
            table.lines.append(_line(name, done, "generated"))
            table.clear[name] = {f.name for f in figures if _clear(f.name, done, base)}
            if any(cell.curves for cell in done):
                table.curves[name] = _mean_curves(done)
    return table


def _values(cell: Cell, row: str) -> dict[str, float]:
    """All figures of one row of a cell; latent use beside all rows that have a latent."""
    latent = cell.latent if row != "decoder_alone" else {}
    found = {**cell.scores.get(row, {}), **{k: latent.get(k) for k in ("reconstruction", "kl", "core")}}
    return {name: float(v) for name, v in found.items() if v is not None and math.isfinite(v)}


def _line(label: str, cells: Sequence[Cell], row: str) -> Line:
    line = Line(label, reference=label != AS_IS, seeds=len(cells))
    found = [_values(cell, row) for cell in cells]
    for name in dict.fromkeys(name for values in found for name in values):
        values = [one[name] for one in found if name in one]
        if len(values) == len(cells):
            line.values[name] = mean(values)
            if len(values) > 1:
                line.spread[name] = stdev(values)
    return line


def _clear(name: str, cells: Sequence[Cell], base: Sequence[Cell]) -> bool:
    """Whether the means of the seeds that both have differ clearly; never with one seed."""
    before = {cell.seed: _values(cell, "generated").get(name) for cell in base}
    pairs = [(_values(cell, "generated").get(name), before.get(cell.seed)) for cell in cells]
    apart = [a - b for a, b in pairs if a is not None and b is not None]
    if len(apart) < 2:
        return False
    beyond = float(student.ppf(1 - CLEAR / 2, len(apart) - 1))
    return abs(mean(apart)) > beyond * stdev(apart) / len(apart) ** 0.5 + 1e-12


def _mean_curves(cells: Sequence[Cell]) -> dict[str, list[list[float]]]:
    """Curves of equal length averaged over seeds; those of an early stop are cut to the shortest."""
    made = {}
    for name in cells[0].curves:
        series = [cell.curves[name] for cell in cells if name in cell.curves]
        length = min(len(one[0]) for one in series)
        x = series[0][0][:length]
        made[name] = [x, [mean(one[1][i] for one in series) for i in range(length)]]
    return made
