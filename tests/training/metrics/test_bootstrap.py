"""The bootstrap over recordings, against what is known of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from training.metrics import interval, resamples


def test_resamples_draw_as_many_as_there_are() -> None:
    weights = resamples(7, 500, seed=3)
    assert weights.shape == (500, 7)
    assert (weights.sum(axis=1) == 7).all()
    # each is drawn once on average, and is missing from (6/7)^7 of all
    assert weights.mean(axis=0) == pytest.approx(np.ones(7), abs=0.15)
    assert (weights == 0).mean() == pytest.approx((6 / 7) ** 7, abs=0.03)
    assert (resamples(7, 500, seed=3) == weights).all()
    assert (resamples(7, 500, seed=4) != weights).any()


def test_the_interval_of_a_mean_is_the_textbooks() -> None:
    values = np.random.default_rng(0).normal(size=400)
    means = resamples(400, 4000) @ values / 400
    half = 1.96 * values.std() / math.sqrt(400)
    assert interval(means) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.01)


def test_the_interval_leaves_out_what_is_not_defined() -> None:
    assert interval([math.nan, 1.0, 1.0]) == (1.0, 1.0)
    assert np.isnan(interval([math.nan, math.nan, 1.0])).all()
    assert np.isnan(interval([])).all()
