"""``top``: the rows that score highest for each class, found in one pass over the shards."""

from __future__ import annotations

import numpy as np


class TopScores:
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
        self._scores = [np.zeros(0, dtype=np.float32) for _ in range(classes)]

    def offer(self, column: int, rows: np.ndarray, scores: np.ndarray) -> None:
        """Offer rows to a class: int64 and float32 arrays, shape (n,)."""
        all_rows = np.concatenate([self._rows[column], rows])
        all_scores = np.concatenate([self._scores[column], scores])
        best = np.lexsort((all_rows, -all_scores))[: self._count]
        self._rows[column], self._scores[column] = all_rows[best], all_scores[best]

    def best(self, column: int) -> tuple[np.ndarray, np.ndarray]:
        """A class's rows and scores, the highest first."""
        return self._rows[column], self._scores[column]
