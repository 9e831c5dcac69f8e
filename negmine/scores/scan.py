"""A pass over all scores of a pool, block by block: what scores highest for each class."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from negmine.scores.embed import Scores
from negmine.scores.top import TopRows

# Bits that are set in each byte.
_ONES = np.unpackbits(np.arange(256, dtype=np.uint8)[:, None], axis=1).sum(axis=1, dtype=np.int64)


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

    def counts(self) -> np.ndarray:
        """Count the classes that each row is eligible for: int64 array, shape (N,)."""
        out = np.zeros(self._bits.shape[1], dtype=np.int64)
        for byte in self._bits:
            out += _ONES[byte]
        return out

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
    outside : int64 array, shape (C, 2)
        Eligible rows that scored below, and above.
    """

    top: TopRows
    outside: np.ndarray


def highest(scores: Scores, eligible: Eligible, limits: np.ndarray, length: int) -> Shortlists:
    """Find the rows that score highest for each class, in one pass.

    Parameters
    ----------
    limits : float array, shape (C, 2)
        The lowest and the highest score that may enter, by class.
    length : int
        Rows a class.
    """
    classes = len(limits)
    found = Shortlists(TopRows(classes, length), np.zeros((classes, 2), dtype=np.int64))
    limited = bool(np.isfinite(limits).any())
    for rows, keys in scores:
        if limited:
            below, above = keys < limits[:, 0], keys > limits[:, 1]
            may = eligible.of_rows(rows, classes)
            found.outside[:, 0] += (below & may).sum(axis=0)
            found.outside[:, 1] += (above & may).sum(axis=0)
            keys = np.where(below | above, -np.inf, keys)
        # once lists are full, few reach their floors: only those are asked whether they may
        inside, columns = np.divmod(np.flatnonzero(keys >= found.top.floor), classes)
        allowed = eligible.at(rows[inside], columns)
        inside, columns = inside[allowed], columns[allowed]
        found.top.offer(rows[inside], columns, keys[inside, columns])
    return found
