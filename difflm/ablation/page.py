"""An ablation as one HTML page that opens offline: a table and the curves of reconstruction and KL for each axis"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from difflm.ablation.summary import CLEAR, AxisTable
from difflm.benchmark.page import ideal, sign
from difflm.report_html import template

WIDTH, HEIGHT = 360, 160
NAMES = {"reconstruction": "reconstruction, nats a record", "kl": "KL, nats a record"}


def render(tables: Sequence[AxisTable], told: Mapping[str, Any]) -> str:
    """HTML text; names are escaped."""
    figures = {figure.name: figure for table in tables for figure in table.figures}
    return template("ablation.html.jinja").render(
        tables=[_section(table) for table in tables],
        figures=[{"label": f.label, "ideal": ideal(f), "meaning": f.meaning} for f in figures.values()],
        told=told,
        clear=CLEAR,
        width=WIDTH,
        height=HEIGHT,
    )


def _section(table: AxisTable) -> dict[str, Any]:
    return {
        "axis": table.axis,
        "heads": [{"label": figure.label, "sign": sign(figure)} for figure in table.figures],
        "lines": [
            {
                "label": line.label,
                "seeds": line.seeds,
                "cells": [
                    {"text": line.cell(figure), "clear": figure.name in table.clear.get(line.label, ())}
                    for figure in table.figures
                ],
            }
            for line in table.lines
        ],
        "panels": [_panel(table, name) for name in NAMES if len(table.curves) > 1],
        "errors": table.errors,
    }


def _panel(table: AxisTable, name: str) -> dict[str, Any]:
    """Polylines of all variants in one frame, from zero to the largest value."""
    series = {label: curves[name] for label, curves in table.curves.items() if name in curves}
    top = max((value for _, y in series.values() for value in y), default=1.0) or 1.0
    lines = [
        {
            "label": label,
            "points": " ".join(
                f"{WIDTH * a:.1f},{HEIGHT * (1 - b / top):.1f}" for a, b in zip(x, y, strict=True)
            ),
            "hue": round(360 * number / max(len(series), 1)),
            "base": number == 0,
        }
        for number, (label, (x, y)) in enumerate(series.items())
    ]
    return {"title": NAMES[name], "top": f"{top:.3g}", "lines": lines}
