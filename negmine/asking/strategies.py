"""How much each window is worth hearing for one class: the highest key is heard first.

A strategy is one function of what is known of the class and its windows; see `Known`. A new one is
a function here, its name in `negmine.asking.settings` and its line in `STRATEGIES`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from scipy.special import expit


@dataclass(frozen=True)
class Known:
    """What is known of a class's windows.

    Attributes
    ----------
    by_model : float32 array, shape (M, N)
        Logits of each window, by model.
    threshold : float
        Logit; NaN where the strategy needs none.
    doubt : float64 array, shape (N,), optional
        Estimated probability that the class is there.
    rng : Generator
        Of this class.
    """

    by_model: np.ndarray
    threshold: float
    doubt: np.ndarray | None
    rng: np.random.Generator

    @property
    def score(self) -> np.ndarray:
        return mean_logit(self.by_model)


def mean_logit(by_model: np.ndarray) -> np.ndarray:
    """Average the models' logits (M, N): float32, shape (N,)."""
    return np.asarray(by_model.mean(axis=0, dtype=np.float32))


def top(known: Known) -> np.ndarray:
    """Return the score."""
    return known.score


def threshold(known: Known) -> np.ndarray:
    """Return how close the score is to the operating threshold, from 0 downwards."""
    return -np.abs(known.score.astype(np.float64) - known.threshold)


def doubt(known: Known) -> np.ndarray:
    """Return how close the probability of a call is to one half, from 0 downwards."""
    if known.doubt is None:
        raise ValueError("there is no doubt")
    return np.asarray(-np.abs(known.doubt - 0.5))


def disagreement(known: Known) -> np.ndarray:
    """Return the standard deviation of the models' probabilities."""
    return np.asarray(expit(known.by_model.astype(np.float64)).std(axis=0))


def random(known: Known) -> np.ndarray:
    """Return a random number each."""
    return np.asarray(known.rng.random(known.by_model.shape[1]))


STRATEGIES: Mapping[str, Callable[[Known], np.ndarray]] = {
    "top": top,
    "diverse": top,
    "threshold": threshold,
    "doubt": doubt,
    "disagreement": disagreement,
    "random": random,
}
