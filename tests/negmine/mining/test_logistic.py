"""Logistic regression of few features, held against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from negmine.mining.logistic import fit_logistic


@pytest.mark.parametrize("gap", [0.0, 1.0, 30.0])
@pytest.mark.parametrize(("calls", "others"), [(25, 25), (40, 900), (700, 30)])
def test_it_is_sklearns_regression(calls: int, others: int, gap: float) -> None:
    # 30: no row on the wrong side, so that only the penalty keeps weights finite
    rng = np.random.default_rng(0)
    positive = np.repeat([True, False], [calls, others])
    features = rng.normal(size=(len(positive), 3)) * [1.0, 20.0, 0.01] + [0.0, 500.0, -3.0]
    features[positive, 0] += gap
    features[:, 1] += 5 * features[:, 0]
    expected = make_pipeline(
        StandardScaler(), LogisticRegression(class_weight="balanced", tol=1e-10, max_iter=10_000)
    ).fit(features, positive)
    found = fit_logistic(features, positive).log_odds(features)
    np.testing.assert_allclose(found, expected.decision_function(features), rtol=1e-4, atol=1e-4)


def test_features_that_say_nothing_leave_the_odds_even() -> None:
    positive = np.repeat([True, False], [10, 500])
    found = fit_logistic(np.full((510, 2), 7.0), positive)
    np.testing.assert_allclose(found.log_odds(np.array([[7.0, 7.0], [9.0, 0.0]])), 0.0, atol=1e-9)


def test_rows_far_outside_do_not_break_it() -> None:
    positive = np.repeat([True, False], [50, 50])
    features = np.linspace(1, -1, 100)[:, None] ** 3
    features[0] = 1e6
    found = fit_logistic(features, positive)
    assert np.isfinite(found.log_odds(features)).all()
    assert found.weights[0] > 0
