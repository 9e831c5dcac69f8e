"""Logistic regression of a few features: small, exact, and fitted in milliseconds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STEPS = 50
_HALVINGS = 30
_ENOUGH = 1e-14


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
        """Log odds of being positive: float64, shape (N,), for features of shape (N, F)."""
        return np.asarray(features @ self.weights + self.bias)


def fit_logistic(features: np.ndarray, positive: np.ndarray) -> Logistic:
    """Fit by Newton's method, both kinds of rows weighing the same in total.

    Features are standardised, and their squared weights then cost half of one row each, so that
    kinds which can be told apart without error get finite weights. That is what scikit-learn does
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

    def loss(at: np.ndarray) -> float:
        errors = np.logaddexp(0.0, -sign * (rows @ at))
        return float(row_weights @ errors + 0.5 * penalty @ at**2)

    at = np.zeros(rows.shape[1])
    now = loss(at)
    for _ in range(_STEPS):
        probability = 1.0 / (1.0 + np.exp(-np.clip(rows @ at, -500, 500)))
        gradient = rows.T @ (row_weights * (probability - positive)) + penalty * at
        curvature = row_weights * probability * (1 - probability)
        hessian = (rows.T * curvature) @ rows + np.diag(penalty)
        step = np.linalg.lstsq(hessian, gradient, rcond=None)[0]
        # what a step gains falls with its square: the next would be lost in rounding
        if gradient @ step < _ENOUGH * now:
            break
        # the loss is convex: a step that is short enough always lowers it
        for _ in range(_HALVINGS):
            if (then := loss(at - step)) < now:
                break
            step /= 2
        else:
            break
        at, now = at - step, then
    weights = at[:-1] / scale
    return Logistic(weights, float(at[-1] - mean @ weights))
