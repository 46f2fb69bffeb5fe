"""What the latent map shows, read from a run directory: points in 2-D and the rows behind them.

n real rows (the training split, of a long table a sample of it) come first, then m synthetic ones; Z latent
dimensions. No torch.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load_file, save_file

from difflm.errors import RunError
from difflm.projection import cached, kept_path, project

LIMIT = 20_000
GRID = 96
"""Squares along each side of the shade below a sample."""


@dataclass(frozen=True)
class Crowd:
    """How densely points lie, on a grid of squares over their box: what a sample of them is drawn over."""

    shade: NDArray[np.uint8]
    """(GRID, GRID), the top row first; 0 for an empty square, 255 for the fullest, by the logarithm of the count."""
    box: tuple[float, float, float, float]
    """Left, low, right, high."""

    @classmethod
    def of(cls, points: NDArray[np.float32]) -> Crowd:
        """Of points (n, 2)."""
        low, high = points.min(axis=0).astype(float), points.max(axis=0).astype(float)
        place = np.clip((points - low) / np.maximum(high - low, 1e-12) * GRID, 0, GRID - 1).astype(int)
        counts = np.bincount((GRID - 1 - place[:, 1]) * GRID + place[:, 0], minlength=GRID * GRID)
        shade = np.log1p(counts) / np.log1p(counts.max()) * 255
        return cls(shade.round().astype(np.uint8).reshape(GRID, GRID), (low[0], low[1], high[0], high[1]))


@dataclass(frozen=True)
class MapData:
    """Points of a map with their rows; ids are "r<row>" for real and "s<row>" for synthetic rows."""

    points: NDArray[np.float32]
    rows: pd.DataFrame
    kind: NDArray[np.str_]
    ids: list[str]
    total: int
    """Rows before sampling."""
    method: str
    crowd: Crowd | None = None
    """Where all points lie, when only a sample of them is here."""

    def __len__(self) -> int:
        return len(self.points)

    def position(self, identifier: str) -> int | None:
        """Where a point is in this (maybe sampled) map."""
        return self.ids.index(identifier) if identifier in self.ids else None

    def sampled(self, limit: int = LIMIT, seed: int = 0) -> MapData:
        """At most `limit` points, real and synthetic in their proportion, order kept."""
        if len(self) <= limit:
            return self
        rng = np.random.default_rng(seed)
        keep = []
        for kind in ("real", "synthetic"):
            rows = np.flatnonzero(self.kind == kind)
            keep.append(rng.permutation(rows)[: round(limit * len(rows) / len(self))])
        chosen = np.sort(np.concatenate(keep))
        return replace(
            self,
            points=self.points[chosen],
            rows=self.rows.iloc[chosen].reset_index(drop=True),
            kind=self.kind[chosen],
            ids=[self.ids[i] for i in chosen],
            crowd=Crowd.of(self.points),
        )


@dataclass(frozen=True)
class Latents:
    """Latents and rows of a run: mu (n, Z) of the training rows that it encoded, then (m, Z) of a sample if known."""

    real: NDArray[np.float32]
    real_rows: pd.DataFrame
    synthetic: NDArray[np.float32]
    synthetic_rows: pd.DataFrame
    not_encoded: int = 0
    """Training rows without a latent: of a long table only a sample is encoded."""

    @property
    def all(self) -> NDArray[np.float32]:
        return np.concatenate([self.real, self.synthetic])

    def row(self, identifier: str) -> pd.DataFrame:
        """The one row that an id names, as a frame."""
        frame = self.real_rows if identifier[0] == "r" else self.synthetic_rows
        return frame.iloc[[int(identifier[1:])]].reset_index(drop=True)

    def latent(self, identifier: str) -> NDArray[np.float32]:
        """(1, Z)"""
        source = self.real if identifier[0] == "r" else self.synthetic
        return source[[int(identifier[1:])]]


def read_latents(run: Path) -> Latents:
    """Latents of a finished run; RunError where they are missing or do not fit the rows."""
    tensors = _tensors(run / "latents" / "train.safetensors", "mu")
    real = tensors["mu"].astype(np.float32)
    path = run / "data" / "train.parquet"
    total = pq.read_metadata(path).num_rows
    # Runs of before this was written encoded all rows.
    rows = _taken(path, tensors.get("rows", np.arange(total)))
    if len(real) != len(rows):
        raise RunError(
            f"{len(rows)} latents, one for each training row", str(len(real)), "train the run again"
        )
    synthetic, drawn = np.empty((0, real.shape[1]), np.float32), rows.iloc[:0]
    name = latest_sample(run)
    if name is not None and (run / "latents" / f"sample-{name}.safetensors").exists():
        synthetic = _tensor(run / "latents" / f"sample-{name}.safetensors", "mu")
        drawn = pd.read_parquet(run / "samples" / f"{name}.parquet").iloc[: len(synthetic)]
    drawn = drawn.reset_index(drop=True)
    return Latents(real, rows.reset_index(drop=True), synthetic, drawn, total - len(rows))


def _taken(path: Path, numbers: NDArray[np.integer]) -> pd.DataFrame:
    """The rows of a Parquet file with these sorted numbers, read a batch at a time."""
    parts, first = [], 0
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches():
            low, high = np.searchsorted(numbers, [first, first + len(batch)])
            parts.append(batch.take(pa.array(numbers[low:high] - first)))
            first += len(batch)
        return pa.Table.from_batches(parts, file.schema_arrow).to_pandas()


def latest_sample(run: Path) -> str | None:
    """Name of the newest generated table of a run."""
    files = sorted((run / "samples").glob("*.parquet"), key=lambda f: f.stat().st_mtime)
    return files[-1].stem if files else None


def save_sample_latents(run: Path, name: str, latents: NDArray[np.float32]) -> None:
    """Keep the latents (m, Z) of a generated table, so that the map can show it."""
    save_file(
        {"mu": np.ascontiguousarray(latents, np.float32)}, run / "latents" / f"sample-{name}.safetensors"
    )


def build_map(latents: Latents, points: NDArray[np.float32], method: str) -> MapData:
    """Join 2-D points (n + m, 2), or (n, 2) for the real rows alone, with their rows."""
    n, m = len(latents.real), len(latents.synthetic)
    if len(points) == n:
        m = 0
    elif len(points) != n + m:
        raise RunError(f"{n + m} projected points", str(len(points)), "project again")
    rows = pd.concat([latents.real_rows, latents.synthetic_rows.iloc[:m]], ignore_index=True)
    kind = np.array(["real"] * n + ["synthetic"] * m)
    ids = [f"r{i}" for i in range(n)] + [f"s{i}" for i in range(m)]
    return MapData(points.astype(np.float32), rows, kind, ids, n + m + latents.not_encoded, method)


def _tensor(path: Path, name: str) -> NDArray[np.float32]:
    return _tensors(path, name)[name].astype(np.float32)


def _tensors(path: Path, name: str) -> dict[str, NDArray[Any]]:
    """All arrays of a file that has to hold `name`."""
    try:
        found: dict[str, NDArray[Any]] = load_file(path)
        if name not in found:
            raise KeyError(name)
        return found
    except (OSError, SafetensorError, KeyError) as error:
        raise RunError(
            f"latents in {path.parent.name}/{path.name}",
            "a file that is missing or broken",
            "let the training finish",
        ) from error


def projected(run: Path, method: str, latents: Latents, seed: int = 0) -> NDArray[np.float32] | None:
    """Points of the projection that is kept for these latents, or for the real ones alone.

    A missing PCA is computed and, where the run can be written to, kept.
    """
    folder = run / "latents"
    for z in (latents.all, latents.real):
        kept = kept_path(folder, z, method, seed)
        if kept.exists():
            return _tensor(kept, "points")
    if method != "pca":
        return None
    try:
        return cached(folder, latents.all, method, seed).points
    except OSError:
        return project(latents.all, method, seed).points


def place(latents: Latents, drawn: MapData, z: NDArray[np.float32]) -> NDArray[np.float32]:
    """Where latents (k, Z) lie on a PCA map that is drawn already: the affine map that fits its points."""
    return placed(z, map_axes(latents, drawn))


def map_axes(latents: Latents, drawn: MapData) -> NDArray[np.float32]:
    """(Z + 1, 2): from latents to the points of a PCA map, the last line being the shift."""
    source = latents.all[: len(drawn)]
    padded = np.hstack([source, np.ones((len(source), 1), np.float32)])
    axes, *_ = np.linalg.lstsq(padded, drawn.points, rcond=None)
    return axes.astype(np.float32)


def placed(z: NDArray[np.float32], axes: NDArray[np.float32]) -> NDArray[np.float32]:
    """(k, 2) of z (k, Z), by the axes of a map."""
    return (np.hstack([z, np.ones((len(z), 1), np.float32)]) @ axes).astype(np.float32)
