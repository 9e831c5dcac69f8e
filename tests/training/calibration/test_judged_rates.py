"""Precision at a threshold, held against slow counts and simulated sites."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import binomtest

from training.calibration.judged_rates import (
    Judged,
    ScoreCounts,
    design_effect,
    intraclass_correlation,
    precision_at,
    verdicts_needed,
)


def judged(logit: np.ndarray, present: np.ndarray, recording: np.ndarray | None = None) -> Judged:
    apart = np.arange(len(logit)) if recording is None else recording
    return Judged(np.asarray(logit, float), np.asarray(present, bool), apart)


def test_without_a_site_it_is_the_count_with_its_exact_interval() -> None:
    one = judged(np.arange(10.0), np.array([0, 0, 1, 0, 1, 0, 1, 1, 1, 1]))
    found = precision_at(one, 4.0)
    assert (found.present, found.absent) == (5, 1)
    interval = binomtest(5, 6).proportion_ci(method="exact")
    assert found.precision == 5 / 6
    assert (found.low, found.high) == pytest.approx((interval.low, interval.high))
    nothing = precision_at(one, 11.0)
    assert math.isnan(nothing.precision)
    assert (nothing.low, nothing.high) == (0.0, 1.0)


def test_verdicts_of_one_recording_count_as_fewer() -> None:
    logit, present = np.zeros(12), np.arange(12) % 4 != 0
    apart = precision_at(judged(logit, present), 0.0, rho=0.5)
    together = precision_at(judged(logit, present, np.arange(12) // 4), 0.0, rho=0.5)
    assert apart.effective == 12
    assert together.effective == pytest.approx(12 / 2.5)
    assert together.precision == apart.precision
    assert together.low < apart.low < apart.high < together.high
    assert design_effect(np.array([0, 0, 0, 1]), 1.0) == 2.5


def test_the_intraclass_correlation_is_that_of_the_simulation() -> None:
    rng = np.random.default_rng(0)

    def drawn(alike: float) -> Judged:
        own = rng.random(4000) < 0.3
        present = np.where(rng.random(4000) < alike, np.repeat(own[:1000], 4), own)
        return judged(np.zeros(4000), present, np.arange(4000) // 4)

    # two draws agree beyond chance where both are copies of the recording's own
    assert intraclass_correlation([drawn(0.0), drawn(0.0)]) < 0.03
    assert intraclass_correlation([drawn(0.7)]) == pytest.approx(0.49, abs=0.05)
    assert intraclass_correlation([drawn(1.0)]) == pytest.approx(1.0)
    assert intraclass_correlation([judged(np.zeros(3), np.array([0, 1, 1]))]) == 0.0


@pytest.mark.parametrize("choice", ["random", "top"])
def test_a_sites_precision_is_found_whichever_scores_were_heard(choice: str) -> None:
    """Calls are rare, and half of what is heard scores high: plain counts would be far off."""
    rng = np.random.default_rng(1)
    inside = total = 0
    estimates, plain = [], []
    for _ in range(40):
        logit = np.round(rng.normal(-3, 2, 8_000), 2)
        present = rng.random(8_000) < 1 / (1 + np.exp(-(logit - 3)))
        edges, counts = np.unique(logit, return_counts=True)
        above = logit >= -1
        truth = present[above].mean()
        weight = np.where(logit > 2, 30.0, 1.0) if choice == "top" else np.ones(8_000)
        heard = rng.choice(8_000, 500, replace=False, p=weight / weight.sum())
        found = precision_at(
            judged(logit[heard], present[heard]), -1.0, windows=ScoreCounts(edges, counts, 10.0)
        )
        estimates.append(found.precision - truth)
        plain.append(precision_at(judged(logit[heard], present[heard]), -1.0).precision - truth)
        inside += found.low <= truth <= found.high
        total += 1
    assert abs(np.mean(estimates)) < 0.02
    assert inside >= 0.9 * total
    if choice == "top":
        assert np.mean(plain) > 0.08


@pytest.mark.parametrize(("precision", "wanted"), [(1.0, 0.9), (0.95, 0.9), (0.7, 0.5)])
def test_so_many_verdicts_establish_a_precision_and_one_less_does_not(
    precision: float, wanted: float
) -> None:
    needed = int(verdicts_needed(precision, wanted))
    hits = math.ceil(precision * needed)
    assert binomtest(hits, needed).proportion_ci(method="exact").low >= wanted
    fewer = needed - 1
    assert binomtest(int(precision * fewer), fewer).proportion_ci(method="exact").low < wanted


def test_no_number_of_verdicts_establishes_what_is_not_so() -> None:
    assert verdicts_needed(0.9, 0.9) == verdicts_needed(0.4, 0.9) == math.inf
    # the rule of -ln 0.025
    assert verdicts_needed(1.0, 0.9) == math.ceil(math.log(0.025) / math.log(0.9))
