"""How likely it is that a certified negative holds the class after all.

By Bayes: the odds before looking at the sound are those of its certificate; the likelihood ratio is
what the model's view of the sound adds (`negmine.mining.likelihood`). What that sees of a clip:

- its score, in quartile distances from the median of the class's confirmed calls, and
- its similarity to the nearest confirmed call of the class, itself left out, and calls that share
  half a clip with it: two people's boxes round one call are one sound.

All classes share one regression: each has few calls, and the features are relative to the class.

How often certificates are wrong is a matter of verdicts where there are any, else of what they
admit to and how often their kind was found wrong (`negmine.mining.strata`). No row is doubted more
than its certificate's odds times the highest ratio that the judged clips can show.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from negmine.mining.likelihood import MIN_CLIPS as MIN_CLIPS
from negmine.mining.likelihood import MOST_HEARD, Evidence, LikelihoodRatio
from negmine.mining.reliability import Reliability, reliability_of
from negmine.mining.strata import Stratum, level_of_verdicts, slope_of_verdicts

# Features, confidence and stratum of some rows.
Claims = tuple[np.ndarray, np.ndarray, np.ndarray]

# Log odds at which a probability is 0 or 1, near enough.
_FURTHER = 40.0
# No certificate is surer than one in ten thousand, once a model has a say.
_SUREST = 1e-4
# The number of rows that are of no stratum; of arrays by stratum, the last place.
NO_STRATUM = -1


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
    """Doubts, of a ratio fitted on confirmed calls and rejected detections.

    Parameters
    ----------
    calls, rejected : Evidence
        Of confirmed calls, and of clips in which a person rejected the class.
    held_out : bool
        Whether the model that scores did not train on any of them. Of what it has learnt, ratios
        are bounded by `negmine.mining.likelihood.MOST_HEARD`.
    missed : float
        Share of the rejected clips that hold the class after all, by their certificates.
    strata : sequence of Stratum
        What rows' numbers of strata name.

    Attributes
    ----------
    held_out : bool
    ratio : LikelihoodRatio or None
        None with too few clips: the certificate alone decides.
    strata : sequence of Stratum
    slope : float
        In [0, 1], times the logarithm of the ratio: see `hear`.
    shifts, levels : dict of int to float
        By stratum: added to the logarithm of the ratio, see `settle`; and to that of the odds, see
        `hear`.
    heard : Reliability
        Of the rows that were heard: what was claimed of them without the verdicts.
    """

    def __init__(
        self,
        calls: Evidence,
        rejected: Evidence,
        *,
        held_out: bool = True,
        missed: float = 0.0,
        strata: Sequence[Stratum] = (),
    ) -> None:
        self.held_out = held_out
        self._counts = len(calls.features), len(rejected.features)
        self.strata = strata
        self.ratio: LikelihoodRatio | None = None
        self.slope = 1.0
        self.shifts: dict[int, float] = {}
        self.levels: dict[int, float] = {}
        self.heard = Reliability()
        self._drawn: Claims = (np.zeros((0, 2)), np.zeros(0), np.zeros(0, dtype=np.int64))
        self._verdicts: tuple[np.ndarray, np.ndarray] = (np.zeros(0, np.int64), np.zeros(0, bool))
        if min(len(calls.features), len(rejected.features)) >= MIN_CLIPS:
            most = math.inf if held_out else MOST_HEARD
            self.ratio = LikelihoodRatio(calls, rejected, most, missed)

    @property
    def fitted(self) -> bool:
        """Whether there were clips enough; else the certificate alone decides."""
        return self.ratio is not None

    @property
    def auc(self) -> float:
        """The ratio's, see there; NaN where none was fitted."""
        return math.nan if self.ratio is None else self.ratio.auc

    def _prior(self, confidence: np.ndarray, stratum: np.ndarray) -> np.ndarray:
        """Return the log odds that a class is present, by certificate and kind."""
        measured = dict(enumerate(one.measured for one in self.strata))
        doubt = 1.0 - np.asarray(confidence, dtype=np.float64)
        doubt *= self._each(measured, 1.0)[stratum]
        doubt = np.clip(doubt, _SUREST, 1 - _SUREST)
        return np.asarray(np.log(doubt) - np.log1p(-doubt))

    def _log_odds(
        self, features: np.ndarray, confidence: np.ndarray, stratum: np.ndarray
    ) -> np.ndarray:
        """Return log odds without what verdicts say."""
        odds = self._prior(confidence, stratum)
        return odds if self.ratio is None else odds + self._added(self.ratio, features, stratum)

    def _added(
        self, ratio: LikelihoodRatio, features: np.ndarray, stratum: np.ndarray
    ) -> np.ndarray:
        """Return what the sound adds to log odds."""
        shift = self._each(self.shifts, self.shifts.get(NO_STRATUM, 0.0))[stratum]
        return self._raised(ratio.log(features), shift)

    def _each(self, values: Mapping[int, float], missing: float = 0.0) -> np.ndarray:
        """Return values by number of stratum, that of `NO_STRATUM` last."""
        numbers = (*range(len(self.strata)), NO_STRATUM)
        return np.array([values.get(number, missing) for number in numbers])

    def _raised(self, log_ratio: np.ndarray, shift: np.ndarray | float) -> np.ndarray:
        """Shift logarithms of ratios, none above the bound, and flatten them."""
        highest = math.inf if self.ratio is None else self.ratio.high
        return np.asarray(self.slope * np.minimum(log_ratio + shift, highest))

    def settle(
        self, features: np.ndarray, confidence: np.ndarray, stratum: np.ndarray | None = None
    ) -> None:
        """Let doubt add up, over rows drawn at random, to how often their certificates are wrong.

        Rows of one kind are not rejected detections, and calls that a model has learnt are not
        those it never saw: their ratios are too low or too high on the whole. How many calls there
        are is known; ratios of each stratum are shifted until that many are found (as posteriors
        are fitted to new priors, Saerens et al., *Neural Computation* 14, 2002).

        Parameters
        ----------
        features : float64 array, shape (N, F)
        confidence : float array, shape (N,)
            Of their certificates.
        stratum : int array, shape (N,), optional
            Of each row. Those of fewer than `MIN_CLIPS` rows are shifted as all together.
        """
        stratum = _or_none(stratum, len(features))
        self._drawn = features, confidence, stratum
        if self.ratio is None or not len(features):
            return
        prior, ratio = self._prior(confidence, stratum), self.ratio.log(features)
        numbers, counts = np.unique(stratum, return_counts=True)
        self.shifts = {NO_STRATUM: self._shift(prior, ratio)}
        for number in numbers[(counts >= MIN_CLIPS) & (numbers != NO_STRATUM)].tolist():
            inside = stratum == number
            self.shifts[number] = self._shift(prior[inside], ratio[inside])

    def _shift(self, prior: np.ndarray, ratio: np.ndarray) -> float:
        wanted = float(np.mean(expit(prior)))

        def lacking(shift: float) -> float:
            return float(np.mean(expit(prior + self._raised(ratio, shift)))) - wanted

        low, high = -ratio.max() - _FURTHER, -ratio.min() + _FURTHER
        # where no ratio can be shown, all rows are alike
        return float(brentq(lacking, low, high)) if lacking(high) > 0 else float(high)

    def hear(
        self,
        features: np.ndarray,
        confidence: np.ndarray,
        stratum: np.ndarray,
        present: np.ndarray,
    ) -> None:
        """Let verdicts tell how often certificates are wrong, and how much sound says of it.

        Ratios are flattened as far as the verdicts on all strata want it, and settled again; then
        each stratum's level is that of its own verdicts.

        Parameters
        ----------
        features : float64 array, shape (n, F)
        confidence : float array, shape (n,)
        stratum : int array, shape (n,)
        present : bool array, shape (n,)
            Whether the listener heard the class.
        """
        self._verdicts = stratum, present
        odds = self._log_odds(features, confidence, stratum)
        self.heard = reliability_of(expit(odds), present)
        if self.ratio is not None:
            added = self._added(self.ratio, features, stratum)
            self.slope = slope_of_verdicts(odds - added, added, stratum, present)
            self.settle(*self._drawn)
            odds = self._log_odds(features, confidence, stratum)
        for number in np.unique(stratum).tolist():
            inside = stratum == number
            self.levels[number] = level_of_verdicts(odds[inside], present[inside])

    def probability(
        self, features: np.ndarray, confidence: np.ndarray, stratum: np.ndarray | None = None
    ) -> np.ndarray:
        """Estimate the probability that the class is present.

        Parameters
        ----------
        features : float64 array, shape (N, F)
        confidence : float array, shape (N,)
            Of each row's certificate.
        stratum : int array, shape (N,), optional
            Of each row; -1 for none, of which certificates are taken at their word.

        Returns
        -------
        float64 array, shape (N,)
        """
        stratum = _or_none(stratum, len(features))
        odds = self._log_odds(features, confidence, stratum) + self._each(self.levels)[stratum]
        return np.asarray(expit(odds))

    def to_dict(self) -> dict[str, Any]:
        """Return what it was fitted on and what it found, for a report."""
        ratio = self.ratio
        return {
            "held_out": self.held_out,
            "calls": self._counts[0],
            "rejections": self._counts[1],
            "auc": self.auc,
            "lowest_ratio": math.nan if ratio is None else math.exp(ratio.low),
            "highest_ratio": math.nan if ratio is None else math.exp(ratio.high),
            "slope": self.slope,
            "judged": (Reliability() if ratio is None else ratio.reliability).to_dict(),
            "heard": self.heard.to_dict(),
            "strata": self._by_stratum(),
        }

    def _by_stratum(self) -> list[dict[str, Any]]:
        """Return what is claimed of each stratum's random rows, in all and at most."""
        _, confidence, stratum = self._drawn
        doubt, most = self.probability(*self._drawn), self.most(confidence, stratum)
        found = []
        for number in np.unique(stratum[stratum != NO_STRATUM]).tolist():
            inside, heard = stratum == number, self._verdicts[0] == number
            found.append(
                {
                    "kind": self.strata[number].kind,
                    "certificate": self.strata[number].certificate,
                    "rows": int(inside.sum()),
                    "certified": float(np.mean(1.0 - confidence[inside])),
                    "level": float(np.mean(doubt[inside])),
                    "most": float(np.max(most[inside])),
                    "heard": int(heard.sum()),
                    "present": int(self._verdicts[1][heard].sum()),
                }
            )
        return found

    def most(self, confidence: np.ndarray, stratum: np.ndarray) -> np.ndarray:
        """Return the highest doubt that rows may have, whatever they sound like: float64, (N,)."""
        odds = self._prior(confidence, stratum) + self._each(self.levels)[stratum]
        return np.asarray(
            expit(odds + (0.0 if self.ratio is None else self.slope * self.ratio.high))
        )


def _or_none(stratum: np.ndarray | None, count: int) -> np.ndarray:
    return np.full(count, NO_STRATUM) if stratum is None else stratum
