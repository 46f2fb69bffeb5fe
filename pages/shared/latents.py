"""Latents and maps of a run, read once and kept by what is on disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from difflm.latent_ops import nearest
from difflm.map_data import Latents, MapData, build_map, projected, read_latents
from difflm.runs import Run

AROUND = 10
"""Real rows that tell how dense a place is."""


def stamp(run: Run) -> float:
    """Changes whenever latents, projections or samples of the run change."""
    folders = ("latents", "samples", "data")
    return max(
        (f.stat().st_mtime for folder in folders for f in (Path(run.path) / folder).glob("*")), default=0.0
    )


# Shared and not copied at each rerun: nobody changes what these return.
@st.cache_resource(max_entries=4, show_spinner="Reading the run …")
def _latents(path: str, stamp: float) -> Latents:
    return read_latents(Path(path))


@st.cache_resource(max_entries=8, show_spinner="Drawing the map …")
def _map(path: str, method: str, seed: int, stamp: float) -> MapData | None:
    latents = _latents(path, stamp)
    points = projected(Path(path), method, latents, seed)
    return None if points is None else build_map(latents, points, method)


@st.cache_resource(max_entries=8, show_spinner=False)
def _shown_map(path: str, method: str, seed: int, stamp: float) -> MapData | None:
    data = _map(path, method, seed, stamp)
    return None if data is None else data.sampled()


@st.cache_resource(max_entries=4, show_spinner="Measuring distances …")
def _surroundings(path: str, stamp: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    latents = _latents(path, stamp)
    # The nearest real row of a real row is itself.
    own, _ = nearest(latents.real, latents.real, AROUND + 1)
    other, _ = (
        nearest(latents.real, latents.synthetic, AROUND) if len(latents.synthetic) else (own[:0, 1:], None)
    )
    distances = np.concatenate([own[:, 1:], other[:, : own.shape[1] - 1]])
    return distances[:, 0], -np.log(np.maximum(distances.mean(axis=1), 1e-9))


def surroundings(run: Run, data: MapData, crowded: bool) -> pd.Series:
    """For each point of a map the distance to its nearest (other) real row, or how densely real rows lie around it
    (minus the log of the mean distance to ten), in the full latent."""
    near, density = _surroundings(str(run.path), stamp(run))
    real = len(latents_of(run).real)
    places = [int(one[1:]) + (0 if one[0] == "r" else real) for one in data.ids]
    return pd.Series((density if crowded else near)[places])


def latents_of(run: Run) -> Latents:
    return _latents(str(run.path), stamp(run))


def map_of(run: Run, method: str = "pca") -> MapData | None:
    """The map by a method; None while its projection has not been computed."""
    return _map(str(run.path), method, int(run.config.get("seed", 0)), stamp(run))


def shown_map(run: Run, method: str = "pca") -> MapData | None:
    """The map as it is drawn: of many points a sample."""
    return _shown_map(str(run.path), method, int(run.config.get("seed", 0)), stamp(run))


def pca_map(run: Run) -> MapData:
    """The map by PCA, which is always there."""
    data = map_of(run, "pca")
    assert data is not None
    return data
