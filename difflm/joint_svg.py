"""A pair of columns as two shaded tables side by side, real and synthetic: SVG text for the report and for the app."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

CELL, LEFT, GAP, BELOW, LETTERS = 24, 120, 26, 96, 17


def joint_svg(pair: Mapping[str, Any], real: str, synthetic: str) -> str:
    """Shares of the rows by the values of both columns; both tables have one scale, and each cell says its shares."""
    x, y = pair["x"], pair["y"]
    top = (
        max((share for side in ("real", "synthetic") for row in pair[side] for share in row), default=0) or 1
    )
    width, height = CELL * len(y), CELL * len(x)
    parts = [_label(LEFT - 6, CELL * (i + 0.5) + 4, name, 'text-anchor="end"') for i, name in enumerate(x)]
    for number, (side, color) in enumerate((("real", real), ("synthetic", synthetic))):
        begin = LEFT + number * (width + GAP)
        for i, row in enumerate(pair[side]):
            for j, share in enumerate(row):
                tip = (
                    f"{x[i]}, {y[j]}: real {pair['real'][i][j]:.2%}, synthetic {pair['synthetic'][i][j]:.2%}"
                )
                parts.append(
                    f'<rect x="{begin + CELL * j}" y="{CELL * i}" width="{CELL - 2}" height="{CELL - 2}" rx="2" '
                    f'fill="{color}" fill-opacity="{0.04 + 0.92 * (share / top) ** 0.5:.2f}">'
                    f"<title>{escape(tip)}</title></rect>"
                )
        for j, name in enumerate(y):
            at, low = begin + CELL * (j + 0.5) + 4, height + 10
            parts.append(_label(at, low, name, f'text-anchor="end" transform="rotate(-40 {at:.0f} {low})"'))
        parts.append(_label(begin, height + BELOW - 6, side, 'font-weight="600"'))
    wide, high = LEFT + 2 * width + GAP, height + BELOW
    named = escape(f"{pair['a']} and {pair['b']}, real and synthetic", quote=True)
    return (
        f'<svg viewBox="0 0 {wide} {high}" style="width:{wide}px;max-width:none;font-size:11px" fill="currentColor" '
        f'role="img" aria-label="{named}">{"".join(parts)}</svg>'
    )


def _label(x: float, y: float, text: str, more: str) -> str:
    short = text if len(text) <= LETTERS else text[: LETTERS - 1] + "…"
    return f'<text x="{x:.0f}" y="{y:.0f}" {more}>{escape(short)}</text>'
