"""From a score to the probability that the class is there: Platt's sigmoid, or isotonic regression.

Both by scikit-learn, of logits. A class with `ISOTONIC_FROM` verdicts or more gets the isotonic
map, which can take any rising shape; with fewer it would follow their noise (Niculescu-Mizil and
Caruana 2005, "Predicting good probabilities with supervised learning", ICML), and gets a sigmoid.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.special import expit
from sklearn.isotonic import IsotonicRegression
from sklearn.linear_model import LogisticRegression

ISOTONIC_FROM = 1000
PLATT, ISOTONIC = "platt", "isotonic"

# Of the sigmoid's slope alone: so weak that it only bounds what separates perfectly.
_C = 1e4


@dataclass(frozen=True)
class Probability:
    """One class's map.

    Attributes
    ----------
    method : {"platt", "isotonic"}
    slope, intercept : float
        Of the sigmoid: probability = expit(slope * logit + intercept).
    logits, values : tuple of float
        Of the isotonic map: its knots, between which it is linear, and beyond which constant.
    """

    method: str
    slope: float = 0.0
    intercept: float = 0.0
    logits: tuple[float, ...] = ()
    values: tuple[float, ...] = ()

    @property
    def rises(self) -> bool:
        """Whether a higher score is a higher probability at all."""
        if self.method == PLATT:
            return self.slope > 0
        return self.values[-1] > self.values[0]

    def __call__(self, logits: np.ndarray) -> np.ndarray:
        """Return probabilities of logits: float64 arrays of one shape."""
        if self.method == PLATT:
            return np.asarray(expit(self.slope * logits + self.intercept))
        return np.asarray(np.interp(logits, self.logits, self.values))

    def to_dict(self) -> dict[str, Any]:
        """Return it for JSON."""
        if self.method == PLATT:
            return {"method": PLATT, "slope": self.slope, "intercept": self.intercept}
        return {"method": ISOTONIC, "logits": list(self.logits), "values": list(self.values)}

    @classmethod
    def from_dict(cls, found: Mapping[str, Any]) -> Probability:
        """Read what `to_dict` gave.

        Raises
        ------
        KeyError, TypeError, ValueError
            If it is something else.
        """
        if found["method"] == PLATT:
            return cls(PLATT, float(found["slope"]), float(found["intercept"]))
        if found["method"] != ISOTONIC:
            raise ValueError(f"unknown method {found['method']!r}")
        knots = [tuple(float(value) for value in found[name]) for name in ("logits", "values")]
        if not knots[0] or len(knots[0]) != len(knots[1]):
            raise ValueError("knots do not pair")
        return cls(ISOTONIC, logits=knots[0], values=knots[1])


def fit(logits: np.ndarray, present: np.ndarray) -> Probability:
    """Fit the map of one class.

    Platt's targets, (P + 1) / (P + 2) of P confirmed and 1 / (N + 2) of N rejected, keep a few
    verdicts from making certainties (Platt 1999, "Probabilistic outputs for support vector
    machines").

    Parameters
    ----------
    logits : float64 array, shape (V,)
    present : bool array, shape (V,)
        Both kinds occur.
    """
    if len(logits) >= ISOTONIC_FROM:
        found = IsotonicRegression(y_min=0.0, y_max=1.0, out_of_bounds="clip")
        found.fit(logits, present.astype(np.float64))
        knots = found.X_thresholds_.tolist(), found.y_thresholds_.tolist()
        return Probability(ISOTONIC, logits=tuple(knots[0]), values=tuple(knots[1]))
    hits = int(present.sum())
    misses = len(present) - hits
    target = np.where(present, (hits + 1) / (hits + 2), 1 / (misses + 2))
    # a target between 0 and 1 is one row of either kind, weighted
    rows = np.concatenate([logits, logits])[:, None]
    kinds = np.repeat([True, False], len(logits))
    sigmoid = LogisticRegression(C=_C, max_iter=1000)
    sigmoid.fit(rows, kinds, sample_weight=np.concatenate([target, 1 - target]))
    return Probability(PLATT, float(sigmoid.coef_[0, 0]), float(sigmoid.intercept_[0]))
