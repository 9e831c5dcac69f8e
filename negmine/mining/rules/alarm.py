"""``alarm``: how often a class's negatives raise false positives, and a budget shared by that.

Detectors are used at a threshold that finds a given share of the calls. A certified negative that
scores above it is a false positive. Classes differ by orders of magnitude in how many they add,
so a budget in even shares spends most of itself on classes that have none to lose.
"""

from __future__ import annotations

import numpy as np

# The share of a class's confirmed calls that a detector is asked to find.
RECALL = 0.7


def alarm_rate(calls: np.ndarray, negatives: np.ndarray, recall: float = RECALL) -> float:
    """Share of a class's negatives at or above the threshold that finds a share of its calls.

    Parameters
    ----------
    calls : float array, shape (P,)
        Scores of its confirmed calls.
    negatives : float array, shape (N,)
        Scores of its certified negatives, or of a random sample of them.
    recall : float
        0 < recall <= 1.

    Returns
    -------
    float
        In (0, 1): half a false positive is added, so that a class without any in a sample is not
        taken for one that never will. 0 where there is no call or no negative.
    """
    if not 0.0 < recall <= 1.0:
        raise ValueError(f"recall {recall:g}: expected more than 0 and at most 1")
    if not len(calls) or not len(negatives):
        return 0.0
    needed = int(np.ceil(recall * len(calls)))
    threshold = np.sort(calls)[len(calls) - needed]
    return float(((negatives >= threshold).sum() + 0.5) / (len(negatives) + 1))


def shares(weights: np.ndarray, total: int, most: int) -> np.ndarray:
    """Divide a budget in proportion to weights, no share above a limit.

    What a limit cuts off goes to the others, in the same proportion. Whole numbers by largest
    remainder; of equal remainders the first wins.

    Parameters
    ----------
    weights : float array, shape (C,)
        Not negative.
    total, most : int

    Returns
    -------
    int64 array, shape (C,)
        They add up to ``total``, or to less where limits or weights of zero leave no room.
    """
    exact = np.zeros(len(weights))
    open_ = np.asarray(weights) > 0
    while open_.any():
        left = total - exact[~open_].sum()
        exact[open_] = left * weights[open_] / weights[open_].sum()
        over = open_ & (exact > most)
        if not over.any():
            break
        exact[over] = most
        open_ &= ~over
    whole = np.floor(exact + 1e-9).astype(np.int64)
    left_over = round(exact.sum()) - int(whole.sum())
    order = np.argsort(-(exact - whole), kind="stable")
    whole[order[:left_over]] += 1
    return whole
