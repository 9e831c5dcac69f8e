"""Drawing rows that are certified free of a class, for what mixes and transplants."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from negmine.arrays import IntEntries, IntRows
from negmine.recipes.columns import offsets
from negmine.recipes.dictionaries import Dictionaries
from negmine.recipes.recipe import Recipes


def sounds(parts: Recipes) -> IntRows:
    """Give each row a number by the bytes of its first source: copies share one."""
    _, of_source = np.unique(parts.dictionaries.keys, return_inverse=True)
    return np.asarray(of_source[parts.of_first("source")])


@dataclass(frozen=True)
class Certified:
    """The rows that are certified free of each class, to draw from.

    Rows are sorted by label set, so a class is a few runs of rows; none is listed twice.
    """

    rows: np.ndarray
    """Rows of the parts, sorted by what they are certified for: int64, shape (n,)."""
    run_ends: np.ndarray
    """Running count of rows over the runs of all classes: int64, shape (runs,)."""
    run_last: np.ndarray
    """Where each run ends in ``rows``: int64, shape (runs,)."""
    first: np.ndarray
    """The running count at which each class starts, and the total: int64, shape (C + 1,)."""
    classes: np.ndarray
    """Classes with two rows or more."""

    @classmethod
    def of(cls, parts: Recipes, classes: Sequence[str]) -> Certified:
        sets = _row_sets(parts)
        rows = np.argsort(sets.numbers, kind="stable")
        ends = np.cumsum(np.bincount(sets.numbers, minlength=len(sets.distinct)))
        index = {name: column for column, name in enumerate(classes)}
        absent = [_columns(parts.dictionaries, labels, index) for labels in sets.distinct]
        runs = np.repeat(np.arange(len(absent)), [len(columns) for columns in absent])
        column = np.concatenate([*absent, np.zeros(0, dtype=np.int64)])
        order = np.argsort(column, kind="stable")
        runs, column = runs[order], column[order]
        lengths = np.diff(ends, prepend=0)[runs]
        per_class = np.bincount(column, weights=lengths, minlength=len(classes)).astype(np.int64)
        return cls(
            rows=rows,
            run_ends=np.cumsum(lengths),
            run_last=ends[runs],
            first=offsets(per_class),
            classes=np.flatnonzero(per_class > 1),
        )

    def draw(self, column: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Draw rows certified for some classes: int64, shape (n, p).

        Parameters
        ----------
        column : int array, shape (n,)
        uniform : float64 array, shape (n, p)
            In [0, 1).
        """
        first = self.first[column][:, None]
        count = self.first[column + 1][:, None] - first
        at = first + (uniform * count).astype(np.int64)
        run = np.searchsorted(self.run_ends, at, side="right")
        return np.asarray(self.rows[self.run_last[run] - (self.run_ends[run] - at)])


@dataclass(frozen=True)
class _Sets:
    """The distinct combinations of label sets of rows, and which each row has."""

    numbers: np.ndarray
    distinct: list[tuple[int, ...]]


def _row_sets(parts: Recipes) -> _Sets:
    known: dict[tuple[int, ...], int] = {}
    label, bounds = parts.labels.values["label"].tolist(), parts.labels.starts.tolist()
    numbers = [
        known.setdefault(tuple(label[bounds[row] : bounds[row + 1]]), len(known))
        for row in range(len(parts))
    ]
    return _Sets(np.array(numbers, dtype=np.int64), list(known))


def _columns(d: Dictionaries, sets: tuple[int, ...], index: dict[str, int]) -> IntEntries:
    """Return the classes that the mix of some label sets certifies absent, by number, sorted."""
    absent = set.intersection(*(set(d.labels[number].absent) for number in sets))
    return np.array(sorted(index[name] for name in absent if name in index), dtype=np.int64)
