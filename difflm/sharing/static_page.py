"""A run as a folder with one page: map, decoded records, interpolation paths; it opens from disk, without a server.

Synthetic records stand in it whole. Of real rows only the places on the map do, unless they are asked for: whoever has
the page has everything in it. k anchors, Z latent dimensions.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from difflm.disk import make_folder, write_atomic
from difflm.errors import RunError
from difflm.latent_ops import interpolate
from difflm.map_data import Latents, MapData, build_map, place, projected, read_latents
from difflm.pipeline import DiffLM
from difflm.report_html import template
from difflm.runs import Run

GROUPS = 10
"""Values of a column that have a colour of their own; all others share one."""
LONGEST = 4_000
"""Characters of a cell that the page shows."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """What goes into the page."""

    points: int = 3_000
    anchors: int = 8
    steps: int = 9
    real_rows: bool = False
    """Whether records of real rows may be seen, and not only where they lie."""
    seed: int = 0


def write_page(run: Run, folder: Path, choice: Choice | None = None) -> Path:
    """index.html and plotly.min.js in `folder`, which may hold an earlier page; RunError for a run without a sample."""
    from plotly.offline import get_plotlyjs

    choice = choice or Choice()
    told = content(run, choice)
    text = json.dumps(told, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    # Nothing in a record may end the script element that holds it.
    page = template("static_page.html.jinja").render(
        title=run.name, data=text.replace("<", "\\u003c"), real_rows=choice.real_rows
    )
    make_folder(folder)
    write_atomic(folder / "plotly.min.js", get_plotlyjs().encode())
    write_atomic(folder / "index.html", page.encode())
    return folder / "index.html"


def content(run: Run, choice: Choice) -> dict[str, Any]:
    """Everything the page shows, as plain JSON types."""
    latents = read_latents(run.path)
    if not len(latents.synthetic):
        raise RunError(f"generated rows with their latents in {run.name}", "none", "generate some rows first")
    points = projected(run.path, "pca", latents)
    assert points is not None
    whole = build_map(latents, points, "pca")
    shown = whole.sampled(choice.points, choice.seed)
    model = DiffLM.from_pretrained(run)
    names = [name for name in shown.rows.columns if name in model.schema.names]
    real = (shown.kind == "real").tolist()
    cells = [
        row if choice.real_rows or not is_real else None
        for row, is_real in zip(_cells(shown.rows[names]), real, strict=True)
    ]
    seen = np.array([row is not None for row in cells])
    paths = _paths(model, latents, whole, shown, seen, choice, names)
    return {
        "run": run.name,
        "record": model.schema.record,
        "columns": names,
        "x": _rounded(shown.points[:, 0]),
        "y": _rounded(shown.points[:, 1]),
        "real": real,
        "rows": cells,
        "colours": {name: _colour(shown.rows[name], seen) for name in names},
        "status": run.status.message,
        "total": shown.total,
        **paths,
    }


def _paths(
    model: DiffLM,
    latents: Latents,
    whole: MapData,
    shown: MapData,
    seen: NDArray[np.bool_],
    choice: Choice,
    names: list[str],
) -> dict[str, Any]:
    """Anchors far from each other, and for every two of them the records that lie between."""
    places = np.flatnonzero(seen)
    z = np.concatenate([latents.latent(shown.ids[i]) for i in places])
    picked = far_apart(z, min(choice.anchors, len(z)), choice.seed)
    anchors, pairs = places[picked], list(combinations(range(len(picked)), 2))
    if not pairs:
        return {"anchors": anchors.tolist(), "paths": {}}
    ways = np.concatenate([interpolate(z[picked[a]], z[picked[b]], choice.steps) for a, b in pairs])
    rows = model.decode(ways)[names]
    texts, points = _cells(rows), place(latents, whole, ways)
    paths = {}
    for number, (a, b) in enumerate(pairs):
        part = slice(number * choice.steps, (number + 1) * choice.steps)
        paths[f"{a}-{b}"] = {
            "rows": texts[part],
            "x": _rounded(points[part, 0]),
            "y": _rounded(points[part, 1]),
        }
    return {"anchors": anchors.tolist(), "paths": paths}


def far_apart(z: NDArray[np.float32], k: int, seed: int) -> list[int]:
    """Row numbers of k latents (n, Z) far from each other: each the farthest from those before (Gonzalez 1985)."""
    first = int(np.random.default_rng(seed).integers(len(z)))
    picked, distance = [first], np.linalg.norm(z - z[first], axis=1)
    while len(picked) < k:
        picked.append(int(distance.argmax()))
        distance = np.minimum(distance, np.linalg.norm(z - z[picked[-1]], axis=1))
    return picked


def _cells(rows: pd.DataFrame) -> list[list[str | None]]:
    """Cells as they are read: text, None where missing, long ones cut with a mark."""
    plain = rows.astype(object).where(rows.notna(), None)
    return [
        [None if cell is None else _short(str(cell)) for cell in row] for row in plain.to_numpy().tolist()
    ]


def _short(text: str) -> str:
    return text if len(text) <= LONGEST else text[:LONGEST] + " … (cut)"


def _colour(cells: pd.Series, seen: NDArray[np.bool_]) -> dict[str, Any] | None:
    """Numbers, or groups of the most frequent values; None for points whose record is not shown, and for text."""
    own = cells[seen]
    if pd.api.types.is_numeric_dtype(own) and not pd.api.types.is_bool_dtype(own) and own.nunique() > GROUPS:
        values = pd.to_numeric(cells).astype("float64").to_numpy()
        known = seen & np.isfinite(values)
        return {"values": [float(v) if ok else None for v, ok in zip(values, known, strict=True)]}
    texts = own.dropna().astype(str)
    if texts.nunique() > max(GROUPS, len(texts) // 2):
        return None
    names = texts.value_counts().index[:GROUPS].tolist()
    number = {name: place for place, name in enumerate(names)}
    groups = [
        number.get(str(c), len(names)) if ok and pd.notna(c) else None
        for c, ok in zip(cells, seen, strict=True)
    ]
    return {"groups": groups, "names": [*names, "other"]}


def _rounded(values: NDArray[np.float32]) -> list[float]:
    return [round(float(value), 4) for value in values]
