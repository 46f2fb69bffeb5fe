"""The benchmark as one HTML page that opens offline"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from difflm.benchmark.registry import ENTRANTS
from difflm.benchmark.summary import Comparison
from difflm.metrics.base import Figure
from difflm.report_html import template

GOALS = {"max": "higher is better", "min": "lower is better", "target": "nearer is better"}


def render(comparisons: Sequence[Comparison], told: Mapping[str, Any]) -> str:
    """HTML text; `told` says command, settings, date and machine. Names are escaped."""
    shown = {figure.name: figure for comparison in comparisons for figure in comparison.figures}
    return template("benchmark.html.jinja").render(
        comparisons=[_section(comparison) for comparison in comparisons],
        figures=[{"label": f.label, "ideal": ideal(f), "meaning": f.meaning} for f in shown.values()],
        told=told,
    )


def ideal(figure: Figure) -> str:
    """Which values are good, in words."""
    if figure.best is not None:
        return f"{GOALS[figure.goal]}, perfect {figure.best:g}"
    return "nearer to unseen real rows is better" if figure.goal == "target" else GOALS[figure.goal]


def sign(figure: Figure) -> str:
    """The same as one sign, for the head of a narrow column."""
    if figure.goal != "target":
        return {"max": "↑", "min": "↓"}[figure.goal]
    return f"→ {figure.best:g}" if figure.best is not None else ""


def _section(comparison: Comparison) -> dict[str, Any]:
    return {
        "data": comparison.data,
        "heads": [{"label": figure.label, "sign": sign(figure)} for figure in comparison.figures],
        "lines": [
            {
                "label": line.label,
                "reference": line.reference,
                "seeds": line.seeds,
                "cells": [
                    {"text": line.cell(figure), "best": figure.name in line.best}
                    for figure in comparison.figures
                ],
            }
            for line in comparison.lines
        ],
        "cells": [
            {
                "label": ENTRANTS[cell.model].label,
                "seed": cell.seed,
                "status": cell.status,
                "error": cell.error,
                "rows": cell.rows,
                "finished": cell.finished,
                "sample_seconds": cell.sample_seconds,
                "versions": ", ".join(f"{name} {version}" for name, version in cell.versions.items()),
                "notes": "; ".join(cell.notes),
                "machine": machine_line(cell.machine),
            }
            for cell in comparison.cells
        ],
    }


def machine_line(machine: Mapping[str, Any]) -> str:
    """Processor and cores in words."""
    if not machine:
        return "unknown machine"
    return (
        f"{machine['processor']}, {machine['threads_used']} of {machine['cores']} cores, {machine['system']}"
    )
