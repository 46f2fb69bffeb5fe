"""What is done with latents once there are some: neighbours and paths. z (n, Z) float32."""

from __future__ import annotations

import numpy as np

from difflm.errors import ConfigError

MODES = ("linear", "spherical")
FEW = 32
"""Queries that are answered one by one."""


def nearest(latents: np.ndarray, query: np.ndarray, k: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Euclidean distances and row numbers (m, k) of the k latents (n, Z) nearest to each query (m, Z)."""
    k, query = min(k, len(latents)), np.atleast_2d(query)
    if len(query) <= FEW:
        return _nearest_to_few(latents, query, k)
    from sklearn.neighbors import NearestNeighbors

    index = NearestNeighbors(n_neighbors=k, algorithm="brute" if latents.shape[1] > 15 else "auto").fit(
        latents
    )
    distances, indices = index.kneighbors(query)
    return distances, indices


def _nearest_to_few(latents: np.ndarray, query: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The same without scikit-learn, whose import alone takes longer than the answer for one record."""
    known, distances, indices = latents.astype(np.float64), [], []
    for one in query.astype(np.float64):
        far = np.sqrt(np.square(known - one).sum(axis=1))
        near = np.argpartition(far, k - 1)[:k]
        near = near[np.lexsort((near, far[near]))]
        distances.append(far[near])
        indices.append(near)
    return np.stack(distances), np.stack(indices)


def interpolate(z0: np.ndarray, z1: np.ndarray, steps: int = 9, mode: str = "linear") -> np.ndarray:
    """Path (steps, Z) from z0 (Z,) to z1 (Z,), both included.

    spherical turns the direction and changes the length evenly (Shoemake 1985; White 2016 for latents)."""
    if mode not in MODES:
        raise ConfigError(f"a mode out of {', '.join(MODES)}", repr(mode))
    if steps < 2:
        raise ConfigError("at least 2 steps", str(steps))
    t = np.linspace(0.0, 1.0, steps)[:, None]
    if mode == "linear":
        return ((1 - t) * z0 + t * z1).astype(np.float32)
    r0, r1 = np.linalg.norm(z0), np.linalg.norm(z1)
    if min(r0, r1) < 1e-8:
        return interpolate(z0, z1, steps, "linear")
    u0, u1 = z0 / r0, z1 / r1
    angle = np.arccos(np.clip(u0 @ u1, -1.0, 1.0))
    if angle < 1e-4 or np.pi - angle < 1e-4:
        return interpolate(z0, z1, steps, "linear")
    direction = (np.sin((1 - t) * angle) * u0 + np.sin(t * angle) * u1) / np.sin(angle)
    return (((1 - t) * r0 + t * r1) * direction).astype(np.float32)
