"""``duplicates``: of sounds that the model can hardly tell apart, the highest-scoring alone."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def without_duplicates(neighbours: Sequence[np.ndarray], most: int) -> np.ndarray:
    """Walk down a ranking and drop what is near to something kept.

    Parameters
    ----------
    neighbours : sequence of int arrays
        For each rank, the ranks that are near-duplicates of it (itself among them, or not).
    most : int
        How many to keep.

    Returns
    -------
    int64 array
        The ranks kept, in order.
    """
    dropped = np.zeros(len(neighbours), dtype=bool)
    kept: list[int] = []
    for rank, near in enumerate(neighbours):
        if len(kept) == most:
            break
        if not dropped[rank]:
            kept.append(rank)
            dropped[near] = True
    return np.array(kept, dtype=np.int64)
