"""Even draws: right one by one, and nearer to the distribution together than chance is."""

import pytest
import torch

from difflm.latent.draws import even_choice, even_normal, even_uniform


def generator(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_one_uniform_draw_in_every_part() -> None:
    draws = even_uniform(200, generator(0))
    assert torch.equal((draws * 200).long().sort().values, torch.arange(200))
    assert torch.equal(draws, even_uniform(200, generator(0)))
    assert not torch.equal(draws, even_uniform(200, generator(1)))
    assert not torch.equal(draws, draws.sort().values)


@pytest.mark.parametrize("size", [1, 16, 64])
def test_normal_draws_have_the_moments_of_a_normal(size: int) -> None:
    draws = even_normal(1024, size, generator(0))
    assert draws.shape == (1024, size) and bool(draws.isfinite().all())
    # Independent draws miss the mean by .03 on average.
    assert draws.mean(dim=0).abs().max() < 0.005
    torch.testing.assert_close(draws.std(dim=0), torch.ones(size), atol=0.02, rtol=0)
    between = draws.T @ draws / 1024 - torch.eye(size)
    assert between.abs().max() < 0.2


def test_single_draws_are_free_of_bias() -> None:
    alone = torch.cat([even_normal(1, 2, generator(seed)) for seed in range(2000)])
    assert alone.mean(dim=0).abs().max() < 0.1 and (alone.std(dim=0) - 1).abs().max() < 0.06
    weights = torch.tensor([[0.2, 0.0, 0.8]])
    picked = torch.cat([even_choice(weights, generator(seed)) for seed in range(2000)])
    assert (picked == 0).float().mean() == pytest.approx(0.2, abs=0.03)


def test_choices_follow_the_weights_and_never_take_a_zero() -> None:
    weights = torch.tensor([0.0, 0.25, 0.0, 0.5, 0.25, 0.0]).repeat(1000, 1)
    counts = torch.bincount(even_choice(weights, generator(3)), minlength=6)
    assert counts.tolist() == pytest.approx([0, 250, 0, 500, 250, 0], abs=1)
    tiny = torch.tensor([[1e-30, 0.0], [0.0, 1e-30], [1.0, 0.0], [0.0, 1.0]]).repeat(500, 1)
    assert (tiny.gather(1, even_choice(tiny, generator(4))[:, None]) > 0).all()
    mixed = torch.rand(5000, 7, generator=generator(5)) ** 4
    share = torch.bincount(even_choice(mixed, generator(6)), minlength=7) / 5000
    torch.testing.assert_close(share, (mixed / mixed.sum(1, keepdim=True)).mean(0), atol=0.01, rtol=0)
