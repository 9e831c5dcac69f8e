"""Intervals of counts and of rates over time."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaincinv

from training.metrics.bootstrap import LEVEL


def poisson_interval(
    counts: ArrayLike, level: float = LEVEL
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Compute exact intervals of the mean of Poisson counts (Garwood 1936, Biometrika 28).

    Divided by hours, they are those of a rate. Events must not hang together: an interval is too
    narrow where one sound makes several of them.

    >>> low, high = poisson_interval(0)
    >>> float(low), round(float(high), 3)
    (0.0, 3.689)
    """
    k: NDArray[Any] = np.asarray(counts, dtype=np.float64)
    tail = (1 - level) / 2
    low = np.where(k > 0, gammaincinv(np.maximum(k, 1e-300), tail), 0.0)
    return low, gammaincinv(k + 1, 1 - tail)
