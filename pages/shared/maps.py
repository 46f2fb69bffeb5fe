"""Maps of runs, packed once for each colour and theme and kept: a rerun of a page builds none again."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import streamlit as st
from numpy.typing import NDArray

from difflm.map_data import MapData
from difflm.runs import Run
from pages.shared.canvas_map import Behaviour, hover_texts, packed
from pages.shared.colouring import CROWDED, NEAREST, colouring
from pages.shared.latents import map_of, shown_map, stamp, surroundings
from pages.shared.palette import Palette

HOME_POINTS = 4_000
"""Points of the small map on Home."""


def map_content(
    run: Run, method: str, color: str, name: str, how: Behaviour, limit: int | None = None
) -> bytes:
    """The packed map of a run by a method whose projection is there; `color` as `colouring` takes it."""
    seed = int(run.config.get("seed", 0))
    return _content(
        run, str(run.path), method, seed, stamp(run), color, name, how, limit, Palette.current().dark
    )


@st.cache_resource(max_entries=64, show_spinner="Drawing the map …", hash_funcs={Run: lambda _: 0})
def _content(
    run: Run,
    path: str,
    method: str,
    seed: int,
    stamp: float,
    color: str,
    name: str,
    how: Behaviour,
    limit: int | None,
    dark: bool,
) -> bytes:
    data = _points(run, method, limit)
    values = surroundings(run, data, color == CROWDED) if color in (NEAREST, CROWDED) else None
    texts = _texts(run, path, method, stamp, limit)
    return packed(name, data, colouring(data, Palette.of(dark), color, values), texts, how)


@st.cache_resource(max_entries=16, show_spinner=False, hash_funcs={Run: lambda _: 0})
def _texts(run: Run, path: str, method: str, stamp: float, limit: int | None) -> bytes:
    return hover_texts(_points(run, method, limit).rows)


def _points(run: Run, method: str, limit: int | None) -> MapData:
    data = shown_map(run, method) if limit is None else map_of(run, method)
    assert data is not None
    return data if limit is None else data.sampled(limit)


def places(data: MapData, marks: Sequence[tuple[str | None, str]]) -> list[tuple[NDArray[np.float32], str]]:
    """Where the points with these ids lie, with their letters; those that are not on the map are left out."""
    known = [(data.position(identifier), letter) for identifier, letter in marks if identifier]
    return [(data.points[position], letter) for position, letter in known if position is not None]
