"""Posterior, beta schedules, normaliser, latent operations, projections."""

from pathlib import Path

import numpy as np
import pytest
import torch

from difflm.errors import ConfigError
from difflm.latent.beta import SCHEDULES, make_schedule
from difflm.latent.normaliser import Normaliser
from difflm.latent.posterior import active_dimensions, kl_per_dimension, reparameterise
from difflm.latent_ops import interpolate, nearest
from difflm.priors.gaussian import GaussianPrior
from difflm.projection import METHODS, cached, project
from difflm.stage_sections import BetaConfig


def test_kl_is_that_of_torch_and_zero_for_the_standard_normal() -> None:
    mu, logvar = torch.randn(50, 3), torch.randn(50, 3)
    q = torch.distributions.Normal(mu, torch.exp(logvar / 2))
    expected = torch.distributions.kl_divergence(q, torch.distributions.Normal(0.0, 1.0))
    assert torch.allclose(kl_per_dimension(mu, logvar), expected, atol=1e-5)
    assert kl_per_dimension(torch.zeros(1, 2), torch.zeros(1, 2)).sum() == 0


def test_active_dimensions_counts_those_that_carry() -> None:
    kl = torch.tensor([[1.0, 0.0, 0.03], [1.0, 0.01, 0.03]])
    assert active_dimensions(kl) == 2
    assert torch.equal(
        reparameterise(torch.ones(1, 2), torch.zeros(1, 2), torch.ones(1, 2)), torch.full((1, 2), 2.0)
    )


def test_every_schedule_stays_between_its_bounds() -> None:
    for name in SCHEDULES:
        schedule = make_schedule(BetaConfig(schedule=name, start=0.1, end=0.2))
        values = [schedule.value(t) for t in np.linspace(0, 1, 101)]
        assert min(values) >= 0 and max(values) <= 0.2, name


def test_cyclical_is_zero_half_of_each_cycle() -> None:
    schedule = make_schedule(BetaConfig(schedule="cyclical", end=0.2, cycles=10))
    values = np.array([schedule.value(t) for t in np.linspace(0, 0.999, 1000)])
    assert 0.45 < (values == 0).mean() < 0.55
    assert 0.2 < (values == 0.2).mean() < 0.3


def test_decreasing_falls_on_a_plateau_and_survives_a_resume() -> None:
    config = BetaConfig(schedule="decreasing", start=0.1, end=0.001, factor=0.7, patience=2)
    schedule = make_schedule(config)
    for loss in (5.0, 4.0, 4.5):
        schedule.on_evaluation(loss)
    assert schedule.value(0.3) == 0.1
    again = make_schedule(config)
    again.restore(schedule.state())
    again.on_evaluation(4.2)
    assert again.value(0.5) == pytest.approx(0.07)
    for _ in range(100):
        again.on_evaluation(9.0)
    assert again.value(1.0) == 0.001


def test_normaliser_inverts_and_leaves_constant_dimensions_alone() -> None:
    z = torch.randn(100, 3) * torch.tensor([5.0, 0.1, 0.0]) + 2
    normaliser = Normaliser.fit(z)
    x = normaliser.apply(z)
    assert torch.allclose(x[:, :2].std(0, correction=0), torch.ones(2), atol=1e-4)
    assert torch.allclose(Normaliser.from_tensors(normaliser.tensors()).invert(x), z, atol=1e-5)


@pytest.mark.parametrize("mode", ["linear", "spherical"])
def test_paths_begin_and_end_where_they_should(mode: str) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=8).astype(np.float32), rng.normal(size=8).astype(np.float32)
    path = interpolate(a, b, 7, mode)
    assert path.shape == (7, 8)
    assert np.allclose(path[0], a, atol=1e-5) and np.allclose(path[-1], b, atol=1e-5)
    if mode == "spherical":
        lengths = np.linalg.norm(path, axis=1)
        assert np.allclose(np.diff(lengths), np.diff(lengths)[0], atol=1e-4)


def test_bad_paths_are_refused_and_opposite_ends_still_work() -> None:
    with pytest.raises(ConfigError, match="linear, spherical"):
        interpolate(np.ones(2), np.zeros(2), 3, "bent")
    with pytest.raises(ConfigError, match="at least 2"):
        interpolate(np.ones(2), np.zeros(2), 1)
    assert np.isfinite(interpolate(np.ones(2), -np.ones(2), 5, "spherical")).all()


def test_the_nearest_latent_of_a_latent_is_itself() -> None:
    z = np.random.default_rng(0).normal(size=(40, 5)).astype(np.float32)
    distances, rows = nearest(z, z[:3], 2)
    assert rows[:, 0].tolist() == [0, 1, 2] and np.allclose(distances[:, 0], 0, atol=1e-3)


def test_projections_are_repeatable_and_kept(tmp_path: Path) -> None:
    z = np.random.default_rng(0).normal(size=(60, 5)).astype(np.float32)
    for method in METHODS:
        if method == "umap":
            continue  # compiled on first use: minutes on a cold machine; the command line test covers it
        assert np.array_equal(project(z, method).points, project(z, method).points)
    first, again = cached(tmp_path, z, "pca"), cached(tmp_path, z, "pca")
    assert np.array_equal(first.points, again.points) and again.note == "kept from before"
    with pytest.raises(ConfigError, match="pca, umap, tsne"):
        project(z, "map")
    with pytest.raises(ConfigError, match="at least 3"):
        project(z[:2], "pca")


@pytest.mark.parametrize("scale", [1e-4, 1.0, 300.0])
def test_a_gaussian_fits_fewer_latents_than_it_has_dimensions(scale: float) -> None:
    spread = scale * torch.logspace(-3, 1, 64)
    prior = GaussianPrior.fit(torch.randn(16, 64, generator=torch.Generator().manual_seed(0)) * spread)
    drawn = prior.sample(4000, torch.Generator().manual_seed(1))
    assert drawn.isfinite().all() and drawn[:, -1].std() == pytest.approx(float(spread[-1]), rel=0.6)
