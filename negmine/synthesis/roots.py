"""The pool's own rows that a search starts from."""

from __future__ import annotations

import numpy as np

from negmine.pool import Pool
from negmine.scores.embed import Scores
from negmine.synthesis.guard import Guard

# Rows of the pool whose scores are read at a time.
_BLOCK = 65_536

# Rows looked at for each one wanted: near copies and rows of one recording fall out afterwards.
# Where the guard refuses most of a kind, up to this many are.
_WIDER = 4
_LONGEST = 20_000


def hardest_roots(
    pool: Pool,
    name: str,
    column: int,
    certified: np.ndarray,
    scores: Scores,
    guard: Guard,
    enough: int,
) -> np.ndarray:
    """Find the rows that score highest for a class, of each kind several times ``enough``.

    Parameters
    ----------
    name : str
        The class.
    column : int
        Of its logits.
    certified : int array
        Rows that are eligible as its negatives.
    scores : Scores
        Of the pool's rows.
    guard : Guard
        What it refuses is left out, and as far as need be the next ones are looked at.

    Returns
    -------
    int64 array, shape (n,)
    """
    kinds, count = pool.recipes.kind, _WIDER * enough
    while True:
        rows = _hardest(scores, certified, kinds[certified], column, count)
        refused = guard.refuses(
            column,
            pool.recipes.ids[rows],
            pool.recipes.confidence(name, rows),
            scores.logits(rows)[:, column],
            scores.embeddings(rows),
        )
        kept = rows[~refused]
        looked_at, left = (
            np.bincount(kinds[some], minlength=len(pool.recipes.kind_names))
            for some in (rows, kept)
        )
        if count >= _LONGEST or not ((looked_at == count) & (left < enough)).any():
            return np.asarray(kept)
        count *= _WIDER


def _hardest(
    scores: Scores, rows: np.ndarray, kinds: np.ndarray, column: int, count: int
) -> np.ndarray:
    """Find the ``count`` highest-scoring of some rows of each kind, in one pass: int64, (n,).

    ``kinds`` are their numbers. Ties go to the earlier row.
    """
    kept = np.zeros((3, 0), dtype=np.float64)
    for first in range(0, len(rows), _BLOCK):
        here = slice(first, first + _BLOCK)
        logits = scores.logits(rows[here])[:, column]
        # kind, minus the score, row: as float64 all are exact
        offered = np.concatenate([kept, np.stack([kinds[here], -logits, rows[here]])], axis=1)
        offered = offered[:, np.lexsort(offered[::-1])]
        place = np.arange(offered.shape[1]) - np.searchsorted(offered[0], offered[0])
        kept = offered[:, place < count]
    return np.asarray(kept[2], dtype=np.int64)
