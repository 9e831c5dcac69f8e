"""The precision of one class's detections at a threshold, with its interval. Numbers alone.

Two cases. Without a site, precision is that of the judged spans themselves. With one, it is that of
the site's windows: the spans judged there stand for the windows that score alike (post-stratified
by score, Cochran 1977, section 5A.9), so that windows may have been chosen for hearing by their
score.

Intervals are exact binomial ones (Clopper and Pearson 1934) at the effective sample size (Korn and
Graubard 1998). Verdicts in one recording are alike: n of them count as n / (1 + (m - 1) rho), of m
in a recording, by the size of recordings weighted, and an intraclass correlation rho (Kish 1965).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.special import betaincinv

from negmine.intervals import clopper_pearson, plain_rate, survey_rate

# Verdicts of a stratum, at the least, and strata at the most.
_STRATUM, _STRATA = 5, 8

_TAIL = 0.025
_MOST_NEEDED = 100_000


@dataclass(frozen=True)
class Judged:
    """What people said of one class, and what the model says there: arrays of shape (V,).

    Attributes
    ----------
    logit : float64 array
        By models that held the recording out.
    present : bool array
    recording : int array
        Which recording each is in.
    """

    logit: np.ndarray
    present: np.ndarray
    recording: np.ndarray

    def only(self, which: np.ndarray) -> Judged:
        """Return some of them."""
        return Judged(self.logit[which], self.present[which], self.recording[which])


@dataclass(frozen=True)
class ScoreCounts:
    """The windows of a site, of one class: how many there are at each logit, ascending.

    Attributes
    ----------
    logit : float64 array, shape (B,)
    count : int array, shape (B,)
    hours : float
    """

    logit: np.ndarray
    count: np.ndarray
    hours: float

    def above(self, logit: float) -> int:
        """Count the windows that reach a logit."""
        return int(self.count[np.searchsorted(self.logit, logit) :].sum())


@dataclass(frozen=True)
class Found:
    """The precision at a threshold.

    Attributes
    ----------
    precision : float
        NaN where no span that reaches it was judged.
    low, high : float
        95 %.
    present, absent : int
        Judged spans that reach it.
    effective : float
        Plain sample that would tell as much.
    """

    precision: float
    low: float
    high: float
    present: int
    absent: int
    effective: float


def precision_at(
    judged: Judged, logit: float, rho: float = 0.0, windows: ScoreCounts | None = None
) -> Found:
    """Estimate the precision of what reaches a logit."""
    above = judged.only(judged.logit >= logit)
    present, count = int(above.present.sum()), len(above.present)
    rate = plain_rate(present, count)
    if windows is not None and count:
        stratum = _strata(above.logit)
        rate = survey_rate(above.present, _weights(above.logit, stratum, windows, logit), stratum)
    effective = rate.effective / design_effect(above.recording, rho)
    low, high = clopper_pearson(rate.estimate * effective, effective) if count else (0.0, 1.0)
    return Found(rate.estimate, low, high, present, count - present, effective if count else 0.0)


def _strata(logit: np.ndarray) -> np.ndarray:
    """Part spans by their score into groups of alike size: int array, the highest first."""
    groups = max(1, min(_STRATA, len(logit) // _STRATUM))
    order = np.empty(len(logit), dtype=np.int64)
    order[np.argsort(-logit, kind="stable")] = np.arange(len(logit))
    return order * groups // len(logit)


def _weights(
    logit: np.ndarray, stratum: np.ndarray, windows: ScoreCounts, least: float
) -> np.ndarray:
    """Return how many of the site's windows each span stands for: at least a trace of one."""
    weight = np.empty(len(logit))
    upper = math.inf
    for group in range(int(stratum.max()) + 1):
        mine = stratum == group
        last = not (stratum > group).any()
        lower = least if last else (logit[mine].min() + logit[stratum == group + 1].max()) / 2
        inside = windows.above(lower) - (0 if math.isinf(upper) else windows.above(upper))
        weight[mine] = max(inside, 1e-3) / mine.sum()
        upper = lower
    return weight


def design_effect(recording: np.ndarray, rho: float) -> float:
    """Return how many verdicts tell as much as one that stands alone (Kish 1965)."""
    if not len(recording):
        return 1.0
    _, sizes = np.unique(recording, return_counts=True)
    return 1.0 + (float((sizes**2).sum() / sizes.sum()) - 1.0) * rho


def intraclass_correlation(classes: list[Judged]) -> float:
    """Estimate how alike verdicts on a class in one recording are, over all classes: in [0, 1].

    The analysis-of-variance estimator (Donner 1986, "A review of inference procedures for the
    intraclass correlation coefficient"), of verdicts less their class's mean. 0 where no recording
    has two verdicts on a class.
    """
    within = between = total = squares = 0.0
    groups = classes_used = 0
    for one in classes:
        if not len(one.present):
            continue
        residual = one.present - one.present.mean()
        _, place, sizes = np.unique(one.recording, return_inverse=True, return_counts=True)
        means = np.bincount(place, residual) / sizes
        between += float((sizes * means**2).sum())
        within += float(((residual - means[place]) ** 2).sum())
        total, squares = total + len(residual), squares + float((sizes**2 / len(residual)).sum())
        groups, classes_used = groups + len(sizes), classes_used + 1
    if total <= groups or groups <= classes_used:
        return 0.0
    size = (total - squares) / (groups - classes_used)
    of_groups, of_rest = between / (groups - classes_used), within / (total - groups)
    spread = of_groups + (size - 1) * of_rest
    return float(np.clip((of_groups - of_rest) / spread, 0.0, 1.0)) if spread > 0 else 0.0


def verdicts_needed(precision: float, wanted: float) -> float:
    """Return how many verdicts establish a precision, if so large a share of them is confirmed.

    The smallest n whose interval of n * precision hits begins at ``wanted`` or above; infinity
    where ``precision`` is not above it, or it takes more than a lifetime.
    """

    def low(n: float) -> float:
        hits = precision * n
        return float(betaincinv(hits, n - hits + 1, _TAIL))

    if precision <= wanted or low(_MOST_NEEDED) < wanted:
        return math.inf
    few, many = 0, _MOST_NEEDED
    while many - few > 1:
        middle = (few + many) // 2
        few, many = (few, middle) if low(middle) >= wanted else (middle, many)
    return many
