"""Nearest neighbours of embeddings. The only module that imports faiss."""

from __future__ import annotations

import faiss
import numpy as np


class EmbeddingIndex:
    """Exact search by cosine similarity.

    Parameters
    ----------
    embeddings : float32 array, shape (N, D)
        L2-normalised.
    """

    def __init__(self, embeddings: np.ndarray) -> None:
        self._index = faiss.IndexFlatIP(embeddings.shape[1])
        self._index.add(np.ascontiguousarray(embeddings, dtype=np.float32))

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def nearest(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest row to each query.

        Parameters
        ----------
        queries : float32 array, shape (Q, D)

        Returns
        -------
        row : int64 array, shape (Q,)
            -1 where the index is empty.
        distance : float32 array, shape (Q,)
            1 - cosine similarity; NaN where the index is empty.
        """
        if not len(self) or not len(queries):
            return np.full(len(queries), -1), np.full(len(queries), np.nan, dtype=np.float32)
        similarity, row = self._index.search(np.ascontiguousarray(queries, dtype=np.float32), 1)
        return row[:, 0], 1.0 - similarity[:, 0]

    def within(self, queries: np.ndarray, distance: float) -> list[np.ndarray]:
        """For each query, the rows nearer than a distance, in no order: list of int64 arrays."""
        if not len(self) or not len(queries):
            return [np.zeros(0, dtype=np.int64) for _ in queries]
        limits, _, rows = self._index.range_search(
            np.ascontiguousarray(queries, dtype=np.float32), 1.0 - distance
        )
        return [rows[limits[i] : limits[i + 1]] for i in range(len(queries))]
