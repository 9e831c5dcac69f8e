"""What changed from one selection to the next, class by class."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from negmine.mining.selection import Chosen, Selection


@dataclass(frozen=True)
class SelectionChange:
    """Rows of one class, or of all, now and in an older selection.

    Attributes
    ----------
    new, kept, gone : int
        Chosen now alone; in both; then alone.
    median_then, median_now : float
        Of the scores chosen; NaN where none was. Each by the model of its own round.
    moved : float
        Median of what the rows in both gained in score from the older model to the newer; NaN where
        there is none, or none was scored again.
    """

    new: int
    kept: int
    gone: int
    median_then: float
    median_now: float
    moved: float


def compare(
    now: Sequence[Chosen], then: Sequence[Chosen], same_model: bool = False
) -> SelectionChange:
    """Compare chosen rows by recipe and class.

    A row that was replayed keeps the score of the model that chose it (`Selection.join`): unless
    one model scored both, a score that stayed the same to the bit was not computed again.
    """
    new, old = scores_of(now), scores_of(then)
    both = sorted(new.keys() & old.keys())
    gained = [new[key] - old[key] for key in both if same_model or new[key] != old[key]]
    return SelectionChange(
        new=len(new) - len(both),
        kept=len(both),
        gone=len(old) - len(both),
        median_then=median_score(then),
        median_now=median_score(now),
        moved=median(gained) if gained else math.nan,
    )


def compare_classes(
    now: Selection, then: Selection, classes: Sequence[str]
) -> tuple[SelectionChange, dict[str, SelectionChange]]:
    """Compare some classes, together and each."""
    ours, theirs = by_class(now), by_class(then)
    same = now.model == then.model
    each = {name: compare(ours.get(name, []), theirs.get(name, []), same) for name in classes}
    whole = compare(
        [row for name in classes for row in ours.get(name, [])],
        [row for name in classes for row in theirs.get(name, [])],
        same,
    )
    return whole, each


def by_class(selection: Selection) -> dict[str, list[Chosen]]:
    """Group the rows by class, the highest-scoring first."""
    found: dict[str, list[Chosen]] = {}
    for row in sorted(selection.rows, key=lambda row: (-row.score, row.rank, row.recipe)):
        found.setdefault(row.label, []).append(row)
    return found


def scores_of(rows: Sequence[Chosen]) -> dict[tuple[str, str], float]:
    """Return the score of each row, by recipe and class."""
    return {(row.recipe, row.label): row.score for row in rows}


def median_score(rows: Sequence[Chosen]) -> float:
    """Return the median score; NaN without a row."""
    return median(row.score for row in rows) if rows else math.nan
