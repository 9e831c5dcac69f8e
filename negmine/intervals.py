"""Rates and how sure they are: of a plain sample, of a stratified one, of one heard imperfectly.

Numbers alone, at a level of 95 %. Intervals of counts are exact (Clopper and Pearson 1934). Those
of weighted samples are Korn and Graubard's (1998): the exact interval at the effective sample size.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import betainc, betaincinv

# What an interval leaves out at either end.
_TAIL = 0.025


def clopper_pearson(hits: float, trials: float) -> tuple[float, float]:
    """Compute the exact interval of a binomial proportion: its coverage is at least nominal.

    Fractions, which `scipy.stats` refuses, serve effective sample sizes. Without trials nothing is
    known.
    """
    if trials <= 0:
        return 0.0, 1.0
    low = float(betaincinv(hits, trials - hits + 1, _TAIL)) if hits > 0 else 0.0
    high = float(betaincinv(hits + 1, trials - hits, 1 - _TAIL)) if hits < trials else 1.0
    return low, high


@dataclass(frozen=True)
class Rate:
    """A rate found in a sample.

    Attributes
    ----------
    estimate : float
        NaN where nothing was sampled.
    effective : float
        Size of the plain sample that would tell as much.
    """

    estimate: float
    trials: int
    hits: int
    effective: float

    def interval(self) -> tuple[float, float]:
        """Compute the exact interval at the effective sample size."""
        if not self.trials:
            return 0.0, 1.0
        return clopper_pearson(self.estimate * self.effective, self.effective)

    def with_prior(self, expected: float, trials: float) -> float:
        """Estimate the rate with a prior that counts as some trials.

        The posterior mean from Beta(expected * trials, (1 - expected) * trials): few trials move it
        little, many leave nothing of the prior.
        """
        seen = self.estimate * self.effective if self.trials else 0.0
        return (seen + expected * trials) / (self.effective + trials)


def plain_rate(hits: int, trials: int) -> Rate:
    """Estimate the rate of a plain sample."""
    return Rate(hits / trials if trials else math.nan, trials, hits, trials)


def survey_rate(
    hit: np.ndarray, weight: np.ndarray, stratum: np.ndarray, domain: np.ndarray | None = None
) -> Rate:
    """Estimate the rate of a population, or a part of it, from a stratified sample.

    The estimate is the weighted mean. Its variance is that of a ratio, linearised, stratum by
    stratum (Cochran 1977, chapter 6). The effective size is the sample's over the design effect
    (Korn and Graubard 1998). That variance is 0 where nothing is found, and far too small where
    all is found in strata of little weight; so the effective size is never more than Kish's (1965),
    (sum of weights)^2 over sum of their squares. No correction is made for a finite population:
    the rate is meant to hold for rows that the same sources would make, too.

    Parameters
    ----------
    hit : bool array, shape (n,)
    weight : float array, shape (n,)
        How many of the population each represents.
    stratum : int array, shape (n,)
    domain : bool array, shape (n,), optional
        The part that is asked about; it may cut through strata.
    """
    inside = np.ones(len(hit), dtype=bool) if domain is None else domain
    trials = int(inside.sum())
    if not trials:
        return plain_rate(0, 0)
    w = np.where(inside, weight, 0.0)
    share = float(np.sum(w * hit) / np.sum(w))
    # rounding must not make a rate that no interval holds
    share = min(max(share, 0.0), 1.0)
    effective = min(float(trials), float(np.sum(w) ** 2 / np.sum(w**2)))
    part = w * (hit - share) / np.sum(w)
    variance = 0.0
    for one in np.unique(stratum):
        mine = part[stratum == one]
        if len(mine) > 1:
            variance += len(mine) * float(np.var(mine, ddof=1))
    if variance > 0 and trials > 1:
        plain = share * (1 - share) / (trials - 1)
        effective = min(effective, trials * plain / variance)
    return Rate(share, trials, int(np.sum(hit & inside)), effective)


def corrected_rate(rate: Rate, sensitivity: Rate) -> tuple[float, float, float]:
    """Correct a rate for the calls that the listener misses.

    Rogan and Gladen's (1978) estimate for an observer without false positives: what is found over
    the share of what is there that is found. Its interval combines those of both (Fay, Proschan and
    Brittain 2015): the upper limit is a quantile of the ratio of two independent variables, the one
    whose quantiles are the upper limits of the rate and the one whose are the lower limits of the
    sensitivity; the lower limit the other way round. It is wide where few controls were heard.

    Returns
    -------
    estimate, low, high : float
        NaN, 0 and 1 where nothing, or no control, was heard or found.
    """
    if not rate.trials or not sensitivity.trials or sensitivity.estimate <= 0:
        return math.nan, 0.0, 1.0
    n, k = rate.effective, rate.estimate * rate.effective
    m, j = sensitivity.effective, sensitivity.estimate * sensitivity.effective
    # a limit at 0 or 1 for certain is a variable that is 0 or 1
    best = betaincinv(j + 1, m - j, _NODES) if j < m else np.ones(1)
    worst = betaincinv(j, m - j + 1, _NODES)
    low = _ratio_quantile(_TAIL, k, n - k + 1, best) if k > 0 else 0.0
    high = _ratio_quantile(1 - _TAIL, k + 1, n - k, worst) if k < n else 1.0
    return min(1.0, rate.estimate / sensitivity.estimate), low, high


# Where the distribution of the sensitivity is looked at: the middles of slices alike in mass.
_NODES = (np.arange(500) + 0.5) / 500


def _ratio_quantile(share: float, a: float, b: float, divisors: np.ndarray) -> float:
    """Return a quantile of Beta(a, b) over equally likely values; 1 where it is above."""

    def excess(x: float) -> float:
        return float(np.mean(betainc(a, b, np.minimum(1.0, x * divisors)))) - share

    return float(brentq(excess, 0.0, 1.0, xtol=1e-7)) if excess(1.0) > 0 else 1.0
