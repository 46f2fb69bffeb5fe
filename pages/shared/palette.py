"""Colours that can be told apart with every common colour blindness, for light and dark."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import streamlit as st

# Okabe and Ito, "Color Universal Design"; lightened for the dark theme to keep the contrast.
LIGHT = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#8A7A00", "#6B7280"]
DARK = ["#56B4E9", "#FF8A3D", "#2BC79A", "#E79CC5", "#F0C24B", "#4E8FD6", "#D8CF58", "#9AA5B1"]

VIRIDIS = [
    *("#440154", "#482878", "#3e4989", "#31688e", "#26828e"),
    *("#1f9e89", "#35b779", "#6ece58", "#b5de2b", "#fde725"),
]


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

    def shades(self, count: int) -> list[str]:
        """The scale for numbers, Viridis, in so many steps."""
        place = np.linspace(0, len(VIRIDIS) - 1, count)
        parts = np.array([[int(color[i : i + 2], 16) for i in (1, 3, 5)] for color in VIRIDIS])
        mixed = np.stack([np.interp(place, range(len(VIRIDIS)), parts[:, i]) for i in range(3)], axis=1)
        return [f"#{r:02x}{g:02x}{b:02x}" for r, g, b in mixed.round().astype(int)]

    @classmethod
    def current(cls) -> Palette:
        """The palette for the theme that the browser shows."""
        return cls.of(st.context.theme.type == "dark")

    @staticmethod
    def of(dark: bool) -> Palette:
        return DARK_PALETTE if dark else LIGHT_PALETTE


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
)
