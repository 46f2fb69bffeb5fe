"""Cells as tables: means over seeds beside the reference rows, and which value of a column is the best"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import mean, stdev
from typing import Any

from difflm.benchmark.cells import Cell
from difflm.benchmark.registry import ENTRANTS, OWN
from difflm.metrics.base import Figure
from difflm.report import LABELS

MAIN = ("shape", "trend", "c2st_xgb", "alpha_precision", "beta_recall", "mle", "dcr_share", "near_copies")
"""Figures of the plain table; the page has all."""
COSTS = (
    Figure(
        name="train_seconds",
        label="Training, s",
        goal="min",
        bounds=(0.0, None),
        best=0.0,
        meaning="Wall seconds from the start of the process to the trained model.",
        digits=1,
    ),
    Figure(
        name="rows_per_second",
        label="Rows/s",
        goal="max",
        bounds=(0.0, None),
        best=None,
        meaning="Generated rows by wall seconds; for difflm with the start of a process for each set.",
        digits=0,
    ),
    Figure(
        name="peak_mb",
        label="Memory, MB",
        goal="min",
        bounds=(0.0, None),
        best=0.0,
        meaning="Highest resident memory of the process and its children, in training or generation.",
        digits=0,
    ),
)
LATENT = (
    Figure(
        name="reconstruction",
        label="Rebuilt cells",
        goal="max",
        bounds=(0.0, 1.0),
        best=None,
        meaning="Share of held-out cells that come back exactly from the latent.",
    ),
    Figure(
        name="kl",
        label="KL, nats",
        goal="target",
        bounds=(0.0, None),
        best=None,
        meaning="What the latent carries of a row. A model that ignores its latent can score well otherwise.",
        digits=1,
    ),
)


@dataclass
class Line:
    """One row of a table: means and standard deviations by figure."""

    label: str
    reference: bool
    """Stands for no model, so that it is never the best."""
    seeds: int = 0
    values: dict[str, float] = field(default_factory=dict)
    spread: dict[str, float] = field(default_factory=dict)
    best: set[str] = field(default_factory=set)

    def cell(self, figure: Figure) -> str:
        """A figure as text."""
        if figure.name not in self.values:
            return "-"
        text = f"{self.values[figure.name]:.{figure.digits}f}"
        sd = self.spread.get(figure.name)
        return text if sd is None else f"{text} ± {sd:.{figure.digits}f}"


@dataclass
class Comparison:
    """All of one data set."""

    data: str
    figures: list[Figure]
    lines: list[Line]
    cells: list[Cell]

    def to_dict(self) -> dict[str, Any]:
        """Plain data."""
        lines = [
            {
                "label": line.label,
                "reference": line.reference,
                "seeds": line.seeds,
                "values": line.values,
                "spread": line.spread,
                "best": sorted(line.best),
            }
            for line in self.lines
        ]
        return {"data": self.data, "figures": [figure.to_dict() for figure in self.figures], "lines": lines}

    def text(self) -> str:
        """The main figures as aligned text, the best marked by a star."""
        shown = [f for f in self.figures if f.name in (*MAIN, *(f.name for f in (*LATENT, *COSTS)))]
        table = [["", *(figure.label for figure in shown)]]
        for line in self.lines:
            cells = [line.cell(f) + ("*" if f.name in line.best else " ") for f in shown]
            table.append([line.label, *cells])
        widths = [max(len(row[i]) for row in table) for i in range(len(table[0]))]
        rows = [
            "  ".join(
                [row[0].ljust(widths[0]), *(c.rjust(w) for c, w in zip(row[1:], widths[1:], strict=True))]
            )
            for row in table
        ]
        failed = [f"{c.model}, seed {c.seed}: {c.status}: {c.error}" for c in self.cells if c.error]
        return "\n".join(row.rstrip() for row in [self.data, *rows, *failed])


def compare(data: str, cells: Sequence[Cell], references: Sequence[dict[str, Any]]) -> Comparison:
    """Lines of a data set: each model, under difflm the rows of its decoder, then the reference rows."""
    done = [cell for cell in cells if cell.status == "done"]
    known = [Figure.from_dict(figure) for figure in done[0].figures] if done else []
    figures = [figure for figure in known if not figure.name.endswith("_holdout")]
    with_latent = [*LATENT] if any(cell.latent for cell in done) else []
    lines = []
    for model in dict.fromkeys(cell.model for cell in cells):
        own = [cell for cell in done if cell.model == model]
        entrant = ENTRANTS[model]
        if own:
            lines.append(_line(entrant.label, entrant.baseline, own, "generated"))
        if own and model == OWN:
            for row in ("posterior", "decoder_alone"):
                lines.append(_line(f"{entrant.label}: {LABELS[row]}", True, own, row))
    unseen: dict[str, float] = {}
    for reference in references:
        scores = {name: value for name, value in reference["scores"].items() if value is not None}
        lines.append(Line(LABELS.get(reference["name"], reference["name"]), True, values=scores))
        unseen = scores if reference["name"] == "holdout" else unseen
    # Latent use first: no fidelity figure stands without it.
    shown = [*with_latent, *figures, *(COSTS if done else ())]
    for figure in shown:
        _mark(figure, lines, unseen.get(figure.name))
    return Comparison(data, shown, lines, list(cells))


def _line(label: str, reference: bool, cells: Sequence[Cell], row: str) -> Line:
    """Mean over the seeds of a model; sd over seeds, or over the sets of the only seed."""
    line = Line(label, reference, seeds=len(cells))
    rows = [next((one for one in cell.scores if one["name"] == row), None) for cell in cells]
    found: list[dict[str, float | None]] = [dict(one["scores"]) if one else {} for one in rows]
    if row == "generated":
        for cell, scores in zip(cells, found, strict=True):
            scores |= {figure.name: getattr(cell, figure.name) for figure in COSTS}
    for cell, scores in zip(cells, found, strict=True):
        # Beside every fidelity figure of difflm, in all of its rows but those without a latent.
        if cell.latent and row != "decoder_alone":
            scores |= {figure.name: cell.latent.get(figure.name) for figure in LATENT}
    for name in found[0]:
        values = [value for scores in found if (value := scores.get(name)) is not None]
        if len(values) == len(cells):
            line.values[name] = mean(values)
            if len(values) > 1:
                line.spread[name] = stdev(values)
    if len(cells) == 1 and rows[0]:
        line.spread = dict(rows[0].get("spread", {}))
    return line


def _mark(figure: Figure, lines: Sequence[Line], unseen: float | None) -> None:
    """Mark the best models of a column, with ties as they are printed; none where nothing says what is good."""
    own = [line for line in lines if not line.reference and figure.name in line.values]
    ideal = figure.best if figure.best is not None else unseen
    if len(own) < 2 or (figure.goal == "target" and ideal is None):
        return

    def loss(line: Line) -> float:
        value = round(line.values[figure.name], figure.digits)
        if figure.goal == "target":
            return abs(value - float(ideal or 0.0))
        return value if figure.goal == "min" else -value

    least = min(loss(line) for line in own)
    for line in own:
        if math.isclose(loss(line), least, abs_tol=1e-12):
            line.best.add(figure.name)
