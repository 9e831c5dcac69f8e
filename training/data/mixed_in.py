"""Negatives of a pool, mixed into the rows of a step at random levels.

A row of zeros has no pair to rank, so a ranking loss learns nothing from it, and whatever all zeros
share, their background first, tells them from calls. Mixed into a confirmed call, a negative is
what the call is to be told from, and its background is as common with calls as without.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from training.data.mixup import mix
from training.data.pool_rows import PoolRows
from training.data.rows import Example, RowKind, make_example
from training.data.settings import MixBy
from training.data.streams import Stream


class MixedIn:
    """Mixes drawn negatives into rows.

    Rows of all kinds get one with the same chance, or the network would learn that what is mixed is
    a call. So which class a negative was drawn for is a preference: where there is none such for a
    row, another joins it. Two rules are strict. A row that is certified free of classes gets a
    negative that is free of one of them, so that a known zero stays. And a class that no negative
    is free of has no mixed zeros, so rows in which it calls are not mixed either.

    Parameters
    ----------
    rows : PoolRows
        Certified negatives.
    classes : sequence of str
        In the order of the model's outputs.
    share : float
        Of all rows.
    snr_db : (float, float)
        Lowest and highest level of the row over the negative.
    seed : int
        The run's.
    stream : Stream

    Attributes
    ----------
    unmixed : tuple of str
        Classes that no negative is free of.
    """

    def __init__(
        self,
        rows: PoolRows,
        classes: Sequence[str],
        share: float,
        snr_db: tuple[float, float],
        seed: int,
        stream: Stream,
    ) -> None:
        self._rows, self._classes = rows, tuple(classes)
        self._share, self._snr_db = share, snr_db
        self._seed, self._stream = seed, stream
        certified = set().union(*(labels.absent for labels in {r.labels for r in rows.recipes}))
        self._free = np.array([name in certified for name in self._classes])
        self.unmixed = tuple(name for name in self._classes if name not in certified)
        self._free_rows: dict[int, np.ndarray] = {}

    def transform(self, example: Example, step: int, index: int, by: MixBy) -> Example:
        """Mix a negative into a row of the step, or not: the same for the same row.

        Parameters
        ----------
        by : {"other", "own", "any"}
            For which class a negative that joins a call was drawn, where there is one.
        """
        if not self._share:
            return example
        rng = np.random.default_rng([self._seed, step, self._stream, index])
        if rng.random() >= self._share:
            return example
        partner = self._partner(example, by, rng)
        if partner is None:
            return example
        negative = make_example(self._rows.row(partner), self._classes)
        return mix(example, negative, rng.uniform(*self._snr_db))

    def _partner(self, example: Example, by: MixBy, rng: np.random.Generator) -> int | None:
        """Draw the negative that joins a row, by its place in the recipes; None if none may."""
        cells = example.cells
        present = cells.known & (cells.targets == 1)
        absent = cells.known & (cells.targets == 0)
        if present[~self._free].any():
            return None
        any_class = np.ones_like(present)
        certified = example.kind is not RowKind.TP and bool(absent.any())
        if certified:
            preferred = [absent]
        elif example.kind is RowKind.TP and by != "any":
            preferred = [present, any_class] if by == "own" else [~present, any_class]
        else:
            preferred = [any_class]
        for mask in preferred:
            places = np.flatnonzero(mask[self._rows.columns])
            if len(places):
                return self._rows.draw(rng, places)[0]
        # nothing was drawn for a class that this row is free of; but another may be free of it
        columns = np.flatnonzero(absent & self._free)
        if not len(columns):
            return None
        rows = self._free_of(int(columns[rng.integers(len(columns))]))
        return int(rows[rng.integers(len(rows))])

    def _free_of(self, column: int) -> np.ndarray:
        """Return the recipes that are certified free of a class: their places."""
        if column not in self._free_rows:
            name = self._classes[column]
            found = [i for i, r in enumerate(self._rows.recipes) if name in r.labels.absent]
            self._free_rows[column] = np.array(found)
        return self._free_rows[column]
