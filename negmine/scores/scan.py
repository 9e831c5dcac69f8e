"""Passes over all scores of a pool, block by block: what ranks highest, what is nearest.

For the tens or hundreds of confirmed calls of a class, one matrix product over the embeddings as
they are on disk (bfloat16, memory-mapped) beats any index. Their lengths are off by the rounding,
so a cut wider than wanted is taken, and ranked again by rows of unit length.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from negmine.scores.embed import Block
from negmine.scores.joint import JointScores
from negmine.scores.top import TopRows

# The cut of the first pass, as a multiple of what is wanted.
WIDER = 4
# Rows converted to float32 at a time: a piece fits the processor's cache.
_PIECE = 2048


class Eligible:
    """Which rows are eligible as a negative of which class: a bit each.

    Parameters
    ----------
    bits : uint8 array, shape (ceil(C / 8), N)
        Class c is bit c % 8 of row c // 8, as `RecipeTable.certified` tells.
    """

    def __init__(self, bits: np.ndarray) -> None:
        self._bits = bits

    def copy(self) -> Eligible:
        return Eligible(self._bits.copy())

    def close(self, column: int, rows: np.ndarray) -> None:
        """Exclude rows of one class from now on: int array."""
        self._bits[column // 8, rows] &= np.uint8(255 - (1 << column % 8))

    def of_class(self, column: int) -> np.ndarray:
        """Return the rows of one class: bool array, shape (N,)."""
        return np.asarray((self._bits[column // 8] & np.uint8(1 << column % 8)) != 0)

    def at(self, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
        """Return pairs of a row and a class: bool array, shape (n,)."""
        return np.asarray((self._bits[columns // 8, rows] >> columns % 8 & 1) != 0)

    def of_rows(self, rows: np.ndarray, classes: int) -> np.ndarray:
        """Return some rows for all classes: bool array, shape (len(rows), classes)."""
        bits = np.unpackbits(self._bits[:, rows], axis=0, count=classes, bitorder="little")
        return bits.T.astype(bool)


@dataclass(frozen=True)
class Shortlists:
    """The best rows of each class, and how many were outside its limits.

    Attributes
    ----------
    top : TopRows
    outside : int64 array, shape (C, 2)
        Eligible rows that scored below, and above.
    """

    top: TopRows
    outside: np.ndarray


def highest(scores: JointScores, eligible: Eligible, limits: np.ndarray, length: int) -> Shortlists:
    """Find the rows that score highest for each class, in one pass.

    Parameters
    ----------
    scores : JointScores
    eligible : Eligible
    limits : float array, shape (C, 2)
        The lowest and the highest score that may enter, by class.
    length : int
        Rows a class.
    """
    classes = len(limits)
    found = Shortlists(TopRows(classes, length), np.zeros((classes, 2), dtype=np.int64))
    for block in scores:
        _take_in(found, block, block.logits, eligible, limits)
    return found


def most_similar(
    scores: JointScores,
    calls: Sequence[np.ndarray],
    eligible: Eligible,
    limits: np.ndarray,
    length: int,
) -> Shortlists:
    """Find the rows nearest to any confirmed call of each class, in one pass.

    Parameters
    ----------
    scores : JointScores
    calls : sequence of float32 arrays, shape (P_c, D)
        The calls' embeddings, L2-normalised, one array a class; a class without calls has no rows.
    eligible : Eligible
    limits : float array, shape (C, 2)
        As for `highest`: of scores, not of similarities.
    length : int
        Rows a class.
    """
    classes = len(calls)
    wide = Shortlists(TopRows(classes, length * WIDER), np.zeros((classes, 2), dtype=np.int64))
    starts = np.cumsum([0, *(len(of_class) for of_class in calls)])
    stacked = np.concatenate(calls).astype(np.float32)
    for block in scores:
        near = products(block.embeddings, stacked)
        keys = np.full((len(block.rows), classes), -np.inf, dtype=np.float32)
        for column in range(classes):
            first, last = starts[column], starts[column + 1]
            if last > first:
                keys[:, column] = near[:, first:last].max(axis=1)
        _take_in(wide, block, keys, eligible, limits)
    top = TopRows(classes, length)
    for column, of_class in enumerate(calls):
        rows, _ = wide.top.best(column)
        if len(rows):
            keys = (scores.embeddings(rows) @ of_class.T).max(axis=1)
            top.offer(rows, np.full(len(rows), column), keys)
    return Shortlists(top, wide.outside)


def _take_in(
    found: Shortlists, block: Block, keys: np.ndarray, eligible: Eligible, limits: np.ndarray
) -> None:
    """Offer what of a block may enter, ranked by keys: float32, shape (n, C); -inf: never."""
    classes = keys.shape[1]
    if np.isfinite(limits).any():
        may = eligible.of_rows(block.rows, classes) & (keys > -np.inf)
        below = (block.logits < limits[:, 0]) & may
        above = (block.logits > limits[:, 1]) & may
        found.outside[:, 0] += below.sum(axis=0)
        found.outside[:, 1] += above.sum(axis=0)
        keys = np.where(below | above, -np.inf, keys)
    # once lists are full, few reach their floors: only those are asked whether they may
    inside, columns = np.divmod(np.flatnonzero(keys >= found.top.floor), classes)
    rows = block.rows[inside]
    may = eligible.at(rows, columns)
    found.top.offer(rows[may], columns[may], keys[inside[may], columns[may]])


def products(embeddings: np.ndarray, queries: np.ndarray) -> np.ndarray:
    """Compute dot products: bfloat16 (N, D) and float32 (Q, D) give float32 (N, Q)."""
    found = np.empty((len(embeddings), len(queries)), dtype=np.float32)
    for start in range(0, len(embeddings), _PIECE):
        here = slice(start, start + _PIECE)
        np.matmul(embeddings[here].astype(np.float32), queries.T, out=found[here])
    return found
