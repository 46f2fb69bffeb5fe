"""Integer codes: exact, in range, and frugal."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.formats.numbers import RADIX, IntegerCode

INTEGERS = st.lists(st.integers(-(10**7), 10**7), min_size=1, max_size=300)


@settings(max_examples=60, deadline=None)
@given(INTEGERS, st.integers(2, 64))
def test_values_come_back_to_a_ten_thousandth_of_their_bin(values: list[int], most: int) -> None:
    k = np.array(values)
    code = IntegerCode.fit(k, most)
    tokens = code.encode(k)
    back = code.decode(tokens)
    tail = code.tail[tokens[:, 0]]
    assert tokens.shape == (len(k), 1 + code.digits)
    assert (np.abs(back - k) < np.maximum(tail, 1)).all()
    assert (back[tail == 1] == k[tail == 1]).all()


@settings(max_examples=60, deadline=None)
@given(INTEGERS, st.integers(2, 64), st.integers(0, 2**31))
def test_any_allowed_tokens_stay_in_the_training_range(values: list[int], most: int, seed: int) -> None:
    k = np.array(values)
    code = IntegerCode.fit(k, most)
    rng = np.random.default_rng(seed)
    bins = rng.integers(0, code.bins, 200)
    offset = rng.integers(0, code.span[bins])
    powers = RADIX ** np.arange(code.digits - 1, -1, -1)
    tokens = np.concatenate([bins[:, None], offset[:, None] // powers % RADIX], axis=1)
    made = code.decode(tokens, rng)
    assert k.min() <= made.min() and made.max() <= k.max()


def test_a_spike_has_a_token_of_its_own() -> None:
    k = np.concatenate([np.zeros(900, int), np.random.default_rng(0).integers(1, 10**6, 300)])
    code = IntegerCode.fit(k, 50)
    zero = code.encode(np.array([0]))[0, 0]
    assert (code.encode(k[k > 0])[:, 0] != zero).all()


def test_repeating_values_are_coded_by_rank_and_unseen_ones_go_to_the_nearest() -> None:
    k = np.repeat(np.array([1, 5, 90, 1000]), 40)
    code = IntegerCode.fit(k, 50)
    assert code.digits == 0 and code.bins == 4
    assert code.decode(code.encode(np.array([-3, 4, 80, 10**6]))).tolist() == [1, 5, 90, 1000]


@pytest.mark.parametrize("k", [np.zeros(1, int), np.arange(5000) * 37, np.array([0, 2**52])])
def test_json_form_is_the_same_code(k: np.ndarray) -> None:
    code = IntegerCode.fit(k, 64)
    again = IntegerCode.from_dict(code.to_dict())
    assert (again.encode(k) == code.encode(k)).all()
    assert (again.decode(code.encode(k)) == code.decode(code.encode(k))).all()


def test_digits_are_tokens_only_where_they_hold_something() -> None:
    rng = np.random.default_rng(0)
    even = rng.integers(0, 10**6, 20_000)
    assert IntegerCode.fit(even, 200).digits == 0
    priced = even - even % 100 + 99
    priced[:15_000] += rng.integers(0, 2, 15_000) * 5
    code = IntegerCode.fit(priced, 200)
    assert code.digits > 0 and (code.decode(code.encode(priced)) == priced).all()
    few = even[:300] * 7
    assert IntegerCode.fit(few, 200).digits == 0
