"""Columns of rows of several entries each: where each row starts, and what some rows hold."""

from __future__ import annotations

import numpy as np


def offsets(counts: np.ndarray) -> np.ndarray:
    """Return where each run starts, and the end: int64, shape (n + 1,)."""
    out = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=out[1:])
    return out


def ragged(starts: np.ndarray, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return indices of the entries of some rows, row after row, and how many each has.

    ``starts`` are `offsets`. Both int64: shapes (entries,) and (len(rows),).
    """
    counts = starts[rows + 1] - starts[rows]
    return run_indices(starts[rows], counts), counts


def run_indices(starts: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Return the indices of some runs, one after another: int64, shape (counts.sum(),)."""
    shift = np.repeat(starts - offsets(counts)[:-1], counts)
    return np.asarray(shift + np.arange(len(shift)))
