"""``control``: random negatives that train as much, so that a claim of benefit can be tested."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

# A row is drawn out of this many times the rows that are wanted of its cells and weight: with
# fewer to choose from, the control would be the selection itself.
_AMONG = 4
# Rows of a kind that are drawn from, where there are more: a random part of them, and so many times
# the number wanted.
_SAMPLE, _OF_EACH = 20_000, 100


def matched_random(
    eligible: np.ndarray,
    kinds: np.ndarray,
    cells: np.ndarray,
    weights: Callable[[np.ndarray], np.ndarray],
    chosen: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    """Return rows drawn at random that train as much as those of another selection of the class.

    For each chosen row one of the same kind, of as many known cells and of the same weight. Where
    hardly another row is like it, those that come next by cells, then by weight, are drawn from,
    too.

    Parameters
    ----------
    eligible : bool array, shape (N,)
        Which rows are certified for the class and not held out.
    kinds : int array, shape (N,)
        Their kinds, by number.
    cells : int array, shape (N,)
        How many classes each is certified free of.
    weights : callable
        Given rows, returns how sure it is that each is free of the class: the weight of its zero in
        a loss.
    chosen : int array, shape (m,)
        The rows of the selection to match, all eligible.

    Returns
    -------
    int64 array, shape (m,)
        Distinct rows, sorted. The selection's own rows may be among them.
    """
    drawn = [np.zeros(0, dtype=np.int64)]
    for kind in np.unique(kinds[chosen]):
        among, wanted = np.flatnonzero(eligible & (kinds == kind)), chosen[kinds[chosen] == kind]
        most = max(_SAMPLE, _OF_EACH * len(wanted))
        may = among if len(among) <= most else rng.choice(among, most, replace=False)
        rows = np.union1d(may, wanted)
        alike = np.stack([cells[rows], weights(rows)], axis=1).astype(np.float64)
        order = np.lexsort(alike.T[::-1])
        rows = rows[order]
        drawn.append(rows[_draw(alike[order], np.isin(rows, wanted), np.isin(rows, may), rng)])
    return np.sort(np.concatenate(drawn))


def _draw(
    alike: np.ndarray, chosen: np.ndarray, may: np.ndarray, rng: np.random.Generator
) -> np.ndarray:
    """Return places of sorted rows, as many of each sort as are chosen, or of the sorts beside it.

    Parameters
    ----------
    alike : float64 array, shape (n, 2)
        Rows that are the same here are of one sort.
    chosen, may : bool array, shape (n,)
        Which are to be matched, and which are drawn from: as many, or more.
    """
    new = np.append(True, (alike[1:] != alike[:-1]).any(axis=1))
    starts = np.append(np.flatnonzero(new), len(alike))
    wanted = np.add.reduceat(chosen.astype(np.int64), starts[:-1])
    free = may.copy()
    for sort in rng.permutation(np.flatnonzero(wanted)).tolist():
        count, low, high = int(wanted[sort]), int(starts[sort]), int(starts[sort + 1])
        enough = min(_AMONG * count, int(np.count_nonzero(free)))
        reach = _AMONG * count
        while (left := np.flatnonzero(free[low:high])).size < enough:
            low, high, reach = max(0, low - reach), high + reach, 2 * reach
        free[low + rng.choice(left, count, replace=False)] = False
    return np.flatnonzero(may & ~free)
