"""When a model says that a window holds no call: a low score, and no likeness to the calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Doubts:
    """One model's limits, learnt from confirmed calls.

    Attributes
    ----------
    highest : float array, shape (C,)
        A window scores below this where the class is absent; -inf for classes without a call.
    calls : list of C float arrays, shape (calls of the class, D)
        Embeddings of the confirmed calls, of unit length.
    nearest : float array, shape (C,)
        A window is further from each of them than this, in cosine distance.
    """

    highest: np.ndarray
    calls: list[np.ndarray]
    nearest: np.ndarray

    @classmethod
    def of(
        cls,
        embeddings: np.ndarray,
        logits: np.ndarray,
        present: Sequence[np.ndarray],
        quantile: float,
    ) -> Doubts:
        """Derive limits from the calls.

        The distance is that from a call of the class to its nearest other one, the median of them;
        a class of a single call has the median of the other classes'.

        Parameters
        ----------
        embeddings : float array, shape (N, D)
        logits : float array, shape (N, C)
        present : sequence of C int arrays
            The rows in which each class calls.
        quantile : float
            In [0, 1], of the calls' scores.
        """
        unit = _unit(embeddings)
        calls = [unit[rows] for rows in present]
        highest = [
            np.quantile(logits[rows, c], quantile) if len(rows) else -np.inf
            for c, rows in enumerate(present)
        ]
        apart = np.array([_apart(found) for found in calls])
        typical = np.nanmedian(apart) if not np.isnan(apart).all() else 0.0
        return cls(np.array(highest), calls, np.where(np.isnan(apart), typical, apart))

    def free(self, embeddings: np.ndarray, logits: np.ndarray) -> np.ndarray:
        """Return which classes are absent from which windows: bool, shape (B, C).

        Parameters
        ----------
        embeddings : float array, shape (B, D)
        logits : float array, shape (B, C)
        """
        unit = _unit(embeddings)
        out = logits < self.highest
        for c, calls in enumerate(self.calls):
            if len(calls):
                out[:, c] &= 1 - (unit @ calls.T).max(axis=1) > self.nearest[c]
        return np.asarray(out)


def _apart(unit: np.ndarray) -> float:
    """Return the median distance of calls to their nearest other one; NaN where there is none."""
    if len(unit) < 2:
        return float("nan")
    likeness = unit @ unit.T
    np.fill_diagonal(likeness, -np.inf)
    return float(np.median(1 - likeness.max(axis=1)))


def _unit(embeddings: np.ndarray) -> np.ndarray:
    wide = np.asarray(embeddings, dtype=np.float64)
    return np.asarray(wide / np.maximum(np.linalg.norm(wide, axis=1, keepdims=True), 1e-12))
