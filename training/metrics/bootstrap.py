"""Intervals over recordings: the bootstrap of Efron (1979), whole recordings drawn.

What happens in one recording hangs together, so windows or calls are no sample of their own. Two
models that are given the same weights are compared in pairs: what makes a recording easy for both
cancels in their difference.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

LEVEL = 0.95


def resamples(recordings: int, count: int, seed: int = 0) -> NDArray[np.int64]:
    """Draw recordings with replacement, as many as there are.

    Parameters
    ----------
    recordings, count : int
        How many recordings there are, and how many times they are drawn.
    seed : int

    Returns
    -------
    int array, shape (count, recordings)
        How often each recording is in each resample. The same for the same arguments.
    """
    rng = np.random.default_rng([seed, recordings])
    return rng.multinomial(recordings, np.full(recordings, 1 / recordings), size=count)


def interval(values: ArrayLike, level: float = LEVEL) -> tuple[float, float]:
    """Return the percentile interval of a metric's resampled values; NaN where it has none.

    Resamples in which the metric is not defined (NaN) are left out. Of a single recording, or of
    values that are hardly ever defined (less than half of the resamples), there is no interval.
    """
    array: NDArray[Any] = np.asarray(values, dtype=np.float64)
    defined = array[~np.isnan(array)]
    if 2 * defined.size < array.size or not defined.size:
        return math.nan, math.nan
    low, high = np.quantile(defined, [(1 - level) / 2, (1 + level) / 2])
    return float(low), float(high)
