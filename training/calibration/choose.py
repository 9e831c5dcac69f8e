"""One class's threshold, by its verdicts. Numbers alone.

The fitted probability chooses the threshold, verdicts are counted at it: what is counted did not
choose, or the luck of a few verdicts would look like precision.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from training import metrics
from training.calibration.judged_rates import (
    Found,
    Judged,
    ScoreCounts,
    precision_at,
    verdicts_needed,
)
from training.calibration.probability import Probability, fit
from training.calibration.settings import CalibrateSettings

# Confirmed and rejected spans that a class must have, of either.
LEAST = 5

# Thresholds that are looked at, at the most.
_LOOKED_AT = 200

OK, TOO_FEW, NO_SCORE, NO_ORDER, NOT_SURE, BOUND = (
    "ok",
    "too few verdicts",
    "no score reaches it",
    "scores do not tell",
    "not established",
    "bound: all counted as false",
)


@dataclass(frozen=True)
class ThresholdChoice:
    """What was chosen for a class.

    Attributes
    ----------
    logit : float
        The threshold; NaN where there is none.
    status : str
        Why.
    found : Found
        The precision at it; without a threshold, of all verdicts of the class.
    more : float
        Verdicts on what scores high that the class lacks for the precision to be established; 0
        where it is, infinity where no number would do.
    per_hour, fp_per_hour, fp_low, fp_high : float
        At the site; NaN without one.
    probability : Probability, optional
        None where there are too few verdicts.
    """

    logit: float
    status: str
    found: Found
    more: float
    probability: Probability | None = None
    per_hour: float = math.nan
    fp_per_hour: float = math.nan
    fp_low: float = math.nan
    fp_high: float = math.nan


def choose(
    judged: Judged, settings: CalibrateSettings, rho: float, windows: ScoreCounts | None = None
) -> ThresholdChoice:
    """Choose the threshold of a class.

    Parameters
    ----------
    judged : Judged
        Of the site alone, where there is one.
    rho : float
        See `training.calibration.judged_rates.intraclass_correlation`.
    windows : ScoreCounts, optional
        Of the site.
    """
    present = int(judged.present.sum())
    absent = len(judged.present) - present
    if min(present, absent) < LEAST:
        return _without(judged, settings, rho, windows)
    found = fit(judged.logit, judged.present)
    if not found.rises:
        nothing = precision_at(judged, -math.inf, rho, windows)
        return ThresholdChoice(math.nan, NO_ORDER, nothing, math.inf, found)
    logit, mean, count = _curve(judged, found, windows)
    wanted = settings.wanted
    each = [precision_at(judged, t, rho, windows) for t in logit.tolist()]
    if settings.fp_per_hour is not None and windows is not None:
        hours, limit = windows.hours, settings.fp_per_hour
        share = np.array([one.low for one in each]) if settings.sure else mean
        reaches = (1 - share) * count / hours <= limit
        more = math.nan
    else:
        reaches = mean >= wanted
        more = _more(each, mean, wanted)
        if settings.sure:
            reaches &= np.array([one.low for one in each]) >= wanted
    if not reaches.any():
        everything = precision_at(judged, -math.inf, rho, windows)
        sure = settings.sure and (mean >= wanted).any()
        return ThresholdChoice(math.nan, NOT_SURE if sure else NO_SCORE, everything, more, found)
    at = int(np.flatnonzero(reaches)[-1])
    return _at_site(ThresholdChoice(float(logit[at]), OK, each[at], more, found), windows)


def _curve(
    judged: Judged, found: Probability, windows: ScoreCounts | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return thresholds from high to low, and above each the mean probability and how many."""
    if windows is None:
        logit, each = np.unique(judged.logit, return_counts=True)
    else:
        # below what anybody heard, the curve would be a guess
        inside = (windows.count > 0) & (windows.logit >= judged.logit.min())
        logit, each = windows.logit[inside], windows.count[inside]
        if not len(logit):
            logit, each = np.array([judged.logit.min()]), np.array([1])
    logit, each = logit[::-1], each[::-1]
    count = np.cumsum(each)
    mean = np.cumsum(each * found(logit)) / count
    places = np.unique(np.linspace(0, len(logit) - 1, _LOOKED_AT).round().astype(int))
    return logit[places], mean[places], count[places].astype(np.float64)


def _more(each: list[Found], mean: np.ndarray, wanted: float) -> float:
    """Return the fewest further verdicts above one threshold that would establish the precision."""
    if any(one.low >= wanted for one in each):
        return 0.0
    lacking = [
        verdicts_needed(min(share, 1.0), wanted) - one.effective
        for one, share in zip(each, mean.tolist(), strict=True)
    ]
    best = min(lacking)
    return math.ceil(max(best, 1.0)) if math.isfinite(best) else math.inf


def _without(
    judged: Judged, settings: CalibrateSettings, rho: float, windows: ScoreCounts | None
) -> ThresholdChoice:
    """Return what can be said with too few verdicts: a bound of false positives, at the most."""
    nothing = precision_at(judged, -math.inf, rho, windows)
    present = int(judged.present.sum())
    lacking = max(0, LEAST - present) + max(0, LEAST - (len(judged.present) - present))
    more = max(float(lacking), verdicts_needed(1.0, settings.wanted) - len(judged.present))
    if settings.fp_per_hour is None or windows is None:
        return ThresholdChoice(math.nan, TOO_FEW, nothing, more)
    # every window counted as false: at most so many, whatever calls there
    count = windows.count[::-1].cumsum()[::-1].astype(np.float64)
    rate = (metrics.poisson_interval(count)[1] if settings.sure else count) / windows.hours
    fits = np.flatnonzero(rate <= settings.fp_per_hour)
    if not len(fits):
        return ThresholdChoice(math.nan, NO_SCORE, nothing, more)
    choice = ThresholdChoice(float(windows.logit[fits[0]]), BOUND, nothing, more)
    return _at_site(choice, windows)


def _at_site(choice: ThresholdChoice, windows: ScoreCounts | None) -> ThresholdChoice:
    """Add what the threshold gives in an hour of the site."""
    if windows is None:
        return choice
    count, hours = windows.above(choice.logit), windows.hours
    each = count / hours
    if choice.status == BOUND:
        high = float(metrics.poisson_interval(count)[1]) / hours
        return replace(choice, per_hour=each, fp_per_hour=each, fp_low=0.0, fp_high=high)
    found = choice.found
    wrong = [each * (1 - share) for share in (found.precision, found.high, found.low)]
    return replace(choice, per_hour=each, fp_per_hour=wrong[0], fp_low=wrong[1], fp_high=wrong[2])
