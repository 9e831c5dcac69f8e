"""The confirmed call that is nearest to a row in embedding space."""

from __future__ import annotations

import numpy as np


def nearest_call(embeddings: np.ndarray, calls: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Find the confirmed call nearest to each row, and how similar it is.

    Parameters
    ----------
    embeddings : float32 array, shape (N, D)
    calls : float32 array, shape (P, D)
        Both L2-normalised.

    Returns
    -------
    call : int64 array, shape (N,)
        The first of those equally near; -1 where there is no call.
    similarity : float32 array, shape (N,)
        Cosine, in [-1, 1]; -1 where there is no call.
    """
    if not len(calls):
        return np.full(len(embeddings), -1), np.full(len(embeddings), -1.0, dtype=np.float32)
    every = embeddings @ calls.T
    call = every.argmax(axis=1)
    similarity = np.take_along_axis(every, call[:, None], axis=1)[:, 0]
    return call, np.asarray(similarity, dtype=np.float32)


def call_similarity(embeddings: np.ndarray, calls: np.ndarray) -> np.ndarray:
    """Return cosine similarity of each row to its `nearest_call`: float32, shape (N,)."""
    return nearest_call(embeddings, calls)[1]
