"""An interpolation for the page: decoded rows, what changes, how far from real rows, where on the map."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
import streamlit as st
from numpy.typing import NDArray

from difflm.differences import changed_along
from difflm.latent_ops import interpolate, nearest
from difflm.map_data import Latents, map_axes, placed
from difflm.runs import Run
from pages.shared.documents import show_difference, show_document
from pages.shared.latents import latents_of, pca_map, stamp
from pages.shared.models import model


@dataclass(frozen=True)
class Walk:
    """Steps from A to B."""

    rows: pd.DataFrame
    changes: pd.DataFrame
    valid: float
    distance: NDArray[np.float64]
    typical: float
    """Median distance between a real row and its nearest other real row."""
    points: NDArray[np.float32]
    """Where the steps lie on the PCA map (steps, 2)."""
    good: list[bool]

    @property
    def table(self) -> pd.DataFrame:
        """The rows with step, validity and distance in front."""
        table = self.rows.copy()
        table.insert(0, "to nearest real", self.distance.round(3))
        table.insert(0, "valid", ["yes" if good else "no" for good in self.good])
        last = len(table) - 1
        table.insert(0, "step", ["A" if i == 0 else "B" if i == last else str(i) for i in range(len(table))])
        return table

    @property
    def table_changes(self) -> pd.DataFrame:
        return self.changes


def show_steps(result: Walk) -> None:
    """A step that is chosen, beside what it changed against the one before: for documents, which fill no row."""
    names, record = result.table["step"].tolist(), str(result.rows.columns[0])
    number = names.index(st.select_slider("Step", names, value="A", key="walk-step"))
    texts = result.rows[record].tolist()
    left, right = st.columns(2)
    with left:
        st.caption(
            f"Valid: {result.table['valid'][number]}. To the nearest real: {result.distance[number]:.3f}"
        )
        show_document(record, texts[number])
    with right:
        st.caption("Changed against the step before")
        show_difference(record, texts[max(number - 1, 0)], texts[number])


@dataclass(frozen=True)
class _Known:
    """What every walk of a run needs and none changes."""

    typical: float
    axes: NDArray[np.float32]

    def of(self, z: NDArray[np.float32]) -> tuple[float, NDArray[np.float32]]:
        return self.typical, placed(z, self.axes)


@st.cache_resource(max_entries=8, show_spinner=False, hash_funcs={Run: lambda _: 0})
def _known(run: Run, path: str, stamp: float) -> _Known:
    latents = latents_of(run)
    some = np.random.default_rng(0).permutation(len(latents.real))[:200]
    between, _ = nearest(latents.real, latents.real[some], 2)
    return _Known(float(np.median(between[:, -1])), map_axes(latents, pca_map(run)))


def walk(run: Run, latents: Latents, a: str, b: str, steps: int, mode: str) -> Walk:
    """Decode the way from A to B; kept while the run does not change."""
    return _walk(run, latents, a, b, steps, mode, stamp(run))


@st.cache_data(
    max_entries=32, show_spinner=False, hash_funcs={Run: lambda run: str(run.path), Latents: lambda _: 0}
)
def _walk(run: Run, latents: Latents, a: str, b: str, steps: int, mode: str, stamp: float) -> Walk:
    z = interpolate(latents.latent(a)[0], latents.latent(b)[0], steps, mode)
    with model(run) as lm:
        # The ends are rows and come back with their details; between them there are none.
        ends = lm.reconstruct(pd.concat([latents.row(a), latents.row(b)], ignore_index=True))
        rows = pd.concat([ends.iloc[:1], lm.decode(z).iloc[1:-1], ends.iloc[1:]], ignore_index=True)
        broken = lm.schema.broken(lm.schema.canonical(rows))
    good = [not bad for bad in broken]
    distance, _ = nearest(latents.real, z, 1)
    return Walk(
        rows,
        changed_along(rows),
        float(np.mean(good)),
        distance[:, 0],
        *_known(run, str(run.path), stamp).of(z),
        good,
    )
