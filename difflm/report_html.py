"""The report as one HTML page: plain tables and small SVG drawings, nothing loaded from outside."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from difflm.joint_svg import joint_svg
from difflm.metrics.base import Figure
from difflm.report import LABELS, NO_LATENT, Report, ScoreRow

TEMPLATES = Path(__file__).parent / "templates"
WIDTH, HEIGHT = 280, 96
MAX_COLUMNS, MAX_MATRIX, WORST_PAIRS, DRAWN_PAIRS = 60, 40, 15, 4


def template(name: str) -> Template:
    """A page of the package; what is put into it is escaped, and a name that is missing is an error."""
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(name)


def render(report: Report) -> str:
    """HTML text of a report; cell values are escaped."""
    details = report.details
    columns = details.get("columns", [])
    return template("report.html.jinja").render(
        report=report,
        labels=LABELS,
        no_latent=NO_LATENT,
        scores=[_score_line(report, figure) for figure in report.figures],
        gaps=_gaps(report),
        columns=[_card(column, details.get("columns_by_row", {})) for column in columns[:MAX_COLUMNS]],
        hidden_columns=max(0, len(columns) - MAX_COLUMNS),
        matrix=matrix(details["pairs"]) if details.get("pairs") else None,
        pairs=worst_pairs(details.get("pairs")),
        joint=[
            {**pair, "svg": joint_svg(pair, "var(--real)", "var(--syn)")}
            for pair in details.get("joint", [])[:DRAWN_PAIRS]
        ],
        c2st=details.get("c2st"),
        mle=details.get("mle"),
        closest=_closest(details.get("dcr")),
        settings=report.settings,
    )


def _score_line(report: Report, figure: Figure) -> dict[str, Any]:
    goals = {"max": "higher is better", "min": "lower is better", "target": "nearer is better"}
    ideal = goals[figure.goal]
    if figure.best is not None:
        ideal += f", perfect {figure.best:g}"
    elif figure.goal == "target":
        ideal = "nearer to unseen real rows is better"
    return {
        "label": figure.label,
        "meaning": figure.meaning,
        "ideal": ideal,
        "cells": [{"text": report.cell(figure, row), "bar": _quality(figure, row)} for row in report.rows],
    }


def _quality(figure: Figure, row: ScoreRow) -> int | None:
    """0..100: how much of the way to the perfect value, for a bar under bounded figures."""
    value, (low, high) = row.scores.get(figure.name), figure.bounds
    if value is None or figure.best is None or high is None or high > 1:
        return None
    reach = max(figure.best - low, high - figure.best)
    return round(100 * max(0.0, 1 - abs(value - figure.best) / reach))


def _gaps(report: Report) -> list[dict[str, str]]:
    by_name = {figure.name: figure for figure in report.figures}
    return [
        {
            "label": by_name[name].label,
            "decoder": "-" if decoder is None else f"{decoder:+.{by_name[name].digits}f}",
            "prior": f"{prior:+.{by_name[name].digits}f}",
        }
        for name, (decoder, prior) in report.prior_gap().items()
    ]


def _card(column: dict[str, Any], by_row: dict[str, dict[str, float]]) -> dict[str, Any]:
    """One column: error, drawing, its range or labels, and the error in the other rows of the report."""
    return {
        **column,
        "svg": bar_shapes(column),
        "ends": [edge_label(column, place) for place in (0, -1)] if "edges" in column else [],
        "others": [
            (LABELS.get(row, row), errors[column["name"]])
            for row in ("posterior", "decoder_alone", "holdout")
            if (errors := by_row.get(row, {})) and column["name"] in errors
        ],
    }


def bar_shapes(column: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Rectangles: x, y, width, height, side and a tooltip; real filled, synthetic as an outlined bar."""
    real, synthetic = column["real"], column["synthetic"]
    top = max([*real, *synthetic, 1e-12])
    step = WIDTH / max(len(real), 1)
    shapes = []
    for i, (p, q) in enumerate(zip(real, synthetic, strict=True)):
        name = column["labels"][i] if "labels" in column else f"{edge_label(column, i)} and up"
        tip = f"{name}: real {p:.2%}, synthetic {q:.2%}"
        for side, share, left, wide in (("real", p, 0.06, 0.88), ("synthetic", q, 0.28, 0.44)):
            height = HEIGHT * share / top
            shapes.append(
                {
                    "x": round((i + left) * step, 2),
                    "y": round(HEIGHT - height, 2),
                    "w": round(wide * step, 2),
                    "h": round(height, 2),
                    "side": side,
                    "tip": tip,
                }
            )
    return shapes


def edge_label(column: Mapping[str, Any], place: int, digits: int = 6) -> str:
    """Where a bar of numbers begins, dates as the table writes them."""
    if "edge_labels" in column:
        return str(column["edge_labels"][place])
    return f"{column['edges'][place]:.{digits}g}"


def worst_pairs(pairs: dict[str, Any] | None, count: int = WORST_PAIRS) -> list[tuple[str, str, float]]:
    """The column pairs with the largest trend error %, worst first."""
    if not pairs:
        return []
    names, error = pairs["columns"], pairs["error"]
    listed = [(names[i], names[j], error[i][j]) for i in range(len(names)) for j in range(i + 1, len(names))]
    return sorted(listed, key=lambda pair: -pair[2])[:count]


def matrix(pairs: Mapping[str, Any]) -> dict[str, Any]:
    """Columns and cells (error, shade 0..100) of the pair matrix, the worst columns of a wide table only."""
    names, error = pairs["columns"], pairs["error"]
    order = sorted(range(len(names)), key=lambda i: -sum(error[i]))[:MAX_MATRIX]
    order = sorted(order)
    top = max((error[i][j] for i in order for j in order), default=0.0) or 1.0
    rows = [
        {
            "name": names[i],
            "cells": [
                {
                    "tip": f"{names[i]} and {names[j]}: {error[i][j]:.2f} %",
                    "shade": round(90 * error[i][j] / top),
                }
                if i != j
                else None
                for j in order
            ],
        }
        for i in order
    ]
    return {"names": [names[i] for i in order], "rows": rows, "top": top, "hidden": len(names) - len(order)}


def _closest(dcr: dict[str, Any] | None) -> list[dict[str, Any]]:
    if not dcr:
        return []
    return [
        {
            "distance": pair["distance"],
            "cells": [(name, value, pair["real"][name]) for name, value in pair["synthetic"].items()],
        }
        for pair in dcr["closest"][:10]
    ]
