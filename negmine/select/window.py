"""``window``: a band of hardness, because the very hardest hide the most missed calls."""

from __future__ import annotations

import numpy as np


def hardness(scores: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """The share of a class's certified rows that score below each score, ties counted half.

    Parameters
    ----------
    scores : float array, shape (N,)
    reference : float array, shape (R,)
        Scores of the class's certified rows, or of a random sample of them, ascending.

    Returns
    -------
    float64 array, shape (N,)
        In [0, 1]; NaN where there is no reference.
    """
    if not len(reference):
        return np.full(len(scores), np.nan)
    below = np.searchsorted(reference, scores, side="left")
    up_to = np.searchsorted(reference, scores, side="right")
    return np.asarray((below + up_to) / (2 * len(reference)))


def in_window(quantiles: np.ndarray, low: float, high: float) -> np.ndarray:
    """Which rows lie in a band of hardness: bool array, shape (N,).

    Parameters
    ----------
    quantiles : float array, shape (N,)
        From `hardness`; NaN lies in no band.
    low, high : float
        0 <= low < high <= 1; both ends belong to the band.

    Raises
    ------
    ValueError
        If the band is empty or reaches outside [0, 1].
    """
    if not 0.0 <= low < high <= 1.0:
        raise ValueError(f"window {low:g} to {high:g}: expected 0 <= low < high <= 1")
    return np.asarray((quantiles >= low) & (quantiles <= high))
