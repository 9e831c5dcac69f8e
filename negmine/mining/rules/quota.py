"""``quota``: no recording, kind or certificate takes more than its share of a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

import numpy as np


def within_quota(keys: Sequence[Iterable[str]], most: int) -> np.ndarray:
    """Walk down a ranking and drop what would take a key over its quota.

    Parameters
    ----------
    keys : sequence of iterables of str
        Of each rank, its keys: the groups of a mix's parts, or its one kind. A row counts towards
        every one of its keys, and is dropped if any of them is full.
    most : int
        Rows a key may have.

    Returns
    -------
    bool array, shape (N,)
        True where kept.
    """
    taken: Counter[str] = Counter()
    kept = np.zeros(len(keys), dtype=bool)
    for rank, of_row in enumerate(keys):
        names = frozenset(of_row)
        if all(taken[name] < most for name in names):
            taken.update(names)
            kept[rank] = True
    return kept
