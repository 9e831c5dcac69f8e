"""Choosing for all classes: shortlists from one pass over all scores, as long as they must be."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from negmine.mining.choose import Choice, Chooser
from negmine.mining.known import KnownClass
from negmine.mining.rules.chain import Strategy
from negmine.scores.embed import Scores
from negmine.scores.scan import Eligible, Shortlists, highest

# A class's first shortlist is this many times the number wanted; one that is too short grows
# fourfold, up to this many rows: their embeddings are held in memory, one class at a time.
_SHORTLIST = 8
_LONGEST = 20_000
# Times that what is doubted makes room for what is ranked after it.
_PASSES = 10


def pick(
    known: Sequence[KnownClass],
    scores: Scores,
    eligible: Eligible,
    chooser: Chooser,
    strategy: Strategy,
    per_class: int,
) -> tuple[list[Choice], Shortlists]:
    """Choose rows of each class.

    Where so much of a shortlist falls out that too few rows are left, shortlists are made again,
    longer; and at their longest, where most of one is doubted, without what was. A class that hides
    in one row of twenty may fill the head of a large pool.
    """
    longest = max(_LONGEST, per_class * _SHORTLIST)
    open_, doubted = eligible, dict[int, np.ndarray]()
    limits = np.array([strategy.limits(one.scores) for one in known])
    length = per_class * _SHORTLIST
    picked: dict[int, Choice] = {}
    first: Shortlists | None = None
    passes = 0
    while True:
        found = highest(scores, open_, limits, length)
        first = first or found
        short = []
        for one in known:
            before = picked.get(one.column)
            if before is None or len(before.rows) < per_class:
                rows, _ = found.top.best(one.column)
                picked[one.column] = chooser.choose(one, rows, per_class)
                if len(picked[one.column].rows) < per_class and len(rows) == length:
                    short.append(one.column)
        if short and length < longest:
            length = min(length * 4, longest)
            continue
        more = [column for column in short if 2 * len(picked[column].review) >= length]
        passes += 1
        if not more or passes > _PASSES:
            break
        open_ = open_.copy()
        for column in more:
            out = picked[column].review
            open_.close(column, out)
            doubted[column] = np.append(doubted.get(column, out[:0]), out)
    for column, out in doubted.items():
        picked[column] = picked[column].after(out)
    return [picked[one.column] for one in known], first
