"""Nearest neighbours of embeddings. The only module that imports faiss."""

from __future__ import annotations

from pathlib import Path

import faiss
import numpy as np

from negmine.errors import PoolError

# With more, walking a graph costs as much as comparing everything.
_MOST_CANDIDATES = 2048


class EmbeddingIndex:
    """Exact search by cosine similarity, in pieces: no matrix of all pairs is made.

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

    def within(self, queries: np.ndarray, distance: float) -> list[np.ndarray]:
        """Find, for each query, the rows nearer than a distance: arrays of int64, unordered."""
        if not len(self) or not len(queries):
            return [np.zeros(0, dtype=np.int64) for _ in queries]
        limits, _, rows = self._index.range_search(
            np.ascontiguousarray(queries, dtype=np.float32), 1.0 - distance
        )
        return [rows[limits[i] : limits[i + 1]] for i in range(len(queries))]


class FaissIndex:
    """An index of any kind that FAISS makes, by inner product.

    Parameters
    ----------
    width : int
        Of the embeddings, L2-normalised.
    factory : str
        As ``faiss.index_factory`` reads it: ``Flat``, ``HNSW32``, ``IVF4096,SQ8``, ...

    Raises
    ------
    PoolError
        If FAISS knows no such factory, or it does not fit the width.
    """

    def __init__(self, width: int, factory: str) -> None:
        self._factory = factory
        try:
            self._index = faiss.index_factory(width, factory, faiss.METRIC_INNER_PRODUCT)
        except RuntimeError as error:
            raise PoolError(
                f"index '{factory}': FAISS makes no such index of {width} numbers a row; "
                "expected such as Flat, HNSW32, IVF4096,SQ8 or IVF4096,PQ64"
            ) from error
        self._look_at(max(1, self.clusters // 16) if self.clusters else 64)

    @classmethod
    def read(cls, path: Path) -> FaissIndex:
        """Open an index that was written, mapped into memory.

        Raises
        ------
        PoolError
            If the file is damaged.
        """
        made = cls.__new__(cls)
        made._factory = ""
        try:
            made._index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP | faiss.IO_FLAG_READ_ONLY)
        except RuntimeError as error:
            raise PoolError(f"{path}: damaged index; remove it and run again") from error
        return made

    @property
    def clusters(self) -> int:
        """Clusters of an inverted file; 0 of other kinds."""
        ivf = faiss.try_extract_index_ivf(self._index)
        return int(ivf.nlist) if ivf else 0

    @property
    def effort(self) -> int:
        """What a search looks at: clusters of an inverted file, candidates in a graph; 0: all."""
        if self.clusters:
            return int(faiss.extract_index_ivf(self._index).nprobe)
        return int(self._index.hnsw.efSearch) if isinstance(self._index, faiss.IndexHNSW) else 0

    def look_at_twice_as_much(self) -> bool:
        """Search better and slower from now on; False where it is at its limit already."""
        before = self.effort
        self._look_at(min(2 * before, self.clusters or _MOST_CANDIDATES))
        return self.effort > before

    def _look_at(self, effort: int) -> None:
        if self.clusters:
            faiss.extract_index_ivf(self._index).nprobe = effort
        elif isinstance(self._index, faiss.IndexHNSW):
            self._index.hnsw.efSearch = effort

    def __len__(self) -> int:
        return int(self._index.ntotal)

    def train(self, embeddings: np.ndarray) -> None:
        """Learn clusters and codes from some rows: float32, shape (n, D).

        Raises
        ------
        PoolError
            If they are too few for this kind.
        """
        try:
            self._index.train(np.ascontiguousarray(embeddings, dtype=np.float32))
        except RuntimeError as error:
            raise PoolError(
                f"index '{self._factory}': {len(embeddings)} rows are too few to train it on; "
                "take Flat"
            ) from error

    def add(self, embeddings: np.ndarray) -> None:
        """Add rows; they are numbered as they come."""
        self._index.add(np.ascontiguousarray(embeddings, dtype=np.float32))

    def search(self, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the rows nearest to each query, -1 where there is none; similarity: (Q, count)."""
        similarity, rows = self._index.search(
            np.ascontiguousarray(queries, dtype=np.float32), count
        )
        return rows, similarity

    def write(self, path: Path) -> None:
        """Write the index."""
        faiss.write_index(self._index, str(path))
