"""The formulas inside the metrics, on values known by hand or from scipy and pandas."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ks_2samp

from difflm.metrics.c2st import score as c2st_score
from difflm.metrics.dcr import nearer_share, neighbour_ratio
from difflm.metrics.shape import code_error, ks_distance, number_error
from difflm.metrics.trend import own_bins, pearson, shared_bins


def test_ks_agrees_with_scipy() -> None:
    rng = np.random.default_rng(0)
    for a, b in [
        (rng.normal(size=200), rng.normal(0.3, 2, 170)),
        (rng.integers(0, 4, 99), rng.integers(1, 6, 40)),
    ]:
        assert ks_distance(a.astype(float), b.astype(float)) == pytest.approx(ks_2samp(a, b).statistic)


def test_missing_is_a_mass_of_its_own_in_shape() -> None:
    nan, full = np.full(10, np.nan), np.arange(10.0)
    half = np.where(np.arange(10) < 5, np.nan, full)
    assert number_error(full, full) == number_error(nan, nan) == number_error(half, half) == 0
    assert number_error(full, nan) == number_error(nan, full) == 1
    same = np.repeat([1.0, np.nan], [8, 2])
    assert number_error(same, np.repeat([1.0, np.nan], [5, 5])) == pytest.approx(0.3)
    assert number_error(same, np.repeat([9.0, np.nan], [5, 5])) == pytest.approx(0.8)


def test_code_error_is_the_total_variation_distance() -> None:
    a, b = np.array([0, 0, 1, 2], np.int32), np.array([0, 1, 1, 1], np.int32)
    assert code_error(a, b, 5) == pytest.approx((0.25 + 0.5 + 0.25) / 2)
    assert code_error(a, a + 2, 6) == pytest.approx(0.75)


def test_pearson_agrees_with_pandas_on_missing_values_and_is_zero_where_undefined() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3)) @ rng.normal(size=(3, 3)) + 1e6
    x[rng.random(x.shape) < 0.2] = np.nan
    assert np.allclose(pearson(x), pd.DataFrame(x).corr().to_numpy(), atol=1e-6)
    odd = np.column_stack([np.arange(5.0), np.full(5, 1e9 + 0.1), np.full(5, np.nan)])
    assert np.array_equal(pearson(odd)[0], [1, 0, 0])
    huge = np.column_stack([np.arange(5.0) * 1e300, np.arange(5.0)])
    assert np.allclose(pearson(huge), 1)


def test_bins_span_the_real_range_with_the_ends_open_and_missing_apart() -> None:
    values = np.array([[-5.0], [0.0], [9.99], [10.0], [99.9], [100.0], [1e300], [np.nan]])
    assert shared_bins(values, np.array([0.0]), np.array([100.0]))[:, 0].tolist() == [0, 0, 0, 1, 9, 9, 9, 10]
    assert own_bins(np.array([[0.0], [5.0], [10.0], [np.nan]]))[:, 0].tolist() == [0, 5, 10, 10]


def test_c2st_formula() -> None:
    assert c2st_score([0.5, 0.2, 0.5]) == 1
    assert c2st_score([1.0, 1.0, 1.0]) == 0
    assert c2st_score([0.6, 0.7, 0.8]) == pytest.approx(1 - 0.4)


def test_shares_and_ratios_with_ties_and_duplicates() -> None:
    a, b = np.array([1, 2, 3, 3], np.float32), np.array([2, 2, 2, 4], np.float32)
    assert nearer_share(a, b) == pytest.approx((2 + 0.5) / 4)
    assert neighbour_ratio(np.array([0, 0, 1], np.float32), np.array([0, 4, 2], np.float32)) == pytest.approx(
        0.5
    )
