"""How likely it is that a certified negative holds the class after all.

By Bayes: the odds before looking at the sound are those of its certificate, ``(1 - confidence) /
confidence``; the likelihood ratio is what the model's view of the sound adds. The ratio comes from
a logistic regression between the two kinds of clips that a person judged: confirmed calls and
rejected detections. What it sees of a clip:

- its score, in quartile distances from the median of the class's confirmed calls, and
- its similarity to the nearest confirmed call of the class, itself left out, and calls that share
  half a clip with it: two people's boxes round one call are one sound.

All classes share one regression: each has few calls, and the features are relative to the class.
Its worth is measured on recordings it was not fitted on, and reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

# Fewer clips of either kind than this decide nothing: the certificate alone decides.
MIN_CLIPS = 20
_FOLDS = 5
# Log odds at which a probability is 0 or 1, near enough.
_FURTHER = 40.0
# No certificate is surer than one in ten thousand, once a model has a say.
_SUREST = 1e-4


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


def clip_features(logits: np.ndarray, calls: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """Return the features of the regression: float64, shape (N, 2).

    Parameters
    ----------
    logits : float array, shape (N,)
        Of the clips. Scaled to quartile distances from the median of the calls; at least 0.5 logits
        count as one distance, and without a call all are 0.
    calls : float array, shape (P,)
        Logits of the class's confirmed calls.
    similarity : float array, shape (N,)
        To the nearest confirmed call.
    """
    relative = np.zeros(len(logits))
    if len(calls):
        low, median, high = np.quantile(np.asarray(calls, dtype=np.float64), [0.25, 0.5, 0.75])
        relative = (logits - median) / max(high - low, 0.5)
    return np.stack([relative, np.asarray(similarity, dtype=np.float64)], axis=1)


class DoubtModel:
    """Likelihood ratios, fitted on confirmed calls and rejected detections.

    Parameters
    ----------
    calls, rejected : Evidence
        Of confirmed calls, and of clips in which a person rejected the class.

    Attributes
    ----------
    auc : float
        Probability that a confirmed call is doubted more than a rejected detection, on recordings
        the regression was not fitted on; NaN where it was not fitted.
    shift : float
        Added to all log odds, see `settle`.
    """

    def __init__(self, calls: Evidence, rejected: Evidence) -> None:
        self.auc = float("nan")
        self.shift = 0.0
        self._fitted: Any = None
        if min(len(calls.features), len(rejected.features)) < MIN_CLIPS:
            return
        features = np.concatenate([calls.features, rejected.features])
        hidden = np.repeat([True, False], [len(calls.features), len(rejected.features)])
        self.auc = _out_of_fold_auc(features, hidden, [*calls.groups, *rejected.groups])
        self._fitted = _fit(features, hidden)

    @property
    def fitted(self) -> bool:
        """Whether there were clips enough; else the certificate alone decides."""
        return self._fitted is not None

    def _log_ratio(self, features: np.ndarray) -> np.ndarray:
        if not len(features):
            return np.zeros(0)
        return np.asarray(self._fitted.decision_function(features))

    def settle(self, features: np.ndarray, confidence: np.ndarray) -> None:
        """Let doubt add up, over rows drawn at random, to what their certificates say.

        Calls and rejections that the model has learnt are further apart than clips it never saw:
        the likelihood ratio of a missed call is then far too low. How many there are is known; the
        odds are shifted until that many are found (as posteriors are fitted to new priors, Saerens
        et al., *Neural Computation* 14, 2002).

        Parameters
        ----------
        features : float64 array, shape (N, F)
        confidence : float array, shape (N,)
            Of their certificates.
        """
        if self._fitted is None or not len(features):
            return
        prior = _log_odds(confidence)
        odds = prior + self._log_ratio(features)
        wanted = float(np.mean(expit(prior)))

        def lacking(shift: float) -> float:
            return float(np.mean(expit(odds + shift))) - wanted

        self.shift = float(brentq(lacking, -odds.max() - _FURTHER, -odds.min() + _FURTHER))

    def probability(self, features: np.ndarray, confidence: np.ndarray) -> np.ndarray:
        """Estimate the probability that the class is present.

        Parameters
        ----------
        features : float64 array, shape (N, F)
        confidence : float array, shape (N,)
            Of each row's certificate.

        Returns
        -------
        float64 array, shape (N,)
        """
        log_odds = _log_odds(confidence)
        if self._fitted is not None:
            log_odds = log_odds + self._log_ratio(features) + self.shift
        return np.asarray(expit(log_odds))


def _log_odds(confidence: np.ndarray) -> np.ndarray:
    """Return the prior log odds that a class is present, by its certificate alone."""
    prior = np.clip(1.0 - np.asarray(confidence, dtype=np.float64), _SUREST, 1 - _SUREST)
    return np.asarray(np.log(prior) - np.log1p(-prior))


def _fit(features: np.ndarray, hidden: np.ndarray) -> Any:
    """Fit a regression in which both kinds weigh the same in total: scikit-learn's, 2 ms a call."""
    # imported late: takes a second
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # the prior is the certificate's, not how many clips a person looked at
    regression = LogisticRegression(class_weight="balanced", solver="newton-cholesky", tol=1e-9)
    return make_pipeline(StandardScaler(), regression).fit(features, hidden)


def _out_of_fold_auc(features: np.ndarray, hidden: np.ndarray, groups: Sequence[str]) -> float:
    """Compute the AUC on groups not fitted on; NaN where too few hold both kinds."""
    from sklearn.metrics import roc_auc_score
    from sklearn.model_selection import StratifiedGroupKFold

    group = np.array(groups)
    folds = min(_FOLDS, *(len(np.unique(group[hidden == kind])) for kind in (True, False)))
    if folds < 2:
        return float("nan")
    found = np.full(len(hidden), np.nan)
    for fitted_on, asked in StratifiedGroupKFold(folds).split(features, hidden, group):
        if len(set(hidden[fitted_on])) == 2:
            fitted = _fit(features[fitted_on], hidden[fitted_on])
            found[asked] = fitted.decision_function(features[asked])
    seen = ~np.isnan(found)
    return float(roc_auc_score(hidden[seen], found[seen]))
