"""``diverse``: rows that spread over embedding space instead of crowding in one place."""

from __future__ import annotations

import numpy as np

from negmine.mining.rules.rule import Candidates, Takes
from negmine.settings import Settings


class DiverseSettings(Settings, frozen=True):
    """Diverse: rows that spread over embedding space (k-center)."""


def k_center(embeddings: np.ndarray, count: int, given: int = 0) -> np.ndarray:
    """Take rows by greedy k-center: from the first on, always the farthest from all taken.

    Its covering radius is at most twice the best possible (Gonzalez 1985, "Clustering to minimize
    the maximum intercluster distance").

    Parameters
    ----------
    embeddings : float32 array, shape (N, D)
        L2-normalised, the hardest first: it is taken first, and ties go to the harder.
    given : int
        The first rows that are taken already, and not returned.

    Returns
    -------
    int64 array, shape (min(count, N - given),)
        Ranks, in the order in which they were taken.
    """
    taken = list(range(given))
    nearest = np.full(len(embeddings), -np.inf)
    if given:
        nearest = (embeddings @ embeddings[:given].T).max(axis=1).astype(np.float64)
        nearest[:given] = np.inf
    while len(taken) < min(given + count, len(embeddings)):
        # the farthest has the lowest similarity to its nearest row taken
        best = int(np.argmin(nearest)) if taken else 0
        taken.append(best)
        nearest = np.maximum(nearest, embeddings @ embeddings[best])
        nearest[best] = np.inf
    return np.array(taken[given:], dtype=np.int64)


def _take(found: Candidates, wanted: int, s: DiverseSettings) -> np.ndarray:
    # chosen for their spread, ranked by their hardness
    return np.sort(k_center(found.embeddings, wanted))


RULE = Takes(DiverseSettings, _take, "not needed to cover embedding space")
