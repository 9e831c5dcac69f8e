"""Intervals against scipy's, against hand values, and against what they promise to cover."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from negmine.intervals import (
    Rate,
    clopper_pearson,
    corrected_rate,
    plain_rate,
    survey_rate,
)


@pytest.mark.parametrize(("hits", "trials"), [(0, 10), (1, 10), (3, 17), (10, 10), (25, 200)])
def test_whole_counts_have_scipy_s_interval(hits: int, trials: int) -> None:
    theirs = binomtest(hits, trials).proportion_ci(0.95, method="exact")
    assert clopper_pearson(hits, trials) == pytest.approx((theirs.low, theirs.high), abs=1e-9)


def test_hand_values() -> None:
    # none found in n: the upper limit solves (1 - p)^n = 2.5 %
    assert clopper_pearson(0, 30)[1] == pytest.approx(1 - 0.025 ** (1 / 30))
    assert clopper_pearson(30, 30)[0] == pytest.approx(0.025 ** (1 / 30))
    # 1 of 10 expected, as sure as 20 trials: 2 hits of 20, and those found
    assert plain_rate(0, 20).with_prior(0.1, 20) == pytest.approx(2 / 40)
    assert plain_rate(6, 20).with_prior(0.1, 20) == pytest.approx(8 / 40)
    assert plain_rate(0, 0).with_prior(0.1, 20) == pytest.approx(0.1)
    for nothing in (clopper_pearson(0, 0), plain_rate(0, 0).interval()):
        assert nothing == (0.0, 1.0)


def test_one_stratum_is_the_plain_exact_interval() -> None:
    hit = np.arange(40) < 7
    found = survey_rate(hit, np.full(40, 3.5), np.zeros(40, dtype=int))
    assert (found.estimate, found.hits, found.trials) == (7 / 40, 7, 40)
    assert found.effective == pytest.approx(40)
    assert found.interval() == pytest.approx(clopper_pearson(7, 40))


def test_weights_bring_back_the_population() -> None:
    # 900 claims with 10 % wrong, 100 with half: both heard 20 times
    hit = np.concatenate([np.arange(20) < 2, np.arange(20) < 10])
    weight = np.repeat([900 / 20, 100 / 20], 20)
    stratum = np.repeat([0, 1], 20)
    found = survey_rate(hit, weight, stratum)
    assert found.estimate == pytest.approx(0.9 * 0.1 + 0.1 * 0.5)
    # the variance by hand: sum of W^2 p q / (n - 1); Kish's size is smaller here than what it gives
    variance = 0.9**2 * 0.1 * 0.9 / 19 + 0.1**2 * 0.5 * 0.5 / 19
    by_variance = 40 * (found.estimate * (1 - found.estimate) / 39) / variance
    kish = weight.sum() ** 2 / np.sum(weight**2)
    assert found.effective == pytest.approx(min(by_variance, kish, 40))
    only = survey_rate(hit, weight, stratum, stratum == 1)
    assert only.estimate == 0.5
    assert only.interval() == pytest.approx(clopper_pearson(10, 20))


def test_the_effective_size_by_hand_where_the_doubt_lies_in_few_that_weigh_much() -> None:
    # half the population heard 10 times, half of it wrong; the other half 90 times, none wrong
    hit = np.concatenate([np.arange(10) < 5, np.zeros(90, dtype=bool)])
    found = survey_rate(hit, np.repeat([50 / 10, 50 / 90], [10, 90]), np.repeat([0, 1], [10, 90]))
    variance = 0.5**2 * 0.5 * 0.5 / 9
    assert found.effective == pytest.approx(100 * (0.25 * 0.75 / 99) / variance)


def test_a_light_stratum_of_hits_does_not_make_a_heavy_one_certain() -> None:
    # the heavy stratum's 50 without a hit say no more than 7 %; its own variance says it is sure
    hit = np.concatenate([np.zeros(50, dtype=bool), np.arange(50) < 5])
    weight = np.repeat([198.0, 2.0], 50)
    found = survey_rate(hit, weight, np.repeat([0, 1], 50))
    assert found.interval()[1] > 0.9 * clopper_pearson(0, 50)[1]


@pytest.mark.parametrize("rates", [(0.0, 0.2), (0.02, 0.2), (0.05, 0.05), (0.3, 0.01)])
def test_the_survey_interval_covers_as_often_as_it_says(rates: tuple[float, float]) -> None:
    rng = np.random.default_rng(0)
    sizes, heard = (800, 200), 40
    truth = sum(size * rate for size, rate in zip(sizes, rates, strict=True)) / sum(sizes)
    weight = np.repeat([size / heard for size in sizes], heard)
    stratum = np.repeat([0, 1], heard)
    inside = 0
    for _ in range(300):
        low, high = survey_rate(
            rng.random(80) < np.repeat(rates, heard), weight, stratum
        ).interval()
        inside += low <= truth <= high
    # two standard errors below 95 % of 300
    assert inside / 300 > 0.925


def test_nothing_heard_of_a_part_says_nothing() -> None:
    none = survey_rate(np.ones(3, dtype=bool), np.ones(3), np.zeros(3, dtype=int), np.zeros(3) > 0)
    assert math.isnan(none.estimate)
    assert none.interval() == (0.0, 1.0)
    one = survey_rate(np.ones(1, dtype=bool), np.ones(1), np.zeros(1, dtype=int))
    assert one.interval() == pytest.approx(clopper_pearson(1, 1))


def test_a_deaf_listeners_rate_is_corrected() -> None:
    rate, heard = plain_rate(12, 100), plain_rate(16, 20)
    middle, low, high = corrected_rate(rate, heard)
    assert middle == pytest.approx(0.15)
    # the same by a million draws
    rng = np.random.default_rng(0)
    upper = rng.beta(13, 88, 10**6) / rng.beta(16, 5, 10**6)
    lower = rng.beta(12, 89, 10**6) / rng.beta(17, 4, 10**6)
    assert low == pytest.approx(np.quantile(lower, 0.025), abs=5e-4)
    assert high == pytest.approx(np.quantile(upper, 0.975), abs=2e-3)
    # a listener who was never seen to miss is not certain to hear all
    _, low, high = corrected_rate(rate, plain_rate(20, 20))
    assert low == pytest.approx(clopper_pearson(12, 100)[0])
    assert high > clopper_pearson(12, 100)[1]
    _, low, high = corrected_rate(rate, plain_rate(10**7, 10**7))
    assert (low, high) == pytest.approx(clopper_pearson(12, 100), abs=1e-5)
    assert corrected_rate(plain_rate(0, 10), heard)[:2] == (0.0, 0.0)
    for unknown in (plain_rate(0, 0), plain_rate(0, 5)):
        assert corrected_rate(rate, unknown)[1:] == (0.0, 1.0)
    assert corrected_rate(plain_rate(9, 10), plain_rate(1, 2))[0] == 1.0


@pytest.mark.parametrize(("truth", "hears"), [(0.02, 0.9), (0.2, 0.7), (0.1, 0.98)])
def test_the_corrected_interval_covers_as_often_as_it_says(truth: float, hears: float) -> None:
    rng = np.random.default_rng(1)
    inside = 0
    for _ in range(100):
        found = plain_rate(int(rng.binomial(100, truth * hears)), 100)
        _, low, high = corrected_rate(found, plain_rate(int(rng.binomial(20, hears)), 20))
        inside += low <= truth <= high
    # two standard errors below 95 % of 100
    assert inside / 100 > 0.906


def test_a_rate_reaches_neither_below_0_nor_above_1() -> None:
    weight = np.array([0.1, 0.2, 0.7])
    found = survey_rate(np.ones(3, dtype=bool), weight, np.zeros(3, dtype=int))
    assert found.estimate == 1.0
    assert isinstance(found, Rate)
    assert found.interval()[1] == 1.0
