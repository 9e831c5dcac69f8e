"""How often certificates are wrong: by kind where nobody listened, by verdicts where somebody did.

A *stratum* is the rows of one kind with one certificate: rejected detections on their own sound,
external windows, mixes.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit

from negmine.pool import Pool
from negmine.recipes.certificates import CERTIFICATES, Certificate

# The share of claims that were found wrong over the share that the certificates admit to, where
# both were measured: see docs/benchmarks.md. Nobody has found a call in external sound; a tenth is
# what 27,804 claims without one leave to a certificate of 1 %, with room. 1 for all others.
_MEASURED: Mapping[tuple[str, Certificate], float] = MappingProxyType(
    {
        ("external", Certificate.EXTERNAL): 0.1,
        # on a bed: what is left is the bed's
        ("fp", Certificate.MIXED): 0.1,
        ("agreed", Certificate.AGREED): 0.5,
    }
)

# Deviation of the logarithm of how far certificates are off, before anybody has listened: on three
# kinds of data they were wrong from a tenth to six times as often as they admit.
_SPREAD = float(np.log(10))


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


class Strata:
    """All strata of a pool, and which of them its rows are in.

    Attributes
    ----------
    every : tuple of Stratum
        Kind by kind, certificate by certificate.
    """

    def __init__(self, pool: Pool) -> None:
        self._recipes = pool.recipes
        self.every = tuple(
            Stratum(kind, one.value, _MEASURED.get((kind, one), 1.0))
            for kind in self._recipes.kind_names
            for one in CERTIFICATES
        )

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
