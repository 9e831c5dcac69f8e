"""``leak``: nothing from a held-out recording or site, neither as a source nor in a mix."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np


def free_of(groups: Sequence[Iterable[str]], held_out: frozenset[str]) -> np.ndarray:
    """Which rows draw on no held-out group: bool array, shape (N,).

    Parameters
    ----------
    groups : sequence of iterables of str
        Of each row, the groups of all its layers.
    held_out : frozenset of str
    """
    return np.array([held_out.isdisjoint(of_row) for of_row in groups], dtype=bool)
