"""``control``: as many random negatives, so that a claim of benefit can be tested."""

from __future__ import annotations

import numpy as np


def matched_random(
    eligible: np.ndarray, kinds: np.ndarray, wanted: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return rows drawn at random, as many of each kind as another selection has.

    Parameters
    ----------
    eligible : bool array, shape (N,)
        Which rows are certified for the class and not held out.
    kinds : int array, shape (N,)
        Their kinds, by number.
    wanted : int array, shape (m,)
        The kinds of the selection to match, one a row.

    Returns
    -------
    int64 array, shape (m,)
        Distinct rows, sorted. The selection's own rows may be among them.
    """
    drawn = []
    for kind, count in zip(*np.unique(wanted, return_counts=True), strict=True):
        among = np.flatnonzero(eligible & (kinds == kind))
        drawn.append(rng.choice(among, int(count), replace=False))
    return np.sort(np.concatenate(drawn)) if drawn else np.zeros(0, dtype=np.int64)
