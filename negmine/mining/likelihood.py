"""What a model's view of a clip says for or against a call: a likelihood ratio, within bounds.

The ratio comes from a logistic regression between the two kinds of clips that a person judged:
confirmed calls and rejected detections. Beyond what so many clips can show it is extrapolation: it
is bounded as Vergeer et al. (*Science & Justice* 56, 2016) bound those of forensic evidence. With
one more misleading clip of the other kind than was seen, a ratio must still be worth believing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit

from negmine.mining.reliability import reliability_of

# Fewer clips of either kind than this decide nothing.
MIN_CLIPS = 20
# On clips that a model has learnt it tells calls from rejections better than it ever will again, so
# that they show no bound. A ratio of ten is where evidence begins to be called strong (Jeffreys,
# *Theory of Probability*, 1961).
MOST_HEARD = 10.0
_FOLDS = 5
# Rejections that are calls, at most: beyond it they are no counterpart. And how much of a ratio
# they may explain.
_MOST_MISSED, _ALL = 0.5, 0.95


@dataclass(frozen=True)
class Evidence:
    """What a regression on doubt sees of some clips.

    Attributes
    ----------
    features : float64 array, shape (N, F)
    groups : sequence of str
        The recording of each.
    """

    features: np.ndarray
    groups: Sequence[str]

    def only(self, rows: np.ndarray) -> Evidence:
        """Return that of some of the clips."""
        return Evidence(self.features[rows], [self.groups[row] for row in rows.tolist()])


class LikelihoodRatio:
    """The odds of a call after looking at a clip, over those before.

    Parameters
    ----------
    calls, rejected : Evidence
        `MIN_CLIPS` of either, or more.
    most : float
        No ratio is above it, whatever the clips show.
    missed : float
        Share of the rejected clips that hold a call after all.

    Attributes
    ----------
    auc : float
        Probability that a confirmed call has a higher ratio than a rejected detection, on
        recordings the regression was not fitted on; NaN where there are too few recordings.
    low, high : float
        The bounds of the ratio's logarithm.
    reliability : Reliability
        Of such recordings, calls and rejections weighing the same in total.
    """

    def __init__(
        self, calls: Evidence, rejected: Evidence, most: float = math.inf, missed: float = 0.0
    ) -> None:
        features = np.concatenate([calls.features, rejected.features])
        hidden = np.repeat([True, False], [len(calls.features), len(rejected.features)])
        unseen = _out_of_fold(features, hidden, [*calls.groups, *rejected.groups])
        self._fitted = _fit(features, hidden)
        self.auc = math.nan
        if unseen is None:
            unseen = np.asarray(self._fitted.decision_function(features))
        else:
            self.auc = _auc(unseen, hidden)
        self._missed = min(missed, _MOST_MISSED)
        self._shown = bounds(unseen, hidden)
        self.low, high = self._free_of_missed(np.array(self._shown)).tolist()
        self.high = min(high, math.log(most))
        weight = np.where(hidden, 1 / np.sum(hidden), 1 / np.sum(~hidden))
        bounded = np.clip(unseen, *self._shown)
        self.reliability = reliability_of(expit(bounded), hidden, weight)

    def log(self, features: np.ndarray) -> np.ndarray:
        """Return the logarithm of the ratio, within its bounds: float64, shape (N,)."""
        if not len(features):
            return np.zeros(0)
        found = np.clip(self._fitted.decision_function(features), *self._shown)
        return np.asarray(np.minimum(self._free_of_missed(found), self.high))

    def _free_of_missed(self, log_ratio: np.ndarray) -> np.ndarray:
        """Turn ratios of calls to rejections into ratios of calls to clips without any.

        Rejections are a mixture: a share m of them are calls. With R their ratio to calls, that of
        the rest is (1 - m) R / (1 - m R).
        """
        share = self._missed * np.exp(log_ratio)
        return np.asarray(log_ratio + np.log1p(-self._missed) - np.log1p(-np.minimum(share, _ALL)))


def bounds(log_ratio: np.ndarray, hidden: np.ndarray) -> tuple[float, float]:
    """Return the lowest and the highest logarithm of a ratio that some clips can show.

    A ratio of t or more is worth believing where the prior odds are 1 / t if it misleads less often
    than it is right: if the share of calls above it is at least t times that of rejections, one
    more of these counted than were seen. The highest such t is the bound; the lowest likewise.

    Parameters
    ----------
    log_ratio : float64 array, shape (N,)
        Of clips that it was not fitted on.
    hidden : bool array, shape (N,)
        Which of them are calls.
    """

    def highest(right: np.ndarray, wrong: np.ndarray) -> float:
        at = np.sort(right)
        share = 1 - np.arange(len(at)) / len(at)
        above = len(wrong) - np.searchsorted(np.sort(wrong), at)
        shown = np.log(share * (len(wrong) + 1) / (above + 1))
        return max(0.0, float(np.max(np.minimum(at, shown))))

    calls, rejected = log_ratio[hidden], log_ratio[~hidden]
    return -highest(-rejected, -calls), highest(calls, rejected)


def _fit(features: np.ndarray, hidden: np.ndarray) -> Any:
    """Fit a regression in which both kinds weigh the same in total: scikit-learn's, 2 ms a call."""
    # imported late: takes a second
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # the prior is the certificate's, not how many clips a person looked at
    regression = LogisticRegression(class_weight="balanced", solver="newton-cholesky", tol=1e-9)
    return make_pipeline(StandardScaler(), regression).fit(features, hidden)


def _out_of_fold(
    features: np.ndarray, hidden: np.ndarray, groups: Sequence[str]
) -> np.ndarray | None:
    """Compute logarithms of ratios on groups not fitted on; None where too few hold both kinds."""
    from sklearn.model_selection import StratifiedGroupKFold

    group = np.array(groups)
    folds = min(_FOLDS, *(len(np.unique(group[hidden == kind])) for kind in (True, False)))
    if folds < 2:
        return None
    found = np.full(len(hidden), np.nan)
    for fitted_on, asked in StratifiedGroupKFold(folds).split(features, hidden, group):
        if len(set(hidden[fitted_on])) < 2:
            return None
        fitted = _fit(features[fitted_on], hidden[fitted_on])
        found[asked] = fitted.decision_function(features[asked])
    return found


def _auc(log_ratio: np.ndarray, hidden: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(hidden, log_ratio))
