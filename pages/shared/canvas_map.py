"""The map as a canvas of its own: what the browser gets, and what it tells. Plotly takes seconds to start, this none.

Bytes of a map: length of the header (uint32), header (JSON), then n points: x, y (float32), row numbers (uint32),
colour numbers (uint8), their texts for hovering (gzip), and, when these are but a sample, shades of where all points
lie (uint8). Marks and paths are sent apart: a click moves few bytes.
"""

from __future__ import annotations

import gzip
import json
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from difflm.map_data import MapData
from pages.shared.colouring import Colouring

Drag = Literal["pan", "lasso"]
FOLDER = Path(__file__).parent / "canvas"
SOURCE = "\n".join((FOLDER / name).read_text(encoding="utf-8") for name in ("draw.js", "hands.js"))
_map = st.components.v2.component(
    "difflm_map",
    html=(FOLDER / "map.html").read_text(encoding="utf-8"),
    css=(FOLDER / "map.css").read_text(encoding="utf-8"),
    js=SOURCE,
)
_layer = st.components.v2.component("difflm_map_layer", js=SOURCE)


@dataclass(frozen=True)
class Behaviour:
    """How a map looks and what hands can do to it."""

    height: int = 520
    moves: bool = True
    """Whether it can be moved and zoomed."""
    clicks: bool = True
    many: bool = False
    """Whether a click leaves the mark of the click before it."""


def packed(name: str, data: MapData, colouring: Colouring, texts: bytes, how: Behaviour) -> bytes:
    """A map for `draw_map`; two maps of one name keep zoom and position."""
    size = 7.0 if len(data) < 3_000 else 5.0 if len(data) < 10_000 else 3.5
    real = int((data.kind == "real").sum())
    header = {
        "name": name,
        "n": len(data),
        "real": real,
        "size": size,
        "height": how.height,
        "moves": how.moves,
        "clicks": how.clicks,
        "many": how.many,
        "alt": f"Map of {len(data)} records coloured by {colouring.title}",
        "colours": colouring.colours,
        "legend": colouring.legend,
        "bar": colouring.bar,
        "texts": len(texts),
        "crowd": None if data.crowd is None else {"side": len(data.crowd.shade), "box": data.crowd.box},
    }
    head = json.dumps(header).encode()
    numbers = np.fromiter((int(one[1:]) for one in data.ids), np.uint32, len(data.ids))
    parts = (data.points.astype("<f4"), numbers.astype("<u4"), colouring.codes.astype(np.uint8))
    below = b"" if data.crowd is None else data.crowd.shade.tobytes()
    return b"".join([struct.pack("<I", len(head)), head, *(part.tobytes() for part in parts), texts, below])


def draw_map(
    content: bytes,
    name: str,
    *,
    marks: Sequence[tuple[NDArray[np.float32], str]] = (),
    path: NDArray[np.float32] | None = None,
    drag: Drag = "pan",
    on_click: Callable[[str], None] | None = None,
    on_lasso: Callable[[list[str]], None] | None = None,
) -> str | None:
    """Draw a packed map with rings around `marks` (a place and a letter) and a `path` (k, 2) over it.

    Returns the id of the point that was clicked just now; the calls get ids before the page runs."""
    key = f"canvas-{name}"

    def told(what: str, act: Callable[[Any], None] | None) -> Callable[[], None]:
        def call() -> None:
            value = (st.session_state.get(key) or {}).get(what)
            if value is not None and act is not None:
                act(value)

        return call

    with st.container(gap=None):
        state = _map(
            key=key,
            data=content,
            on_clicked_change=told("clicked", on_click),
            on_caught_change=told("caught", on_lasso),
        )
        above = {
            "map": name,
            "marks": [[round(float(x), 5), round(float(y), 5), letter] for (x, y), letter in marks],
            "path": [] if path is None else path.astype(float).round(5).tolist(),
            "drag": drag,
        }
        _layer(key=f"{key}-layer", data=above)
    return state.get("clicked")


def hover_texts(rows: pd.DataFrame, columns: int = 6) -> bytes:
    """A few cells of each row as lines of text for hovering, packed."""
    shown = rows.iloc[:, :columns]
    parts = [
        name + ": " + shown[name].astype("string").fillna("–").str.slice(0, 40).str.replace("\x1e", " ")
        for name in map(str, shown.columns)
    ]
    text = parts[0]
    for part in parts[1:]:
        text = text + "\n" + part
    if rows.shape[1] > columns:
        text = text + f"\n… {rows.shape[1] - columns} more columns"
    return gzip.compress("\x1e".join(text).encode(), 1, mtime=0)
