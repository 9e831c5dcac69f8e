"""``near``: the rows that lie nearest to the class's confirmed calls in embedding space."""

from __future__ import annotations

import numpy as np


def call_similarity(embeddings: np.ndarray, calls: np.ndarray) -> np.ndarray:
    """Cosine similarity of each row to the nearest confirmed call.

    Parameters
    ----------
    embeddings : float32 array, shape (N, D)
    calls : float32 array, shape (P, D)
        Both L2-normalised.

    Returns
    -------
    float32 array, shape (N,)
        In [-1, 1]; -1 where there is no call.
    """
    if not len(calls):
        return np.full(len(embeddings), -1.0, dtype=np.float32)
    return np.asarray((embeddings @ calls.T).max(axis=1), dtype=np.float32)
