"""Colours that can be told apart with every common colour blindness, for light and dark."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st

# Okabe and Ito, "Color Universal Design"; lightened for the dark theme to keep the contrast.
LIGHT = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A7A00", "#6B7280"]
DARK = ["#56B4E9", "#FF8A3D", "#2BC79A", "#E79CC5", "#F0C24B", "#4E8FD6", "#D8CF58", "#9AA5B1"]


@dataclass(frozen=True)
class Palette:
    """Colours of one theme, by meaning."""

    dark: bool
    cycle: list[str]
    real: str
    synthetic: str
    muted: str
    text: str
    surface: str
    """Background of the page."""
    grid: str
    changed: str
    scale: str
    """Name of the plotly scale for numbers."""
    diverging: str

    @classmethod
    def current(cls) -> Palette:
        """The palette for the theme that the browser shows."""
        return DARK_PALETTE if st.context.theme.type == "dark" else LIGHT_PALETTE


LIGHT_PALETTE = Palette(
    False,
    LIGHT,
    LIGHT[0],
    LIGHT[1],
    "#8A94A0",
    "#1B2430",
    "#FFFFFF",
    "rgba(27,36,48,.10)",
    "#FFE7C2",
    "Viridis",
    "RdBu_r",
)
DARK_PALETTE = Palette(
    True,
    DARK,
    DARK[0],
    DARK[1],
    "#8795A3",
    "#E6EBF0",
    "#11161C",
    "rgba(230,235,240,.12)",
    "#5A4214",
    "Viridis",
    "RdBu_r",
)
