"""``top``: the rows that rank highest for each class, found in one pass over the shards."""

from __future__ import annotations

import numpy as np


class TopRows:
    """The best ``count`` rows a class, among the rows it is offered; memory does not grow.

    Ties go to the earlier row, so that the result depends on no order of arrival.

    Parameters
    ----------
    classes : int
    count : int
    """

    def __init__(self, classes: int, count: int) -> None:
        self._count = count
        self._rows = [np.zeros(0, dtype=np.int64) for _ in range(classes)]
        self._keys = [np.zeros(0, dtype=np.float32) for _ in range(classes)]
        # what a row must reach to be looked at again: the last key of a full list
        self._floor = np.full(classes, -np.inf, dtype=np.float32)

    def offer(self, rows: np.ndarray, keys: np.ndarray) -> None:
        """Offer rows to every class.

        Parameters
        ----------
        rows : int64 array, shape (n,)
        keys : float32 array, shape (n, C)
            What to rank by; -inf where a row may not enter for a class.
        """
        # by class: what can enter at all is few once the lists are full
        classes, which = np.nonzero((self._floor[:, None] <= keys.T) & (-np.inf < keys.T))
        for column in np.unique(classes):
            entering = which[classes == column]
            all_rows = np.concatenate([self._rows[column], rows[entering]])
            all_keys = np.concatenate([self._keys[column], keys[entering, column]])
            best = np.lexsort((all_rows, -all_keys))[: self._count]
            self._rows[column], self._keys[column] = all_rows[best], all_keys[best]
            if len(best) == self._count:
                self._floor[column] = self._keys[column][-1]

    def best(self, column: int) -> tuple[np.ndarray, np.ndarray]:
        """A class's rows and keys, the highest first."""
        return self._rows[column], self._keys[column]
