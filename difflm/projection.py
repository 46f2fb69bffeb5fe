"""Two-dimensional maps of latents: PCA at once, UMAP and t-SNE when there is time. latents (n, Z)."""

from __future__ import annotations

import hashlib
import time
import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from safetensors.numpy import load_file, save_file

from difflm.errors import ConfigError

METHODS = ("pca", "umap", "tsne")


@dataclass(frozen=True)
class Projection:
    """points (n, 2) float32 of one method."""

    method: str
    points: np.ndarray
    seconds: float
    note: str


def project(latents: np.ndarray, method: str = "pca", seed: int = 0) -> Projection:
    """Project all latents together; a seed gives the same picture."""
    if method not in METHODS:
        raise ConfigError(f"a method out of {', '.join(METHODS)}", repr(method))
    if len(latents) < 3:
        raise ConfigError("at least 3 latents to project", str(len(latents)))
    start = time.monotonic()
    x = np.ascontiguousarray(latents, dtype=np.float32)
    points, note = {"pca": _pca, "umap": _umap, "tsne": _tsne}[method](x, seed)
    return Projection(method, points.astype(np.float32), round(time.monotonic() - start, 2), note)


def kept_path(folder: Path, latents: np.ndarray, method: str, seed: int = 0) -> Path:
    """Where `cached` keeps the projection of these latents: the name carries their fingerprint."""
    digest = hashlib.sha256(
        np.ascontiguousarray(latents, np.float32).tobytes() + repr((method, seed)).encode()
    )
    return folder / f"projection-{method}-{digest.hexdigest()[:12]}.safetensors"


def cached(folder: Path, latents: np.ndarray, method: str, seed: int = 0) -> Projection:
    """`project`, kept in `folder` under the fingerprint of the latents."""
    path = kept_path(folder, latents, method, seed)
    if path.exists():
        return Projection(method, load_file(path)["points"], 0.0, "kept from before")
    made = project(latents, method, seed)
    folder.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    save_file({"points": np.ascontiguousarray(made.points)}, temporary)
    temporary.replace(path)
    return made


def _pca(x: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    """The two directions of largest variance; each points to where its largest part is positive."""
    # From the small covariance, in double precision: importing scikit-learn takes longer than all of this.
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    values, vectors = np.linalg.eigh(centred.T @ centred)
    axes = vectors[:, ::-1][:, :2]
    if axes.shape[1] < 2:
        axes = np.hstack([axes, np.zeros_like(axes)])
    largest = axes[np.abs(axes).argmax(axis=0), np.arange(2)]
    share = values[-2:].sum() / max(values.sum(), 1e-30)
    return centred @ (axes * np.where(largest < 0, -1.0, 1.0)), f"two axes carry {share:.0%} of the variance"


def _umap(x: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from umap import UMAP

        neighbours = min(15, len(x) - 1)
        init = "random" if len(x) < 10 else "spectral"
        return UMAP(n_neighbors=neighbours, init=init, random_state=seed).fit_transform(
            x
        ), f"{neighbours} neighbours"


def _tsne(x: np.ndarray, seed: int) -> tuple[np.ndarray, str]:
    from sklearn.manifold import TSNE

    perplexity = min(30.0, max(2.0, (len(x) - 1) / 3))
    made = TSNE(2, perplexity=perplexity, init="pca", random_state=seed).fit_transform(x)
    return made, f"perplexity {perplexity:.0f}"
