"""A FAISS index over a pool's embeddings, kept beside them: what sounds like this, in millions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np

from negmine.errors import DamageError, InputError
from negmine.notices import warn
from negmine.scores.embed import Scores
from negmine.scores.index import FaissIndex
from negmine.scores.settings import SearchSettings
from negmine.storage.digests import file_digest
from negmine.storage.files import write_json, writing
from negmine.storage.locks import only_here
from negmine.storage.text_files import read_json

# Below this many rows an exact search takes milliseconds.
FLAT_ROWS = 100_000
# Rows that HNSW is built over in a few minutes; it then answers fastest.
HNSW_ROWS = 500_000
_HNSW_LINKS = 32
_SQ_BYTES, _FLOAT_BYTES = 1, 4
# Rows a cluster is trained on; FAISS asks for 39 at least.
_TRAIN_PER_CLUSTER = 50
_QUERIES, _NEIGHBOURS = 200, 10
# A new index looks at twice as much until it finds this share, or no longer gains by it.
_RECALL, _LEAST_GAIN = 0.95, 0.01
# Rows of embeddings held in memory while an index is filled.
_PIECE = 20_000


@dataclass(frozen=True)
class IndexInfo:
    """What an index is of, and how good it is.

    Attributes
    ----------
    factory : str
        As FAISS's ``index_factory`` reads it.
    reason : str
        Why this one.
    recall : float
        Share of the ten nearest by exact search that it finds, over 200 rows as queries.
    effort : int
        Clusters or candidates that a search looks at; 0: all.
    content : str
        Digest of the rows.
    digest : str
        Of the index's file.
    """

    factory: str
    reason: str
    rows: int
    width: int
    recall: float
    effort: int
    content: str
    digest: str


def choose_factory(rows: int, width: int, memory_bytes: float) -> tuple[str, str]:
    """Choose an index by size and memory, and say why.

    Parameters
    ----------
    rows, width : int
        Of the embeddings.
    memory_bytes : float
        Memory that the index may take.

    Returns
    -------
    factory, reason : str
    """
    flat = rows * width * _FLOAT_BYTES
    if rows <= FLAT_ROWS and flat <= memory_bytes:
        return "Flat", f"{rows} rows: exact search is fast"
    linked = flat + rows * _HNSW_LINKS * 2 * _FLOAT_BYTES
    if rows <= HNSW_ROWS and linked <= memory_bytes:
        size = f"{rows} rows, {linked / 2**30:.1f} GiB"
        return f"HNSW{_HNSW_LINKS}", f"{size}: a graph answers fastest"
    # some four roots of the rows, as FAISS's guidelines have it
    clusters = 2 ** max(4, round(np.log2(4 * np.sqrt(max(rows, 1)))))
    packed = rows * width * _SQ_BYTES
    if packed <= memory_bytes:
        return f"IVF{clusters},SQ8", f"{rows} rows, {packed / 2**30:.1f} GiB in bytes: clusters"
    code = next((c for c in (64, 48, 32, 16, 8, 4, 2) if width % c == 0), 1)
    return (
        f"IVF{clusters},PQ{code}",
        f"{rows} rows would take {packed / 2**30:.1f} GiB in bytes: codes of {code} bytes",
    )


class PoolIndex:
    """An index over the rows of a table of scores."""

    def __init__(self, index: FaissIndex, info: IndexInfo) -> None:
        self._index = index
        self.info = info

    def search(self, queries: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
        """Find the rows nearest to each query, and their cosine similarity: both (Q, count).

        Fewer than ``count`` found are filled up with row -1.
        """
        return self._index.search(queries, count)


def open_index(
    scores: Scores,
    content: str,
    factory: str | None = None,
    memory_gib: float = SearchSettings().memory_gib,
    *,
    on_rows: Callable[[int], object] = lambda rows: None,
) -> tuple[PoolIndex, bool]:
    """Open the index beside a store; build it where there is none, or another is asked for.

    Parameters
    ----------
    content : str
        Digest of the rows that are scored, such as the pool's. Other rows need another index.
    factory : str, optional
        As FAISS's ``index_factory`` reads it; by default the size decides: `choose_factory`.
    memory_gib : float
        That the index may take.
    on_rows : callable
        Called with a number of rows as they are added.

    Returns
    -------
    index : PoolIndex
    built : bool

    Raises
    ------
    PoolError
        If FAISS knows no such factory, or it does not fit the rows.
    """
    with only_here(scores.store.folder / "index", wait=True):
        return _open_or_build(scores, content, factory, memory_gib * 2**30, on_rows)


def _open_or_build(
    scores: Scores,
    content: str,
    factory: str | None,
    memory_bytes: float,
    on_rows: Callable[[int], object],
) -> tuple[PoolIndex, bool]:
    folder = scores.store.folder / "index"
    described, stored = folder / "index.json", folder / "index.faiss"
    width = scores.embeddings(np.arange(min(1, len(scores)))).shape[1]
    chosen, reason = choose_factory(len(scores), width, memory_bytes)
    if factory:
        chosen, reason = factory, "as asked for"
    found = _read_info(described)
    asked = (content, chosen, len(scores))
    if found and (found.content, found.factory, found.rows) == asked and stored.exists():
        if file_digest(stored) == found.digest:
            return PoolIndex(FaissIndex.read(stored), found), False
        warn(f"{stored}: damaged; the index is built again")
    rng = np.random.default_rng(0)
    index = FaissIndex(width, chosen)
    sample = min(len(scores), max(10_000, _TRAIN_PER_CLUSTER * index.clusters))
    index.train(scores.embeddings(np.sort(rng.choice(len(scores), sample, replace=False))))
    for start in range(0, len(scores), _PIECE):
        rows = np.arange(start, min(start + _PIECE, len(scores)))
        index.add(scores.embeddings(rows))
        on_rows(len(rows))
    recall = _tuned_recall(index, scores, rng)
    # without its description an index is not taken
    described.unlink(missing_ok=True)
    with writing(stored) as temporary:
        index.write(temporary)
        written = file_digest(temporary)
    effort = index.effort
    info = IndexInfo(chosen, reason, len(scores), width, recall, effort, content, written)
    write_json(described, asdict(info))
    return PoolIndex(index, info), True


def _tuned_recall(index: FaissIndex, scores: Scores, rng: np.random.Generator) -> float:
    """Let an index look at as much as it needs; its recall then."""
    rows = rng.choice(len(scores), min(_QUERIES, len(scores)), replace=False)
    queries = scores.embeddings(rows)
    count = min(_NEIGHBOURS, len(scores))
    exact = np.full((len(rows), count), -np.inf, dtype=np.float32)
    for start in range(0, len(scores), _PIECE):
        piece = np.arange(start, min(start + _PIECE, len(scores)))
        every = np.concatenate([exact, queries @ scores.embeddings(piece).T], axis=1)
        exact = -np.partition(-every, count - 1, axis=1)[:, :count]
    least = exact.min(axis=1, keepdims=True) - 1e-5
    recall, before = _recall(index, scores, queries, least, count), -1.0
    while recall < _RECALL and recall >= before + _LEAST_GAIN and index.look_at_twice_as_much():
        recall, before = _recall(index, scores, queries, least, count), recall
    return recall


def _recall(
    index: FaissIndex, scores: Scores, queries: np.ndarray, least: np.ndarray, count: int
) -> float:
    """Return the share of found rows that are as similar as the nearest ones.

    Rows are compared by similarity, since of equal sounds either is right.
    """
    found, _ = index.search(queries, count)
    similarity = np.stack(
        [
            np.where(of_one >= 0, scores.embeddings(np.maximum(of_one, 0)) @ query, -np.inf)
            for of_one, query in zip(found, queries, strict=True)
        ]
    )
    return float((similarity >= least).mean())


def _read_info(path: Path) -> IndexInfo | None:
    try:
        return IndexInfo(**read_json(path, "the index is built again"))
    except DamageError as error:
        warn(str(error))
        return None
    except (InputError, TypeError):
        # none, or of an earlier version
        return None
