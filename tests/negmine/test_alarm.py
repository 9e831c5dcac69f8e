"""False alarms of a class's negatives, and a budget shared by them."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.mining.rules.alarm import alarm_rate, shares


@given(
    st.lists(st.integers(-5, 5), min_size=1, max_size=12),
    st.lists(st.integers(-5, 5), min_size=1, max_size=30),
    st.sampled_from([0.3, 0.5, 0.7, 1.0]),
)
def test_the_rate_is_that_of_the_highest_threshold_which_finds_enough(
    calls: list[int], negatives: list[int], recall: float
) -> None:
    fits = [t for t in calls if sum(c >= t for c in calls) >= recall * len(calls)]
    false = sum(n >= max(fits) for n in negatives)
    found = alarm_rate(np.array(calls), np.array(negatives), recall)
    assert found == pytest.approx((false + 0.5) / (len(negatives) + 1))


def test_without_calls_or_negatives_there_is_no_alarm() -> None:
    assert alarm_rate(np.zeros(0), np.ones(3)) == 0.0
    assert alarm_rate(np.ones(3), np.zeros(0)) == 0.0
    with pytest.raises(ValueError, match=r"recall 0: expected more than 0"):
        alarm_rate(np.ones(3), np.ones(3), 0.0)


@given(
    st.lists(st.integers(0, 50), min_size=1, max_size=9), st.integers(0, 200), st.integers(1, 60)
)
def test_shares_are_proportional_below_the_limit(weights: list[int], total: int, most: int) -> None:
    found = shares(np.array(weights, dtype=float), total, most)
    positive = sum(weight > 0 for weight in weights)
    assert found.sum() == min(total, most * positive)
    assert found.max() <= most
    assert all(count == 0 for count, weight in zip(found, weights, strict=True) if weight == 0)
    # below the limit the ratio of any two is that of their weights, but for rounding
    below = [i for i, count in enumerate(found) if 0 < count < most - 1]
    free = sum(int(found[i]) for i in below)
    for i in below:
        exact = Fraction(weights[i], sum(weights[j] for j in below)) * free
        assert abs(int(found[i]) - exact) <= 1 + Fraction(len(weights), 1)


def test_ties_go_to_the_first() -> None:
    assert shares(np.ones(3), 4, 9).tolist() == [2, 1, 1]
    assert shares(np.array([8.0, 1.0, 1.0]), 10, 4).tolist() == [4, 3, 3]
