"""Plotly figures that carry the app's palette; Streamlit's theme adds fonts and backgrounds."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import plotly.graph_objects as go

from difflm.curves import Curves
from pages.shared.palette import Palette

CONFIG = {"displayModeBar": False, "displaylogo": False}


def base(palette: Palette, height: int = 260, **layout: Any) -> go.Figure:
    """An empty figure with the app's margins, legend and grid."""
    figure = go.Figure()
    figure.update_layout(
        height=height,
        margin={"l": 8, "r": 8, "t": 28, "b": 8},
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        legend={
            "orientation": "h",
            "yanchor": "bottom",
            "y": 1.0,
            "x": 0,
            "title": None,
            "font": {"size": 12},
        },
        hoverlabel={"namelength": -1},
        uirevision="keep",
    )
    axis = {"gridcolor": palette.grid, "zeroline": False, "automargin": True, "title_standoff": 6}
    figure.update_xaxes(**axis)
    figure.update_yaxes(**axis)
    return figure.update_layout(**layout)


def _line(
    figure: go.Figure, curves: Curves, key: tuple[str, str, str], name: str, color: str, **extra: Any
) -> None:
    x, y = curves.thinned(*key)
    if not x:
        return
    style = {"color": color, "width": 2, "dash": extra.pop("dash", "solid")}
    extra.setdefault("showlegend", style["dash"] != "dash")
    figure.add_scatter(
        x=x,
        y=y,
        name=name,
        mode="lines+markers" if len(x) < 3 else "lines",
        line=style,
        hovertemplate="%{y:.3g} after %{x:.1f} min",
        **extra,
    )


def language_panel(curves: Curves, palette: Palette) -> go.Figure:
    """Stage 0: loss of the language model, and of copying from its prefix; validation is dashed."""
    figure = base(palette)
    for name, words, color in (
        ("loss", "a record", palette.cycle[0]),
        ("copy_loss", "a record it may copy", palette.cycle[2]),
    ):
        _line(figure, curves, ("lm", "train", name), words, color)
        _line(figure, curves, ("lm", "validation", name), f"{words}, validation", color, dash="dash")
    figure.update_xaxes(title="minutes")
    return figure.update_yaxes(title="nats a record", rangemode="tozero")


def latent_panel(curves: Curves, palette: Palette) -> go.Figure:
    """Stage 1: reconstruction and KL, validation dashed; beta on its own axis."""
    figure = base(palette)
    for name, words, color in (
        ("reconstruction", "reconstruction", palette.cycle[0]),
        ("kl", "KL", palette.cycle[2]),
    ):
        _line(figure, curves, ("vae", "train", name), words, color)
        _line(figure, curves, ("vae", "validation", name), f"{words}, validation", color, dash="dash")
    _line(figure, curves, ("vae", "train", "beta"), "beta (right)", palette.muted, dash="dot", yaxis="y2")
    figure.update_xaxes(title="minutes")
    figure.update_yaxes(title="nats a record", rangemode="tozero")
    right = {"overlaying": "y", "side": "right", "showgrid": False, "rangemode": "tozero", "automargin": True}
    return figure.update_layout(yaxis2={**right, "nticks": 4, "tickformat": ".2~f", "title": None})


def prior_panel(curves: Curves, palette: Palette) -> go.Figure:
    """Stage 2: loss of the prior; validation is dashed."""
    figure = base(palette)
    _line(figure, curves, ("prior", "train", "loss"), "prior", palette.cycle[0])
    _line(figure, curves, ("prior", "validation", "loss"), "prior, validation", palette.cycle[0], dash="dash")
    figure.update_xaxes(title="minutes")
    return figure.update_yaxes(title="loss")


def overlay(
    curves: Mapping[str, Curves], key: tuple[str, str, str], label: str, palette: Palette
) -> go.Figure:
    """The same series of several runs."""
    figure = base(palette, 320)
    for number, (name, one) in enumerate(curves.items()):
        _line(figure, one, key, name, palette.cycle[number % len(palette.cycle)])
    figure.update_xaxes(title="minutes")
    return figure.update_yaxes(title=label)
