"""Probabilities of detections, and the threshold of one class."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import expit

from training.calibration.choose import BOUND, LEAST, NO_ORDER, NO_SCORE, TOO_FEW, choose
from training.calibration.judged_rates import Judged, ScoreCounts
from training.calibration.probability import ISOTONIC, ISOTONIC_FROM, PLATT, Probability, fit
from training.calibration.settings import CalibrateSettings


def drawn(count: int, seed: int = 0, centre: float = 0.0) -> Judged:
    rng = np.random.default_rng(seed)
    logit = rng.normal(0, 3, count)
    return Judged(logit, rng.random(count) < expit(logit - centre), np.arange(count))


def test_platts_sigmoid_is_the_likeliest_for_his_targets() -> None:
    one = drawn(80)
    hits = one.present.sum()
    target = np.where(one.present, (hits + 1) / (hits + 2), 1 / (80 - hits + 2))

    def loss(line: np.ndarray) -> float:
        p = expit(line[0] * one.logit + line[1])
        return -float(np.sum(target * np.log(p) + (1 - target) * np.log(1 - p)))

    found = fit(one.logit, one.present)
    assert found.method == PLATT
    best = minimize(loss, np.array([1.0, 0.0])).x
    assert (found.slope, found.intercept) == pytest.approx(best, rel=2e-3, abs=2e-3)


@pytest.mark.parametrize(("count", "method"), [(ISOTONIC_FROM - 1, PLATT), (4000, ISOTONIC)])
def test_probabilities_are_calibrated_and_survive_json(count: int, method: str) -> None:
    one = drawn(count, centre=1.0)
    found = fit(one.logit, one.present)
    assert found.method == method
    assert found.rises
    grid = np.linspace(-5, 5, 41)
    assert np.abs(found(grid) - expit(grid - 1.0)).max() < 0.13
    assert (np.diff(found(grid)) >= 0).all()
    again = Probability.from_dict(found.to_dict())
    assert (again(grid) == found(grid)).all()


def test_perfect_separation_is_no_certainty() -> None:
    logit = np.array([*np.linspace(-3, -1, 6), *np.linspace(1, 3, 6)])
    found = fit(logit, logit > 0)
    assert 0.9 < found(np.array([3.0]))[0] < 0.999


@pytest.mark.parametrize("wanted", [0.5, 0.8, 0.9])
def test_the_threshold_has_the_precision_on_new_data(wanted: float) -> None:
    got = []
    for seed in range(20):
        choice = choose(drawn(300, seed), CalibrateSettings(precision=wanted), 0.0)
        new = drawn(5_000, 1000 + seed)
        got.append(new.present[new.logit >= choice.logit].mean())
        assert (
            choice.found.present + choice.found.absent
            == (drawn(300, seed).logit >= choice.logit).sum()
        )
    assert np.mean(got) == pytest.approx(wanted, abs=0.03)


def test_a_sure_threshold_hardly_ever_misses_the_precision() -> None:
    got = []
    for seed in range(20):
        choice = choose(drawn(300, seed), CalibrateSettings(precision=0.8, sure=True), 0.0)
        new = drawn(5_000, 1000 + seed)
        got.append(new.present[new.logit >= choice.logit].mean())
        assert choice.found.low >= 0.8
        assert choice.more == 0
    assert np.mean(np.array(got) >= 0.8) >= 0.9


def test_what_cannot_be_chosen_says_why_and_what_it_takes() -> None:
    wanted = CalibrateSettings(precision=0.9)
    few = choose(Judged(np.arange(8.0), np.arange(8) >= 6, np.arange(8)), wanted, 0.0)
    assert (few.status, few.probability) == (TOO_FEW, None)
    assert math.isnan(few.logit)
    assert few.more == 36 - 8 >= LEAST - 2
    rng = np.random.default_rng(0)
    logit = rng.normal(0, 1, 200)
    reverse = Judged(logit, rng.random(200) < expit(-2 * logit), np.arange(200))
    assert choose(reverse, wanted, 0.0).status == NO_ORDER
    rare = Judged(logit, rng.random(200) < expit(logit - 3), np.arange(200))
    none = choose(rare, wanted, 0.0)
    assert none.status == NO_SCORE
    assert none.more == math.inf


def test_more_verdicts_are_those_that_would_establish_it() -> None:
    one = drawn(40)
    choice = choose(one, CalibrateSettings(precision=0.8), 0.0)
    assert 0 < choice.more < 60
    assert choose(drawn(2000), CalibrateSettings(precision=0.8), 0.0).more == 0


def test_false_positives_an_hour_are_those_of_the_site() -> None:
    rng = np.random.default_rng(3)
    logit = np.round(rng.normal(-2, 2, 60_000), 2)
    present = rng.random(60_000) < expit(logit - 3)
    edges, counts = np.unique(logit, return_counts=True)
    windows = ScoreCounts(edges, counts, 50.0)
    heard = rng.choice(np.flatnonzero(logit > -1), 400, replace=False)
    judged = Judged(logit[heard], present[heard], heard)
    choice = choose(judged, CalibrateSettings(fp_per_hour=10.0), 0.0, windows)
    wrong = (~present & (logit >= choice.logit)).sum() / 50
    assert wrong == pytest.approx(10, rel=0.2)
    assert choice.fp_low <= wrong <= choice.fp_high
    assert choice.per_hour == (logit >= choice.logit).sum() / 50


def test_a_site_without_verdicts_gives_a_bound() -> None:
    edges, counts = np.arange(6.0), np.array([100, 50, 20, 5, 2, 0])
    unheard = Judged(np.empty(0), np.empty(0, bool), np.empty(0, int))
    windows = ScoreCounts(edges, counts, 2.0)
    choice = choose(unheard, CalibrateSettings(fp_per_hour=4.0), 0.0, windows)
    assert (choice.logit, choice.status) == (3.0, BOUND)
    assert (choice.per_hour, choice.fp_low) == (3.5, 0.0)
    assert choice.fp_high == pytest.approx(14.42 / 2, abs=0.01)  # Garwood's, of 7 events
    sure = choose(unheard, CalibrateSettings(fp_per_hour=4.0, sure=True), 0.0, windows)
    assert sure.logit == 4.0
