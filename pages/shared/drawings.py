"""Drawings of a report as SVG: distributions of columns, and how far pairs of columns are off.

Many small pictures at once: a chart of Plotly each would take a second and more. All text is escaped.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Any

import streamlit as st

from difflm.joint_svg import joint_svg
from difflm.report_html import MAX_MATRIX, bar_shapes, edge_label, matrix
from pages.shared.palette import Palette

_drawing = st.components.v2.component(
    "difflm_drawing",
    html="<div class=drawing></div>",
    css="""
.drawing { font-family: var(--st-font, sans-serif); color: var(--st-text-color); font-size: 14px; overflow-x: auto; }
section { display: grid; grid-template-columns: repeat(auto-fill, minmax(270px, 1fr)); gap: 20px 28px; }
figure { margin: 0; } figcaption { margin-bottom: 6px; overflow-wrap: anywhere; } svg { width: 100%; display: block; }
text { fill: currentColor; font-size: 11px; } .axis { opacity: 0.7; } p { margin: 0 0 10px; font-size: 13px; }
i { display: inline-block; width: 10px; height: 10px; margin: 0 5px 0 0; } i + i { margin-left: 14px; }
""",
    js="""
export default function ({ data, parentElement }) {
  parentElement.querySelector(".drawing").innerHTML = data.html;
}
""",
)
WIDTH, HEIGHT, BELOW = 280, 96, 46
MANY_LABELS, LETTERS = 5, 14
CELL = 26


def columns_drawing(columns: Sequence[Mapping[str, Any]], palette: Palette, key: str) -> None:
    """The distribution of each column, real bars behind synthetic ones."""
    signs = [(palette.real, "real"), (palette.synthetic, "synthetic")]
    legend = " &nbsp; ".join(f'<i style="background:{color}"></i>{name}' for color, name in signs)
    cards = "".join(_card(column, palette) for column in columns)
    _drawing(key=key, data={"html": f"<p>{legend}</p><section>{cards}</section>"})


def _card(column: Mapping[str, Any], palette: Palette) -> str:
    column, rest = _without_rest(column)
    colors = {"real": palette.real, "synthetic": palette.synthetic}
    bars = "".join(
        f'<rect x="{s["x"]}" y="{s["y"]}" width="{s["w"]}" height="{s["h"]}" fill="{colors[s["side"]]}" '
        f'fill-opacity="{0.55 if s["side"] == "real" else 0.95}"><title>{escape(s["tip"])}</title></rect>'
        for s in bar_shapes(column)
    )
    name, error = escape(str(column["name"])), f"{column['error']:.1f}"
    line = f'<line x1="0" y1="{HEIGHT}" x2="{WIDTH}" y2="{HEIGHT}" stroke="{palette.muted}"/>'
    return (
        f"<figure><figcaption><b>{name}</b> · error {error} %{rest}</figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT + BELOW}" role="img" aria-label="Distribution of {name}">'
        f"{bars}{line}{_below(column)}</svg></figure>"
    )


def _without_rest(column: Mapping[str, Any]) -> tuple[Mapping[str, Any], str]:
    """The column without the one bar for all rare values, which would dwarf the others; and a word on it."""
    last = str(column.get("labels", [""])[-1])
    if not last.endswith(" more)"):
        return column, ""
    shown = {name: column[name][:-1] for name in ("labels", "real", "synthetic")}
    return {**column, **shown}, f" · {last[1:-1]} not shown"


def _below(column: Mapping[str, Any]) -> str:
    """What the bars stand for: the range of numbers, or the labels."""
    if "edges" in column:
        low, high = (edge_label(column, place, 4) for place in (0, -1))
        ends = ((0, "start", low), (WIDTH, "end", high))
        return "".join(
            f'<text class="axis" x="{x}" y="{HEIGHT + 15}" text-anchor="{side}">{text}</text>'
            for x, side, text in ends
        )
    labels = [str(label) for label in column["labels"]]
    step, made = WIDTH / max(len(labels), 1), []
    for i, label in enumerate(labels):
        text, x, y = (
            escape(label if len(label) <= LETTERS else label[: LETTERS - 1] + "…"),
            (i + 0.5) * step,
            HEIGHT,
        )
        if len(labels) <= MANY_LABELS:
            made.append(f'<text class="axis" x="{x:.1f}" y="{y + 15}" text-anchor="middle">{text}</text>')
        elif i % (1 + len(labels) // 14) == 0:
            turn = f'transform="translate({x:.1f} {y + 10}) rotate(-35)"'
            made.append(f'<text class="axis" {turn} text-anchor="end">{text}</text>')
    return "".join(made)


def pairs_drawing(pairs: Mapping[str, Any], palette: Palette, key: str) -> None:
    """How far the relation of each pair of columns is off, the worst columns of a wide table."""
    made = matrix(pairs)
    left, size = 130, CELL * len(made["names"])
    parts = []
    for i, (name, row) in enumerate(zip(made["names"], made["rows"], strict=True)):
        middle, label = CELL * (i + 0.5), escape(name if len(name) <= 18 else name[:17] + "…")
        parts.append(f'<text x="{left - 6}" y="{middle + 4}" text-anchor="end">{label}</text>')
        turn = f'transform="translate({left + middle + 4} {size + 10}) rotate(-40)"'
        parts.append(f'<text {turn} text-anchor="end">{label}</text>')
        for j, cell in enumerate(row["cells"]):
            if cell is not None:
                parts.append(
                    f'<rect x="{left + CELL * j}" y="{CELL * i}" width="{CELL - 2}" height="{CELL - 2}" rx="2" '
                    f'fill="{palette.synthetic}" fill-opacity="{0.06 + cell["shade"] / 100:.2f}">'
                    f"<title>{escape(cell['tip'])}</title></rect>"
                )
    wide, high = left + size, size + 90
    head = f"From 0 to {made['top']:.1f} %, the stronger the colour the farther off."
    if made["hidden"]:
        head += f" The {MAX_MATRIX} worst of {made['hidden'] + MAX_MATRIX} columns."
    svg = (
        f'<svg viewBox="0 0 {wide} {high}" style="width:{wide}px;max-width:none" role="img" '
        f'aria-label="Error of each pair of columns">{"".join(parts)}</svg>'
    )
    _drawing(key=key, data={"html": f"<p>{head}</p>{svg}"})


def pair_chooser(joint: Sequence[Mapping[str, Any]], run: str, palette: Palette) -> None:
    """Look into one pair of columns: how often two values come together, in real and in synthetic rows."""
    names = [f"{pair['a']} and {pair['b']} ({pair['error']:.1f} %)" for pair in joint]
    name = st.selectbox(
        "Look into a pair",
        names,
        key=f"pair-{run}",
        help="The pairs that are farthest off. Each square is the share of the rows that have both values.",
        width=420,
    )
    _drawing(key="joint", data={"html": joint_svg(joint[names.index(name)], palette.real, palette.synthetic)})
