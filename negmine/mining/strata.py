"""How often certificates are wrong: by their kind, and by verdicts where there are any.

A *stratum* is the rows of one kind with one certificate: rejected detections on their own sound,
external windows, mixes. Of most, the certificate's own word is taken, times what was measured of
its kind. Of rejected detections there is a second estimate: in how many clips of other classes'
calls a call of the class is marked, scaled to those that no box marks. Certificates said too little
of them where calls are dense (a sixth of what was found in birds' songs), the other too much (two
to three times); the mean of their logarithms is taken.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

import numpy as np
from scipy.optimize import brentq, minimize
from scipy.special import expit

from negmine.pool import Pool
from negmine.recipes.certificates import CERTIFICATES, Certificate

# The share of claims that are wrong over the share that certificates admit to; 1 for all others.
# One of 6,902 claims on beds was wrong, where they admit to 1 %; of agreed windows half as many as
# they admit to (docs/results.md). External sound is chosen to hold no call: a tenth of what it
# is declared at is a judgement, which leaves room for what was overlooked.
_MEASURED: Mapping[tuple[str, Certificate], float] = MappingProxyType(
    {
        ("external", Certificate.EXTERNAL): 0.1,
        # on a bed: what is left is the bed's
        ("fp", Certificate.MIXED): 0.1,
        ("agreed", Certificate.AGREED): 0.5,
    }
)

_REJECTED = ("fp", Certificate.VERIFIED.value)
# Rows of a kind, and classes, that what certificates admit to is averaged over.
_LOOKED_AT, _CLASSES = 10_000, 100

# Of all calls, those that are marked, where the pool does not say.
_MARKED = 0.1
# Fewer clips of other classes, all classes together, tell nothing of density.
_LEAST_CLIPS = 100

# Deviation of the logarithm of how far levels are off, before anybody has listened: most were found
# within a factor of three.
_SPREAD = float(np.log(3))
# Likewise of the slope.
_SLOPE_SPREAD = 0.5


@dataclass(frozen=True)
class Stratum:
    """Rows of one kind with one certificate.

    Attributes
    ----------
    kind, certificate : str
    measured : float
        How often it was wrong elsewhere, over how often it admits to be.
    """

    kind: str
    certificate: str
    measured: float = 1.0


def unmarked_density(pool: Pool, held: int) -> float | None:
    """Estimate how often a clip of another class's call holds a call that no box marks.

    As of scenes (`negmine.building.sources.cuttings.unmarked_rates`), for all classes together.

    Parameters
    ----------
    held : int
        Confirmed calls in distinct clips, summed over classes.

    Returns
    -------
    float or None
        At most 1; None where there are too few clips to tell.
    """
    clips = len(pool.distinct_calls)
    # each clip is one of its own class, and of another for all others
    others = clips * (len(pool.classes) - 1)
    if others < _LEAST_CLIPS or held < clips:
        return None
    marked = pool.settings.get("scene", {}).get("marked", _MARKED)
    return float(min(1.0, (held - clips + 0.5) / (others + 1) * (1 - marked) / marked))


class Strata:
    """All strata of a pool, and which of them its rows are in.

    Parameters
    ----------
    pool : Pool
    held : int
        Confirmed calls in distinct clips, summed over classes.

    Attributes
    ----------
    every : tuple of Stratum
        Kind by kind, certificate by certificate.
    rejected_missed : float
        Share of rejected detections, on their own sound, that hold the class after all.
    """

    def __init__(self, pool: Pool, held: int = 0) -> None:
        self._recipes = pool.recipes
        self.every = tuple(
            Stratum(kind, one.value, _MEASURED.get((kind, one), 1.0))
            for kind in self._recipes.kind_names
            for one in CERTIFICATES
        )
        self.rejected_missed = 0.0
        rejected = [one for one in self.every if (one.kind, one.certificate) == _REJECTED]
        if rejected and (claimed := self._claimed(pool.classes, self.every.index(rejected[0]))):
            self.rejected_missed = claimed
            if (density := unmarked_density(pool, held)) is not None:
                self.rejected_missed = float(np.sqrt(density * claimed))
                found = replace(rejected[0], measured=self.rejected_missed / claimed)
                self.every = tuple(found if one == rejected[0] else one for one in self.every)

    def _claimed(self, classes: Sequence[str], stratum: int) -> float:
        """Return the mean doubt that the certificates of a stratum admit to; 0 without any row."""
        kind, certificate = divmod(stratum, len(CERTIFICATES))
        rows = np.flatnonzero(self._recipes.kind == kind)[:_LOOKED_AT]
        found = [np.zeros(0)]
        for name in classes[:: -(-len(classes) // _CLASSES)]:
            confidence = self._recipes.confidence(name, rows)
            free = rows[confidence > 0]
            mine = self._recipes.certificates(name, free) == certificate
            found.append(1.0 - confidence[confidence > 0][mine].astype(np.float64))
        every = np.concatenate(found)
        return float(every.mean()) if len(every) else 0.0

    def of(self, name: str, rows: np.ndarray) -> np.ndarray:
        """Return the number of each row's stratum, of one class: int64, shape (len(rows),).

        Rows are all certified free of the class.
        """
        kinds = self._recipes.kind[rows].astype(np.int64)
        return np.asarray(kinds * len(CERTIFICATES) + self._recipes.certificates(name, rows))


def level_of_verdicts(log_odds: np.ndarray, present: np.ndarray) -> float:
    """Return what verdicts on some rows add to the log odds of their stratum.

    The intercept of a logistic regression whose other terms are given, with a normal prior: whoever
    chose the rows by how they score, the hardest alone for example, does not change it. Thirty
    verdicts move it most of the way.

    Parameters
    ----------
    log_odds : float64 array, shape (n,)
        What is believed of each without the verdicts.
    present : bool array, shape (n,)
    """

    def slope(level: float) -> float:
        return float(np.sum(expit(log_odds + level) - present)) + level / _SPREAD**2

    reach = _SPREAD**2 * (len(present) + 1)
    return float(brentq(slope, -reach, reach))


def slope_of_verdicts(
    prior: np.ndarray, log_ratio: np.ndarray, stratum: np.ndarray, present: np.ndarray
) -> float:
    """Return how much of the logarithm of ratios verdicts leave: from 0, nothing, to 1.

    The slope of a logistic regression with an intercept for each stratum (D. R. Cox, *Biometrika*
    45, 1958), with normal priors: a ratio that was fitted on clips of one kind is often too steep
    for those of another. One slope for all strata: it takes some hundred verdicts to tell.

    Parameters
    ----------
    prior, log_ratio : float64 arrays, shape (n,)
        Log odds by certificate and kind, and what the sound adds.
    stratum : int array, shape (n,)
    present : bool array, shape (n,)
    """
    numbers, place = np.unique(stratum, return_inverse=True)
    spread = np.array([_SLOPE_SPREAD, *np.full(len(numbers), _SPREAD)])
    at = np.array([1.0, *np.zeros(len(numbers))])

    def loss(values: np.ndarray) -> tuple[float, np.ndarray]:
        odds = prior + values[0] * log_ratio + values[1:][place]
        wrong = expit(odds) - present
        off = (values - at) / spread
        slopes = np.array([wrong @ log_ratio, *np.bincount(place, wrong, len(numbers))])
        fit = float(np.sum(np.logaddexp(0.0, odds) - present * odds))
        return fit + 0.5 * float(off @ off), slopes + off / spread

    bounds = [(0.0, 1.0), *[(None, None)] * len(numbers)]
    found = minimize(loss, at, jac=True, bounds=bounds, method="L-BFGS-B")
    return float(found.x[0])


@dataclass(frozen=True)
class Heard:
    """A row that a person heard for a class.

    Attributes
    ----------
    recipe : str
        Its id.
    """

    recipe: str
    label: str
    present: bool
