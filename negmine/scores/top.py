"""``top``: the rows that rank highest for each class, found in one pass over the shards."""

from __future__ import annotations

import numpy as np


class TopRows:
    """The best ``count`` rows a class, among the rows it is offered; memory does not grow.

    Ties go to the earlier row, so that the result depends on no order of arrival.

    Attributes
    ----------
    floor : float32 array, shape (C,)
        What a row's key must reach to be looked at; rises as lists fill.
    """

    def __init__(self, classes: int, count: int) -> None:
        self._count = count
        self._rows = [np.zeros(0, dtype=np.int64) for _ in range(classes)]
        self._keys = [np.zeros(0, dtype=np.float32) for _ in range(classes)]
        self._waiting: list[tuple[np.ndarray, np.ndarray, np.ndarray]] = []
        # lists are sorted again when this many cells wait, not at every offer
        self._patience = classes * count
        self.floor = np.full(classes, np.finfo(np.float32).min)

    def offer(self, rows: np.ndarray, classes: np.ndarray, keys: np.ndarray) -> None:
        """Offer rows, each for one class.

        Parameters
        ----------
        rows, classes : int64 array, shape (n,)
        keys : float32 array, shape (n,)
            What to rank by, at least the class's `floor`.
        """
        self._waiting.append((rows, classes, keys))
        if sum(len(part) for part, _, _ in self._waiting) >= self._patience:
            self._sort()

    def best(self, column: int) -> tuple[np.ndarray, np.ndarray]:
        """Return a class's rows and keys, the highest first."""
        self._sort()
        return self._rows[column], self._keys[column]

    def _sort(self) -> None:
        """Take what waits into the lists."""
        if not self._waiting:
            return
        rows, classes, keys = (np.concatenate(part) for part in zip(*self._waiting, strict=True))
        self._waiting = []
        order = np.argsort(classes, kind="stable")
        bounds = np.searchsorted(classes[order], np.arange(len(self._rows) + 1))
        for column in np.flatnonzero(np.diff(bounds)).tolist():
            entering = order[bounds[column] : bounds[column + 1]]
            all_rows = np.concatenate([self._rows[column], rows[entering]])
            all_keys = np.concatenate([self._keys[column], keys[entering]])
            best = np.lexsort((all_rows, -all_keys))[: self._count]
            self._rows[column], self._keys[column] = all_rows[best], all_keys[best]
            if len(best) == self._count:
                self.floor[column] = self._keys[column][-1]
