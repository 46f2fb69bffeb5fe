"""Diffusion and priors on toy distributions."""

from pathlib import Path

import pytest
import torch
from accelerate import Accelerator

from difflm.config import Config
from difflm.diffusion.loss import edm_loss
from difflm.diffusion.sampler import SOLVERS, karras_sigmas
from difflm.errors import ConfigError
from difflm.priors import PRIORS, load_prior
from difflm.seeding import seeded
from difflm.training.host import Host
from difflm.training.prior import train_prior
from difflm.training.stage import Plan


def exact_gaussian(mean: float, std: float):
    """The ideal denoiser of N(mean, std^2): E[x0 | x] in closed form."""
    return lambda x, sigma: (std**2 * x + sigma[:, None] ** 2 * mean) / (std**2 + sigma[:, None] ** 2)


@pytest.mark.parametrize(("steps", "end"), [(18, 0.0), (18, 0.5), (5, 0.0)])
def test_sigmas_fall_from_80_to_the_end(steps: int, end: float) -> None:
    sigmas = karras_sigmas(steps, end=end)
    assert len(sigmas) == steps + 1
    assert sigmas[0] == pytest.approx(80.0, rel=1e-5) and sigmas[-1] == pytest.approx(end)
    assert (sigmas.diff() < 0).all()


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_solvers_with_the_ideal_denoiser_give_the_gaussian(solver: str) -> None:
    generator, solve = torch.Generator().manual_seed(0), SOLVERS[solver]
    start = torch.randn(4000, 1, generator=generator) * 80
    made = solve(exact_gaussian(2.0, 0.5), start, karras_sigmas(18))
    assert made.mean() == pytest.approx(2.0, abs=0.05) and made.std() == pytest.approx(0.5, abs=0.05)
    noisy = solve(exact_gaussian(2.0, 0.5), start, karras_sigmas(18, end=0.5))
    assert noisy.std() == pytest.approx((0.5**2 + 0.5**2) ** 0.5, abs=0.05)


def off(solver: str, steps: int) -> tuple[float, int]:
    """How far the end is from the exact one, root mean square, and the calls of the denoiser."""
    start, calls = torch.linspace(-20, 20, 101)[:, None], 0

    def ideal(x: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        nonlocal calls
        calls += 1
        return exact_gaussian(2.0, 0.5)(x, sigma)

    made = SOLVERS[solver](ideal, start, karras_sigmas(steps, high=10.0, end=0.4))
    exact = 2.0 + (start - 2.0) * ((0.5**2 + 0.4**2) / (0.5**2 + 10.0**2)) ** 0.5
    return (made - exact).square().mean().sqrt().item(), calls


@pytest.mark.parametrize("solver", list(SOLVERS))
def test_solvers_are_of_second_order(solver: str) -> None:
    assert 3 < off(solver, 24)[0] / off(solver, 48)[0] < 6


def test_the_default_solver_comes_nearer_with_half_the_calls() -> None:
    (one, calls), (two, twice) = off("dpm++2m", 12), off("heun", 12)
    assert one < two and (calls, twice) == (12, 24)


def test_the_ideal_denoiser_has_the_lower_loss() -> None:
    x = 2.0 + 0.5 * torch.randn(4000, 1, generator=torch.Generator().manual_seed(0))
    normal = torch.randn(4000, 2, generator=torch.Generator().manual_seed(1))
    good, bad = (edm_loss(exact_gaussian(mean, 0.5), x, normal, -0.6, 1.3) for mean in (2.0, 0.0))
    assert good < bad


def rings(n: int, seed: int) -> torch.Tensor:
    """Two clusters in 2-D with different spreads."""
    generator = torch.Generator().manual_seed(seed)
    which = torch.rand(n, 1, generator=generator) < 0.3
    noise = torch.randn(n, 2, generator=generator)
    return torch.where(which, torch.tensor([3.0, 0.0]) + 0.2 * noise, torch.tensor([-2.0, 1.0]) + 0.5 * noise)


@pytest.mark.parametrize("kind", list(PRIORS))
def test_every_prior_learns_samples_saves_and_loads(kind: str, tmp_path: Path) -> None:
    latents = rings(2000, 0)
    changes = {
        "prior.kind": kind,
        "prior.width": 64,
        "prior.blocks": 2,
        "latent.slots": 1,
        "latent.slot_dim": 2,
    }
    config = Config.from_preset("quick", {**changes, "prior.components": 4})
    plan = Plan(stage="prior", steps=400, batch_size=256, lr=2e-3, seed=0, ema=0.98, evaluations=2)
    small = torch.full_like(latents, -12.0)
    prior = train_prior(
        config, plan, (latents, small), (rings(200, 1), small[:200]), Host(), Accelerator(cpu=True)
    )
    made = prior.sample(2000, seeded(0, "test"))
    assert torch.allclose(made.mean(0), latents.mean(0), atol=0.25)
    assert torch.allclose(made.std(0), latents.std(0), atol=0.3)
    if kind != "gaussian":
        right = (made[:, 0] > 1).float().mean().item()
        assert right == pytest.approx(0.3, abs=0.06)
    prior.save(tmp_path)
    again = load_prior(kind, tmp_path)
    assert torch.equal(again.sample(10, seeded(0, "again")), prior.sample(10, seeded(0, "again")))


def test_an_unknown_prior_names_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="diffusion, gmm, gaussian"):
        load_prior("flow", tmp_path)
