"""``control``: as many random negatives, so that a claim of benefit can be tested."""

from __future__ import annotations

import numpy as np


def matched_random(
    eligible: np.ndarray, kinds: np.ndarray, wanted: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Rows drawn at random, as many of each kind as another selection has.

    Parameters
    ----------
    eligible : int array, shape (n,)
        Rows certified for the class and not held out.
    kinds : array of str, shape (n,)
        Their kinds.
    wanted : array of str, shape (m,)
        The kinds of the selection to match, one a row.
    rng : numpy.random.Generator

    Returns
    -------
    int64 array, shape (m,)
        Distinct rows, sorted. The selection's own rows may be among them.
    """
    drawn = [
        rng.choice(eligible[kinds == kind], int(np.sum(wanted == kind)), replace=False)
        for kind in sorted(set(wanted.tolist()))
    ]
    return np.sort(np.concatenate(drawn)) if drawn else np.zeros(0, dtype=np.int64)
