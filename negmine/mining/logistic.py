"""Logistic regression of a few features: fitted in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit


@dataclass(frozen=True)
class Logistic:
    """A fitted regression.

    Attributes
    ----------
    weights : float64 array, shape (F,)
    bias : float
    """

    weights: np.ndarray
    bias: float

    def log_odds(self, features: np.ndarray) -> np.ndarray:
        """Return log odds of being positive: float64, shape (N,), for features of shape (N, F)."""
        return np.asarray(features @ self.weights + self.bias)


def fit_logistic(features: np.ndarray, positive: np.ndarray) -> Logistic:
    """Fit with both kinds of rows weighing the same in total.

    Features are standardised, and their squared weights then cost half of one row each, so that
    kinds which can be separated without error get finite weights. That is what scikit-learn does
    with ``StandardScaler`` and ``LogisticRegression(class_weight="balanced")``, in a hundredth of
    the time for this few features.

    Parameters
    ----------
    features : float64 array, shape (N, F)
    positive : bool array, shape (N,)
        Some of either kind.
    """
    mean, scale = features.mean(axis=0), features.std(axis=0)
    scale[scale == 0] = 1.0
    rows = np.column_stack([(features - mean) / scale, np.ones(len(features))])
    share = positive.mean()
    row_weights = np.where(positive, 0.5 / share, 0.5 / (1 - share))
    sign = np.where(positive, 1.0, -1.0)
    # the bias, last, costs nothing
    penalty = np.append(np.ones(features.shape[1]), 0.0)

    def loss(at: np.ndarray) -> tuple[float, np.ndarray]:
        """Return value and gradient."""
        log_odds = rows @ at
        value = row_weights @ np.logaddexp(0.0, -sign * log_odds) + 0.5 * penalty @ at**2
        slope = row_weights * (expit(log_odds) - positive)
        return float(value), rows.T @ slope + penalty * at

    def curvature(at: np.ndarray) -> np.ndarray:
        probability = expit(rows @ at)
        weighted = rows.T * (row_weights * probability * (1 - probability))
        return np.asarray(weighted @ rows + np.diag(penalty))

    start = np.zeros(rows.shape[1])
    at = minimize(
        loss, start, jac=True, hess=curvature, method="trust-exact", options={"gtol": 1e-10}
    ).x
    weights = at[:-1] / scale
    return Logistic(weights, float(at[-1] - mean @ weights))
