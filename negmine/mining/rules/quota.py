"""``quota``: no recording, kind or certificate takes more than its share of a class."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Literal

import numpy as np

from negmine.mining.rules.rule import Candidates, Takes
from negmine.settings import Count, Settings, setting


class QuotaSettings(Settings, frozen=True):
    """Quota: no kind, certificate, source or group has more than so many rows of a class."""

    by: Literal["kind", "certificate", "source", "group"] = setting(
        "group", "What it is of.", flag=""
    )
    most: Count = setting(5, "Rows of a class.", flag="")


def within_quota(keys: Sequence[Iterable[str]], most: int) -> np.ndarray:
    """Walk down a ranking and drop what would take a key over its quota.

    Parameters
    ----------
    keys : sequence of iterables of str
        Of each rank, its keys: the groups of a mix's parts, or its one kind. A row counts towards
        every one of its keys, and is dropped if any of them is full.
    most : int
        Rows a key may have.

    Returns
    -------
    bool array, shape (N,)
        True where kept.
    """
    taken: Counter[str] = Counter()
    kept = np.zeros(len(keys), dtype=bool)
    for rank, of_row in enumerate(keys):
        names = frozenset(of_row)
        if all(taken[name] < most for name in names):
            taken.update(names)
            kept[rank] = True
    return kept


def _take(found: Candidates, wanted: int, s: QuotaSettings) -> np.ndarray:
    return np.flatnonzero(within_quota(found.keys(s.by), s.most))


RULE = Takes(QuotaSettings, _take, "its kind, certificate, source or group has enough")
