"""How many rows of each class a selection wants: even shares, or where a negative costs most."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from negmine.mining.known import KnownClass
from negmine.mining.rules.alarm import alarm_rate, shares
from negmine.mining.rules.intrusion import IntrusionCost
from negmine.pool import Pool
from negmine.scores.joint import JointScores
from negmine.scores.scan import Shortlists

# The most that one class may have of a budget that classes share, in even shares.
_MOST_SHARES = 4


def wanted_rows(
    ranking: str,
    per_class: int,
    pool: Pool,
    known: Sequence[KnownClass],
    calls: JointScores,
    found: Shortlists,
) -> list[int]:
    """Return how many rows of each class are wanted: all classes together have ``per_class`` each.

    Parameters
    ----------
    ranking : str
        ``intrusion`` and ``alarm`` share the budget by cost, the others evenly.
    per_class : int
    pool : Pool
    known : sequence of KnownClass
    calls : JointScores
        Of the pool's confirmed calls.
    found : Shortlists
        By score.
    """
    most = per_class * _MOST_SHARES
    if ranking == "intrusion":
        return _by_intrusion(per_class, most, pool, known, calls, found)
    if ranking == "alarm":
        rates = np.array([alarm_rate(one.scores.calls, one.scores.reference) for one in known])
        return [int(count) for count in shares(rates, per_class * len(known), most)]
    return [per_class] * len(known)


def _by_intrusion(
    per_class: int,
    most: int,
    pool: Pool,
    known: Sequence[KnownClass],
    calls: JointScores,
    found: Shortlists,
) -> list[int]:
    every = pool.distinct_calls
    present = np.stack([pool.calls.present(one.name)[every] for one in known], axis=1)
    cost = IntrusionCost(calls.logits(every), present)
    costs = [cost(one.column, found.top.best(one.column)[1][:most]) for one in known]
    column = np.repeat(np.arange(len(known)), [len(of_class) for of_class in costs])
    # stable: of equal costs, every class's best before any class's second
    rank = np.concatenate([np.arange(len(of_class)) for of_class in costs])
    order = np.lexsort((column, rank, -np.concatenate(costs)))[: per_class * len(known)]
    return [int(count) for count in np.bincount(column[order], minlength=len(known))]
