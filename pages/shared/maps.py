"""The latent map as a figure: real and synthetic points, colour by a column, marks and paths."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
import plotly.graph_objects as go

from difflm.map_data import MapData
from pages.shared.charts import base
from pages.shared.palette import Palette

CONFIG = {
    "scrollZoom": True,
    "displaylogo": False,
    "modeBarButtonsToRemove": ["select2d", "lasso2d", "toImage"],
}
KIND = "real or synthetic"
NEAREST = "distance to the nearest real row"
CROWDED = "density of real rows around it"


def map_figure(
    data: MapData,
    palette: Palette,
    color: str = KIND,
    height: int = 520,
    values: pd.Series | None = None,
    drag: str = "pan",
) -> go.Figure:
    """Points coloured by `color`: KIND, a column, or what `values` (one a point) are called; customdata holds the ids
    that clicks return. `drag` is what dragging does: pan or lasso."""
    figure = base(palette, height, dragmode=drag, margin={"l": 4, "r": 4, "t": 30, "b": 4})
    size = 7 if len(data) < 3_000 else 5 if len(data) < 10_000 else 3.5
    texts = hover_texts(data.rows)
    if color == KIND:
        groups = [
            (kind, data.kind == kind, palette.real if kind == "real" else palette.synthetic)
            for kind in ("real", "synthetic")
        ]
        for name, mask, shade in groups:
            _points(figure, data, mask, texts, name, size, {"color": shade})
        return _finish(figure)
    values = data.rows[color] if values is None else values
    numeric = pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values)
    if numeric and values.nunique() > 8:
        known = values.astype("float64").to_numpy()
        low, high = np.nanquantile(known, [0.01, 0.99])
        for kind in ("real", "synthetic"):
            mask = data.kind == kind
            style = {
                "color": known[mask],
                "colorscale": palette.scale,
                "cmin": low,
                "cmax": high,
                "showscale": kind == "real",
                "colorbar": {"title": color, "thickness": 12},
            }
            _points(figure, data, mask, texts, kind, size, style)
        return _finish(figure)
    labels = values.astype("string").fillna("(missing)")
    top = list(labels.value_counts().index[: len(palette.cycle) - 1])
    for number, label in enumerate(top):
        _points(
            figure, data, (labels == label).to_numpy(), texts, label, size, {"color": palette.cycle[number]}
        )
    rest = (~labels.isin(top)).to_numpy()
    if rest.any():
        _points(figure, data, rest, texts, f"{labels[rest].nunique()} others", size, {"color": palette.muted})
    return _finish(figure)


def _points(
    figure: go.Figure,
    data: MapData,
    mask: np.ndarray,
    texts: Sequence[str],
    name: str,
    size: float,
    style: dict[str, Any],
) -> None:
    """Real points as circles, synthetic ones as hollow diamonds, under one name in the legend."""
    named = False
    for kind, symbol, outline in (("real", "circle", 0.0), ("synthetic", "diamond-open", 1.3)):
        rows = [int(row) for row in np.flatnonzero(mask & (data.kind == kind))]
        if not rows:
            continue
        color = style["color"]
        part = {**style, "color": color if isinstance(color, str) else color[data.kind[mask] == kind]}
        figure.add_scattergl(
            x=data.points[rows, 0],
            y=data.points[rows, 1],
            mode="markers",
            name=str(name)[:28],
            legendgroup=str(name),
            showlegend=not named,
            customdata=[[data.ids[i]] for i in rows],
            text=[texts[i] for i in rows],
            hovertemplate="%{text}<extra></extra>",
            marker={"size": size, "opacity": 0.75, "line": {"width": outline}, "symbol": symbol, **part},
            unselected={"marker": {"opacity": 0.35 if figure.layout.dragmode == "lasso" else 0.75}},
            selected={"marker": {"opacity": 0.75}},
        )
        named = True


def _finish(figure: go.Figure) -> go.Figure:
    bar = {"orientation": "v", "bgcolor": "rgba(0,0,0,0)", "color": "#8A94A0", "activecolor": "#2A8CC7"}
    figure.update_layout(legend={"itemsizing": "constant"}, modebar=bar)
    figure.update_xaxes(visible=False)
    return figure.update_yaxes(visible=False)


def hover_texts(rows: pd.DataFrame, columns: int = 6) -> list[str]:
    """A few cells of each row as text for hovering."""
    shown = rows.iloc[:, :columns]
    parts = [
        name + ": " + shown[name].astype("string").fillna("–").str.slice(0, 40) for name in shown.columns
    ]
    text = parts[0]
    for part in parts[1:]:
        text = text + "<br>" + part
    if rows.shape[1] > columns:
        text = text + f"<br>… {rows.shape[1] - columns} more columns"
    return list(text)


def mark(figure: go.Figure, xy: np.ndarray, label: str, palette: Palette) -> None:
    """A ring around one point, and a flag with a letter."""
    # An SVG trace would lie below the WebGL points; annotations lie above them.
    figure.add_scattergl(
        x=[xy[0]],
        y=[xy[1]],
        mode="markers",
        showlegend=False,
        hoverinfo="skip",
        marker={"size": 18, "symbol": "circle-open", "color": palette.text, "line": {"width": 3}},
    )
    if label:
        figure.add_annotation(
            x=xy[0],
            y=xy[1],
            text=f"<b>{label}</b>",
            ax=0,
            ay=-30,
            arrowwidth=2,
            arrowhead=0,
            standoff=8,
            arrowcolor=palette.text,
            font={"size": 14, "color": palette.surface},
            bgcolor=palette.text,
            borderpad=4,
        )


def path(figure: go.Figure, xy: np.ndarray, palette: Palette) -> None:
    """The decoded steps, drawn over the points."""
    figure.add_scattergl(
        x=xy[:, 0],
        y=xy[:, 1],
        mode="lines+markers",
        hoverinfo="skip",
        showlegend=False,
        line={"color": palette.text, "width": 2},
        marker={"size": 8, "color": palette.text},
    )


def clicked(state: Any) -> str | None:
    """The id of the clicked point out of a chart's selection."""
    return next(iter(selected(state)), None)


def selected(state: Any) -> list[str]:
    """The ids of all points of a chart's selection, from customdata."""
    found: list[str] = []
    for point in (state or {}).get("selection", {}).get("points", []):
        data = point.get("customdata")
        if isinstance(data, dict):
            data = list(data.values())
        if data:
            found.append(str(data[0] if isinstance(data, list) else data))
    return found
