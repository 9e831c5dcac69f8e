"""What changed between selections, held against counting by hand."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from negmine.mining.selection import Chosen, Selection
from negmine.report.changes import by_class, compare, compare_classes, median_score


def chosen(recipe: str, score: float, label: str = "0", rank: int = 1) -> Chosen:
    return Chosen(recipe, label, score, rank, "fp", "verified", 1.0, "", math.nan, 0.1)


def test_rows_are_new_kept_and_gone() -> None:
    then = [chosen("a", 1.0), chosen("b", 2.0), chosen("c", 6.0)]
    now = [chosen("b", 5.0), chosen("c", 6.5), chosen("d", 0.0), chosen("e", -1.0)]
    change = compare(now, then)
    assert (change.new, change.kept, change.gone) == (2, 2, 1)
    assert (change.median_then, change.median_now) == (2.0, 2.5)
    assert change.moved == pytest.approx((3.0 + 0.5) / 2)


def test_a_replayed_row_has_not_moved_unless_one_model_scored_both() -> None:
    then = [chosen("a", 1.0), chosen("b", 2.0)]
    assert compare([chosen("a", 1.0), chosen("b", 5.0)], then).moved == 3.0
    assert math.isnan(compare(then, then).moved)
    assert compare(then, then, same_model=True).moved == 0.0


@pytest.mark.parametrize(
    ("now", "then"), [([], []), ([chosen("a", 1.0)], []), ([], [chosen("a", 1)])]
)
def test_nothing_chosen_has_no_median(now: list[Chosen], then: list[Chosen]) -> None:
    change = compare(now, then)
    assert (change.new, change.kept, change.gone) == (len(now), 0, len(then))
    assert math.isnan(change.median_now) == (not now)
    assert math.isnan(change.median_then) == (not then)
    assert math.isnan(change.moved)
    assert math.isnan(median_score([]))


def test_the_same_clip_may_fool_several_classes() -> None:
    rows = (chosen("a", 1.0), chosen("a", 3.0, "1"), chosen("b", 2.0), chosen("x", 9.0, "2"))
    now = Selection(rows, Path("pool"), "digest", "new")
    then = Selection((chosen("a", 0.0, "1"), chosen("b", 1.5)), Path("pool"), "digest", "old")
    assert [row.recipe for row in by_class(now)["0"]] == ["b", "a"]
    whole, each = compare_classes(now, then, ["0", "1", "absent"])
    assert (each["0"].new, each["0"].kept, each["0"].gone) == (1, 1, 0)
    assert (each["1"].new, each["1"].kept, each["1"].gone) == (0, 1, 0)
    assert (each["absent"].new, each["absent"].kept) == (0, 0)
    # class 2 was not asked for
    assert (whole.new, whole.kept, whole.gone) == (1, 2, 0)
    assert whole.moved == pytest.approx((3.0 + 0.5) / 2)
