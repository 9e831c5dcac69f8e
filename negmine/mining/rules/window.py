"""``window``: a band of hardness, because the very hardest hide the most missed calls."""

from __future__ import annotations

import numpy as np

from negmine.mining.rules.rule import ClassScores, Limits
from negmine.settings import Settings, setting


class WindowSettings(Settings, frozen=True):
    """Window: a band of hardness, as quantiles of the class's certified rows."""

    low: float = setting(0.0, "Lowest quantile.", flag="")
    high: float = setting(0.999, "Highest quantile.", flag="")


def score_window(reference: np.ndarray, low: float, high: float) -> tuple[float, float]:
    """Return the scores between two quantiles of hardness.

    Parameters
    ----------
    reference : float array, shape (R,)
        Scores of the class's certified rows, or of a random sample of them.
    low, high : float
        0 <= low < high <= 1. At 0 and at 1 the window is open: the reference may be a sample.

    Returns
    -------
    (float, float)
        Both ends belong to the window; everything passes where there is no reference.

    Raises
    ------
    ValueError
        If the window is empty or reaches outside [0, 1].
    """
    if not 0.0 <= low < high <= 1.0:
        raise ValueError(f"window {low:g} to {high:g}: expected 0 <= low < high <= 1")
    if not len(reference):
        return -np.inf, np.inf
    lowest, highest = np.quantile(reference, [low, high])
    return (float(lowest) if low > 0 else -np.inf), (float(highest) if high < 1 else np.inf)


def _limits(known: ClassScores, s: WindowSettings) -> tuple[float, float]:
    return score_window(known.reference, s.low, s.high)


_HERE = "the hardness window"
RULE = Limits(WindowSettings, _limits, below=_HERE, above=_HERE)
