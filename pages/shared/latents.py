"""Latents and maps of a run, read once and kept by what is on disk."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from difflm.map_data import Latents, MapData, build_map, projected, read_latents
from difflm.runs import Run


def stamp(run: Run) -> float:
    """Changes whenever latents, projections or samples of the run change."""
    folders = ("latents", "samples", "data")
    return max(
        (f.stat().st_mtime for folder in folders for f in (Path(run.path) / folder).glob("*")), default=0.0
    )


@st.cache_data(max_entries=4, show_spinner="Reading the run …")
def _latents(path: str, stamp: float) -> Latents:
    return read_latents(Path(path))


@st.cache_data(max_entries=8, show_spinner="Drawing the map …")
def _map(path: str, method: str, seed: int, stamp: float) -> MapData | None:
    latents = _latents(path, stamp)
    points = projected(Path(path), method, latents, seed)
    return None if points is None else build_map(latents, points, method)


def latents_of(run: Run) -> Latents:
    return _latents(str(run.path), stamp(run))


def map_of(run: Run, method: str = "pca") -> MapData | None:
    """The map by a method; None while its projection has not been computed."""
    return _map(str(run.path), method, int(run.config.get("seed", 0)), stamp(run))


def pca_map(run: Run) -> MapData:
    """The map by PCA, which is always there."""
    data = map_of(run, "pca")
    assert data is not None
    return data
