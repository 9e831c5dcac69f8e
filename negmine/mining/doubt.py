"""How likely it is that a certified negative holds the class after all.

By Bayes: the odds before looking at the sound are those of its certificate, ``(1 - confidence) /
confidence``; the likelihood ratio is what the models' view of the sound adds. The ratio comes from
a logistic regression between the two kinds of clips that a person judged: confirmed calls and
rejected detections. What it sees of a clip:

- its score, in quartile distances from the median of the class's confirmed calls,
- its similarity to the nearest confirmed call of the class, itself left out, and calls that share
  half a clip with it: two people's boxes round one call are one sound, and
- where several models scored, the lowest of their scores, likewise: a call fools none of them.

All classes share one regression: each has few calls, and the features are relative to the class.
Its worth is measured on recordings it was not fitted on, and reported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from negmine.mining.logistic import fit_logistic

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


def relative_scores(scores: np.ndarray, calls: np.ndarray) -> np.ndarray:
    """Scale scores to quartile distances from the median of a class's confirmed calls.

    Parameters
    ----------
    scores : float array, shape (N,)
    calls : float array, shape (P,)

    Returns
    -------
    float64 array, shape (N,)
        0 where there is no call; at least 0.5 logits count as one distance.
    """
    if not len(calls):
        return np.zeros(len(scores))
    low, median, high = np.quantile(np.asarray(calls, dtype=np.float64), [0.25, 0.5, 0.75])
    return np.asarray((scores - median) / max(high - low, 0.5))


def clip_features(logits: np.ndarray, calls: np.ndarray, similarity: np.ndarray) -> np.ndarray:
    """Return the features of the regression.

    Parameters
    ----------
    logits : float array, shape (M, N)
        Of the clips, by model.
    calls : float array, shape (M, P)
        Of the class's confirmed calls, by model.
    similarity : float array, shape (N,)
        To the nearest confirmed call.

    Returns
    -------
    float64 array, shape (N, 2), or (N, 3) with several models
    """
    relative = np.stack(
        [relative_scores(one, of_calls) for one, of_calls in zip(logits, calls, strict=True)]
    )
    columns = [relative.mean(axis=0), np.asarray(similarity, dtype=np.float64)]
    if len(relative) > 1:
        columns.append(relative.min(axis=0))
    return np.stack(columns, axis=1)


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
        self._fitted = None
        if min(len(calls.features), len(rejected.features)) < MIN_CLIPS:
            return
        features = np.concatenate([calls.features, rejected.features])
        hidden = np.repeat([True, False], [len(calls.features), len(rejected.features)])
        self.auc = _out_of_fold_auc(features, hidden, [*calls.groups, *rejected.groups])
        # balanced: the prior is the certificate's, not how many clips a person looked at
        self._fitted = fit_logistic(features, hidden)

    @property
    def fitted(self) -> bool:
        """Whether there were clips enough; else the certificate alone decides."""
        return self._fitted is not None

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
        odds = prior + self._fitted.log_odds(features)
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
            log_odds = log_odds + self._fitted.log_odds(features) + self.shift
        return np.asarray(expit(log_odds))


def _log_odds(confidence: np.ndarray) -> np.ndarray:
    """Return the prior log odds that a class is present, by its certificate alone."""
    prior = np.clip(1.0 - np.asarray(confidence, dtype=np.float64), _SUREST, 1 - _SUREST)
    return np.asarray(np.log(prior) - np.log1p(-prior))


def _out_of_fold_auc(features: np.ndarray, hidden: np.ndarray, groups: Sequence[str]) -> float:
    """Compute the AUC on groups not fitted on; NaN where too few hold both kinds."""
    numbers = {group: number for number, group in enumerate(dict.fromkeys(groups))}
    group = np.array([numbers[one] for one in groups])
    with_kind = [np.bincount(group[hidden == kind], minlength=len(numbers)) for kind in (0, 1)]
    folds = min(_FOLDS, *(int(np.count_nonzero(counts)) for counts in with_kind))
    if folds < 2:
        return float("nan")
    # groups with most calls first, dealt out in turn: every fold has its share of either kind
    fold = np.empty(len(numbers), dtype=np.int64)
    fold[np.lexsort((-with_kind[0], -with_kind[1]))] = np.arange(len(numbers)) % folds
    found = np.full(len(hidden), np.nan)
    for number in range(folds):
        asked = fold[group] == number
        if len(set(hidden[~asked])) == 2:
            found[asked] = fit_logistic(features[~asked], hidden[~asked]).log_odds(features[asked])
    seen = ~np.isnan(found)
    return _auc(found[seen & hidden], found[seen & ~hidden])


def _auc(calls: np.ndarray, rejected: np.ndarray) -> float:
    """Count how often a call has the higher log odds, ties as half; NaN where there are none."""
    if not (len(calls) and len(rejected)):
        return float("nan")
    ranked = np.sort(rejected)
    below = [np.searchsorted(ranked, calls, side=side).mean() for side in ("left", "right")]
    return float(np.mean(below)) / len(ranked)
