"""What verdicts on a recording say of a clip: against a reference that counts ticks."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.audio.windows import Span
from negmine.recipes.certificates import MIN_CONFIDENCE, Absence, Certificate
from negmine.recipes.clip_labels import label_clip
from negmine.recipes.labels import PartialLabels, State

CLASSES = ("a", "b", "c", "d")
classes = st.sampled_from(CLASSES)
shares = st.floats(0, 1)


def confidence(labels: PartialLabels, name: str) -> float:
    return labels.absent[name].confidence if name in labels.absent else 0.0


TICK_S = 0.125  # exact in binary, so that the reference needs no tolerance


@dataclass(frozen=True)
class Verdict:
    label: str
    present: bool
    span: Span
    confidence: float = 1.0


def verdict(label: str, present: bool, start: int, end: int) -> Verdict:
    return Verdict(label, present, Span(start * TICK_S, end * TICK_S))


def called(start_s: float, end_s: float) -> Verdict:
    return Verdict("a", True, Span(start_s, end_s))


def rejected(start_s: float, end_s: float) -> Verdict:
    return Verdict("a", False, Span(start_s, end_s))


ticks = st.integers(0, 24).flatmap(
    lambda start: st.tuples(st.just(start), st.integers(start + 1, 25))
)
verdicts = st.builds(lambda c, p, t: verdict(c, p, *t), classes, st.booleans(), ticks)


def slow_label_clip(
    boxes: Sequence[Verdict], clip: Span, share: float, call_share: float
) -> PartialLabels:
    """Counts ticks, one by one, in exact arithmetic."""

    def cells(span: Span) -> set[int]:
        return {t for t in range(40) if span.start_s <= t * TICK_S < span.end_s}

    present, absent = set(), {}
    for name in CLASSES:
        calls = [cells(b.span) for b in boxes if b.label == name and b.present]
        shared = [(len(call & cells(clip)), len(call)) for call in calls]
        enough = Fraction(call_share)
        if any(s and s >= enough * min(n, len(cells(clip))) for s, n in shared):
            present.add(name)
        elif not any(s for s, _ in shared):
            covered = set().union(
                *(cells(b.span) & cells(clip) for b in boxes if b.label == name and not b.present)
            )
            sure = share ** ((len(cells(clip)) - len(covered)) * TICK_S)
            if covered and sure >= MIN_CONFIDENCE:
                absent[name] = Absence(Certificate.VERIFIED, sure)
    return PartialLabels(frozenset(present), absent)


@given(
    st.lists(verdicts, max_size=8),
    ticks,
    st.sampled_from([0.0, 0.25, 0.99, 1.0]),
    st.sampled_from([0.125, 0.5, 0.75, 1.0]),
)
def test_a_clip_is_labelled_as_a_count_of_ticks_says(
    boxes: list[Verdict], clip_ticks: tuple[int, int], share: float, call_share: float
) -> None:
    clip = Span(clip_ticks[0] * TICK_S, clip_ticks[1] * TICK_S)
    found = label_clip(boxes, clip, beyond_per_s=share, min_call_share=call_share)
    assert found == slow_label_clip(boxes, clip, share, call_share)


times = st.floats(0, 30).map(lambda s: round(s, 3))
spans = st.tuples(times, times).filter(lambda t: t[0] < t[1]).map(lambda t: Span(*t))


@given(
    st.lists(st.builds(Verdict, classes, st.booleans(), spans), max_size=8).flatmap(
        lambda boxes: st.tuples(st.just(boxes), st.permutations(boxes))
    ),
    spans,
)
def test_the_order_of_boxes_does_not_matter(
    orders: tuple[list[Verdict], list[Verdict]], clip: Span
) -> None:
    assert label_clip(orders[0], clip) == label_clip(orders[1], clip)


@given(spans, st.floats(0, 1), st.floats(0, 1), shares)
def test_inside_a_rejected_box_the_absence_is_certain(
    box: Span, one: float, other: float, share: float
) -> None:
    ends = sorted(
        min(max(box.start_s + x * box.duration_s, box.start_s), box.end_s) for x in (one, other)
    )
    clip = Span(*ends)
    if clip.duration_s > 1e-6:
        labels = label_clip([Verdict("a", False, box)], clip, beyond_per_s=share)
        assert labels.absent == {"a": Absence(Certificate.VERIFIED, 1.0)}


@given(st.lists(times, min_size=3, max_size=8, unique=True), shares)
def test_rejected_boxes_that_adjoin_certify_as_one(cuts: list[float], share: float) -> None:
    cuts = sorted(cuts)
    boxes = [rejected(a, b) for a, b in pairwise(cuts)]
    labels = label_clip(boxes, Span(cuts[0], cuts[-1]), beyond_per_s=share)
    assert confidence(labels, "a") == 1.0


@given(spans, spans)
def test_with_nothing_kept_beyond_only_clips_inside_the_box_are_certified(
    box: Span, clip: Span
) -> None:
    inside = box.start_s <= clip.start_s and clip.end_s <= box.end_s
    labels = label_clip([Verdict("a", False, box)], clip, beyond_per_s=0.0)
    assert labels.state("a") is (State.ABSENT if inside else State.UNKNOWN)


def test_each_second_beyond_the_box_costs_its_share() -> None:
    labels = label_clip([rejected(4.0, 5.0)], Span(3.5, 6.5), beyond_per_s=0.9)
    assert confidence(labels, "a") == pytest.approx(0.9**2)


def test_a_grazed_call_is_unknown_whatever_was_rejected() -> None:
    boxes = [called(0.0, 2.0), rejected(2.0, 4.0)]
    assert label_clip(boxes, Span(1.5, 4.0)).state("a") is State.UNKNOWN
    assert label_clip(boxes, Span(2.0, 4.0)).state("a") is State.ABSENT


def test_a_confirmed_call_wins_over_a_rejection_of_the_same_span() -> None:
    boxes = [rejected(1.0, 2.0), called(1.0, 2.0), rejected(1.0, 2.0)]
    assert label_clip(boxes, Span(0.5, 2.5)) == PartialLabels(frozenset({"a"}))


def test_a_clip_full_of_a_long_call_holds_it() -> None:
    assert label_clip([called(0.0, 60.0)], Span(20.0, 22.0)).present == {"a"}


@pytest.mark.parametrize("make", [called, rejected])
def test_a_box_that_ends_where_the_clip_starts_says_nothing(make: type) -> None:
    assert label_clip([make(0.0, 1.0), make(3.0, 4.0)], Span(1.0, 3.0)) == PartialLabels()


def test_a_rejection_is_as_sure_as_the_least_sure_box_that_the_clip_touches() -> None:
    boxes = [Verdict("a", False, Span(0.0, 2.0), 0.9), Verdict("a", False, Span(1.0, 4.0), 0.8)]
    assert confidence(label_clip(boxes, Span(0.0, 1.0)), "a") == 0.9
    assert confidence(label_clip(boxes, Span(0.5, 2.5)), "a") == 0.8
    beyond = label_clip(boxes, Span(3.0, 5.0), beyond_per_s=0.5)
    assert confidence(beyond, "a") == pytest.approx(0.8 * 0.5)


def test_an_absence_that_is_worth_nothing_is_not_claimed() -> None:
    boxes = [rejected(0.0, 1.0)]
    assert label_clip(boxes, Span(0.0, 4.0), beyond_per_s=0.11).state("a") is State.ABSENT
    assert label_clip(boxes, Span(0.0, 4.0), beyond_per_s=0.09).state("a") is State.UNKNOWN


def test_no_boxes_say_nothing() -> None:
    assert label_clip([], Span(0.0, 2.0)) == PartialLabels()


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"beyond_per_s .* is outside"):
        label_clip([rejected(1.0, 2.0)], Span(0.5, 2.5), beyond_per_s=share)
