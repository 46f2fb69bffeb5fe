"""Directions of columns, and draws like a group: on latents whose structure is known."""

import numpy as np
import pandas as pd
import pytest

from difflm.errors import DataError
from difflm.latent_edits import can_steer, direction, more_like

RNG = np.random.default_rng(0)
Z = RNG.normal(size=(500, 4)).astype(np.float32) * np.array([1, 2, 1, 1], np.float32)


def test_the_direction_of_a_number_is_the_dimension_that_holds_it() -> None:
    age = pd.Series(np.exp(Z[:, 1] / 2))  # any rising function of it
    along = direction(Z, age)
    assert along.shape == (4,) and along.dtype == np.float32
    assert along[1] == pytest.approx(2.0, rel=0.15)  # one standard deviation of that dimension
    assert np.abs(np.delete(along, 1)).max() < 0.3


def test_the_way_to_a_value_leads_from_the_others_to_those_with_it() -> None:
    job = pd.Series(np.where(Z[:, 2] > 0.5, "clerk", np.where(Z[:, 0] > 0, "cook", None)), dtype=object)
    along = direction(Z, job, "clerk")
    means = Z[(job == "clerk").to_numpy()].mean(axis=0) - Z[(job != "clerk").to_numpy()].mean(axis=0)
    np.testing.assert_allclose(along, means, rtol=1e-3, atol=1e-3)


def test_dates_missing_cells_and_columns_that_cannot_be_steered() -> None:
    day = pd.Series(pd.Timestamp("2020-01-01") + pd.to_timedelta(Z[:, 0] * 100, unit="D"))
    day[:50] = pd.NaT
    assert direction(Z, day)[0] == pytest.approx(1.0, rel=0.2)
    assert can_steer(day) and can_steer(pd.Series(["a", "b"] * 250))
    assert not can_steer(pd.Series([1.0] * 500)) and not can_steer(pd.Series([f"x{i}" for i in range(500)]))
    assert not can_steer(pd.Series([None] * 500, dtype=object))
    with pytest.raises(DataError, match="3 of 500"):
        direction(Z, pd.Series(["rare"] * 3 + ["b"] * 497), "rare")


def test_draws_like_a_group_have_its_place_and_spread_and_are_not_its_members() -> None:
    group = RNG.normal([3, 0, 0, -1], [0.5, 1, 0.1, 2], size=(300, 4)).astype(np.float32)
    made = more_like(group, 4000, seed=1)
    assert made.shape == (4000, 4) and np.array_equal(made, more_like(group, 4000, seed=1))
    np.testing.assert_allclose(made.mean(axis=0), group.mean(axis=0), atol=0.1)
    np.testing.assert_allclose(made.std(axis=0), group.std(axis=0), rtol=0.1)
    assert not set(map(tuple, made.tolist())) & set(map(tuple, group.tolist()))
    assert more_like(group[:3], 10).shape == (10, 4)  # fewer than dimensions
    with pytest.raises(DataError, match="at least 2"):
        more_like(group[:1], 10)
