"""The label algebra: what every operation may do to present, absent and unknown."""

from __future__ import annotations

import math
import pickle
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, dataclass
from fractions import Fraction
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.audio.windows import Span
from negmine.recipes.labels import (
    DEFAULT_CONFIDENCE,
    MIN_CONFIDENCE,
    Absence,
    Certificate,
    PartialLabels,
    State,
    label_clip,
)

CLASSES = ("a", "b", "c", "d")
OPERATIONS = ["mix", "extend", "erase", "transplant"]

classes = st.sampled_from(CLASSES)
confidences = st.floats(1e-6, 1)  # below MIN_CONFIDENCE, too
shares = st.floats(0, 1)
seconds = st.floats(0, 60)


@st.composite
def partial_labels(draw: st.DrawFn) -> PartialLabels:
    states = {name: draw(st.sampled_from(State)) for name in CLASSES}
    return PartialLabels(
        frozenset(name for name, state in states.items() if state is State.PRESENT),
        {
            name: Absence(draw(st.sampled_from(Certificate)), draw(confidences))
            for name, state in states.items()
            if state is State.ABSENT
        },
    )


def confidence(labels: PartialLabels, name: str) -> float:
    return labels.absent[name].confidence if name in labels.absent else 0.0


def assert_same_up_to_rounding(left: PartialLabels, right: PartialLabels) -> None:
    """Equal, but for the last bits of confidences and for claims that stand at the limit."""
    assert left.present == right.present
    for name in CLASSES:
        one, other = confidence(left, name), confidence(right, name)
        if 0.0 in (one, other):
            assert max(one, other) <= MIN_CONFIDENCE * (1 + 1e-9)
        else:
            assert one == pytest.approx(other, rel=1e-9)
            assert left.absent[name].certificate == right.absent[name].certificate


# ---- mix


@given(partial_labels(), partial_labels())
def test_mixing_commutes(a: PartialLabels, b: PartialLabels) -> None:
    assert a.mix(b) == b.mix(a)


@given(partial_labels(), partial_labels(), partial_labels())
def test_mixing_is_associative_up_to_rounding(
    a: PartialLabels, b: PartialLabels, c: PartialLabels
) -> None:
    assert_same_up_to_rounding(a.mix(b).mix(c), a.mix(b.mix(c)))


@given(partial_labels(), partial_labels())
def test_a_mix_has_the_union_of_present_and_the_intersection_of_absent(
    a: PartialLabels, b: PartialLabels
) -> None:
    mix = a.mix(b)
    for name in CLASSES:
        states = {a.state(name), b.state(name)}
        if State.PRESENT in states:
            assert mix.state(name) is State.PRESENT
        elif states == {State.ABSENT}:
            product = confidence(a, name) * confidence(b, name)
            expected = Absence(Certificate.MIXED, product) if product >= MIN_CONFIDENCE else None
            assert mix.absent.get(name) == expected
        else:
            assert mix.state(name) is State.UNKNOWN


@given(partial_labels(), partial_labels())
def test_absent_never_grows_by_mixing(a: PartialLabels, b: PartialLabels) -> None:
    mix = a.mix(b)
    assert mix.absent.keys() <= a.absent.keys() & b.absent.keys()
    for name in mix.absent:
        assert confidence(mix, name) <= min(confidence(a, name), confidence(b, name))


@given(partial_labels())
def test_mixing_with_a_sound_of_which_nothing_is_known_leaves_only_present(
    labels: PartialLabels,
) -> None:
    assert labels.mix(PartialLabels()) == PartialLabels(labels.present)


# ---- extend


@given(partial_labels(), shares)
def test_extending_by_nothing_changes_nothing_that_is_worth_keeping(
    labels: PartialLabels, share: float
) -> None:
    kept = {k: v for k, v in labels.absent.items() if v.confidence >= MIN_CONFIDENCE}
    assert labels.extended(0.0, share) == PartialLabels(labels.present, kept)


@given(partial_labels(), seconds, seconds, shares)
def test_extending_twice_is_extending_by_the_sum(
    labels: PartialLabels, first: float, second: float, share: float
) -> None:
    twice = labels.extended(first, share).extended(second, share)
    assert_same_up_to_rounding(twice, labels.extended(first + second, share))


@given(partial_labels(), seconds, seconds, shares)
def test_the_longer_the_extension_the_less_is_absent(
    labels: PartialLabels, first: float, second: float, share: float
) -> None:
    short, long = (labels.extended(s, share) for s in sorted((first, second)))
    assert long.present == short.present == labels.present
    assert long.absent.keys() <= short.absent.keys() <= labels.absent.keys()
    for name in long.absent:
        assert confidence(long, name) <= confidence(short, name) <= confidence(labels, name)


@given(partial_labels(), st.floats(1e-6, 60))
def test_with_nothing_kept_beyond_any_extension_loses_every_absence(
    labels: PartialLabels, beyond: float
) -> None:
    assert labels.extended(beyond, 0.0) == PartialLabels(labels.present)


def test_two_seconds_more_cost_two_shares_of_confidence() -> None:
    labels = PartialLabels.certified(["a"], Certificate.VERIFIED, 0.5)
    assert labels.extended(2.0, 0.9).absent["a"].confidence == pytest.approx(0.5 * 0.9 * 0.9)
    assert labels.extended(2.0, 0.9).absent["a"].certificate is Certificate.VERIFIED


def test_an_extension_of_negative_length_is_refused() -> None:
    with pytest.raises(ValueError, match=r"cannot extend by -1\.0 s; .* use label_clip"):
        PartialLabels().extended(-1.0)


@pytest.mark.parametrize("share", [-0.1, 1.1, math.nan])
def test_a_share_outside_0_to_1_is_refused(share: float) -> None:
    with pytest.raises(ValueError, match=r"beyond_per_s .* is outside"):
        PartialLabels().extended(1.0, share)


# ---- erase and transplant


@given(partial_labels(), classes, confidences)
def test_erasing_makes_the_class_absent_and_leaves_the_others(
    labels: PartialLabels, name: str, sure: float
) -> None:
    erased = labels.erased(name, sure)
    for other in CLASSES:
        if other != name:
            assert erased.state(other) is labels.state(other)
            assert erased.absent.get(other) == labels.absent.get(other)
    assert erased.state(name) is State.ABSENT
    # an absence that was surer before is not made less sure by a filter
    assert confidence(erased, name) == max(sure, confidence(labels, name))
    if confidence(labels, name) < sure:
        assert erased.absent[name].certificate is Certificate.ERASED
    else:
        assert erased.absent[name] == labels.absent[name]


@given(partial_labels(), partial_labels(), classes)
def test_a_transplanted_band_brings_the_state_of_its_donor(
    labels: PartialLabels, donor: PartialLabels, name: str
) -> None:
    changed = labels.transplanted(name, donor, 1.0)
    for other in CLASSES:
        if other != name:
            assert changed.state(other) is labels.state(other)
            assert changed.absent.get(other) == labels.absent.get(other)
    assert changed.state(name) is donor.state(name)
    if name in donor.absent:
        assert changed.absent[name] == Absence(Certificate.ERASED, confidence(donor, name))


touched = st.frozensets(classes)


@given(partial_labels(), classes, confidences, touched)
def test_calls_of_classes_that_an_erased_band_touches_become_unknown(
    labels: PartialLabels, name: str, sure: float, others: frozenset[str]
) -> None:
    erased, plain = labels.erased(name, sure, others), labels.erased(name, sure)
    assert erased.absent == plain.absent
    assert erased.present == plain.present - others


@given(partial_labels(), partial_labels(), classes, confidences, touched)
def test_a_transplant_leaves_a_touched_class_absent_where_both_clips_lack_it(
    labels: PartialLabels,
    donor: PartialLabels,
    name: str,
    sure: float,
    others: frozenset[str],
) -> None:
    changed = labels.transplanted(name, donor, sure, others)
    of_both = labels.mix(donor)
    for other in others - {name}:
        assert other not in changed.present
        assert changed.absent.get(other) == of_both.absent.get(other)
    for other in set(CLASSES) - others - {name}:
        assert changed.state(other) is labels.state(other)
    assert changed.state(name) is donor.state(name)
    assert confidence(changed, name) == confidence(donor, name) * sure


@given(partial_labels(), st.frozensets(classes), confidences)
def test_a_declaration_adds_absences_and_takes_nothing(
    labels: PartialLabels, names: frozenset[str], sure: float
) -> None:
    if names & labels.present:
        with pytest.raises(ValueError, match="both present and absent"):
            labels.declared(names, Certificate.EXTERNAL, sure)
        return
    declared = labels.declared(names, Certificate.EXTERNAL, sure)
    assert declared.present == labels.present
    assert declared.absent.keys() == labels.absent.keys() | names
    for name in declared.absent:
        least = sure if name in names else 0.0
        assert confidence(declared, name) == max(least, confidence(labels, name))


# ---- whatever is done


@given(partial_labels(), st.data())
def test_nothing_turns_absent_without_a_certificate(
    labels: PartialLabels, data: st.DataObject
) -> None:
    """After any operations in any order: disjoint, and only a band's own class turns absent."""
    for operation in data.draw(st.lists(st.sampled_from(OPERATIONS))):
        before, vouched = labels, set()
        if operation == "mix":
            labels = labels.mix(data.draw(partial_labels()))
        elif operation == "extend":
            labels = labels.extended(data.draw(seconds), data.draw(shares))
        else:
            name = data.draw(classes)
            if operation == "erase":
                vouched = {name}
                labels = labels.erased(name, touched=data.draw(touched))
            else:
                donor = data.draw(partial_labels())
                vouched = {name} & donor.absent.keys()
                labels = labels.transplanted(name, donor, touched=data.draw(touched))
        assert not labels.present & labels.absent.keys()
        assert labels.absent.keys() - before.absent.keys() <= vouched
        for name in labels.absent.keys() - vouched:
            assert confidence(labels, name) <= confidence(before, name)


# ---- the values themselves


def test_a_class_both_present_and_absent_is_refused() -> None:
    absence = Absence(Certificate.EXTERNAL, 0.5)
    with pytest.raises(ValueError, match=r"both present and absent: \['frog', 'owl'\]"):
        PartialLabels(frozenset({"owl", "frog"}), {"owl": absence, "frog": absence})


@pytest.mark.parametrize("value", [0.0, -0.5, 1.0000001, math.nan])
def test_a_confidence_outside_0_to_1_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match=r"is outside \(0, 1\]"):
        Absence(Certificate.VERIFIED, value)


@given(partial_labels())
def test_labels_survive_pickling(labels: PartialLabels) -> None:
    assert pickle.loads(pickle.dumps(labels)) == labels


@given(partial_labels())
def test_equal_labels_hash_alike_in_whatever_order_they_were_made(labels: PartialLabels) -> None:
    twin = PartialLabels(labels.present, dict(reversed(list(labels.absent.items()))))
    assert twin == labels
    assert hash(twin) == hash(labels)
    assert len({twin, labels}) == 1


def test_labels_that_differ_in_confidence_or_certificate_alone_are_not_equal() -> None:
    made = [
        PartialLabels.certified(["a"], certificate, sure)
        for certificate in (Certificate.EXTERNAL, Certificate.VERIFIED)
        for sure in (0.5, 0.6)
    ]
    assert len(set(made)) == 4


def test_labels_cannot_be_changed_from_outside() -> None:
    absent = {"a": Absence(Certificate.VERIFIED, 1.0)}
    labels = PartialLabels(absent=absent)
    absent["b"] = Absence(Certificate.VERIFIED, 1.0)
    assert labels.state("b") is State.UNKNOWN
    with pytest.raises(TypeError, match="does not support item assignment"):
        labels.absent["b"] = absent["b"]  # type: ignore[index]
    with pytest.raises(FrozenInstanceError):
        labels.present = frozenset({"a"})  # type: ignore[misc]


@pytest.mark.parametrize("certificate", DEFAULT_CONFIDENCE)
def test_a_certificate_has_its_default_confidence(certificate: Certificate) -> None:
    labels = PartialLabels.certified(["a", "b"], certificate)
    assert set(labels.absent.values()) == {Absence(certificate, DEFAULT_CONFIDENCE[certificate])}


@given(partial_labels(), st.permutations(CLASSES), st.integers(0, len(CLASSES)))
def test_arrays_say_what_the_labels_say_in_the_order_asked_for(
    labels: PartialLabels, order: list[str], count: int
) -> None:
    asked = [*order[:count], "never heard of"]
    target, known, weight = labels.to_arrays(asked)
    assert target.dtype == weight.dtype == np.float32
    assert known.dtype == bool
    assert target.shape == known.shape == weight.shape == (len(asked),)
    for i, name in enumerate(asked):
        state = labels.state(name)
        assert target[i] == (state is State.PRESENT)
        assert known[i] == (state is not State.UNKNOWN)
        expected = 1.0 if state is State.PRESENT else confidence(labels, name)
        assert weight[i] == np.float32(expected)


def test_arrays_of_no_classes_are_empty() -> None:
    assert [len(a) for a in PartialLabels(frozenset({"a"})).to_arrays([])] == [0, 0, 0]


# ---- clips

TICK_S = 0.125  # exact in binary, so that the reference needs no tolerance


@dataclass(frozen=True)
class Verdict:
    label: str
    present: bool
    span: Span


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


def test_an_absence_that_is_worth_nothing_is_not_claimed() -> None:
    boxes = [rejected(0.0, 1.0)]
    assert label_clip(boxes, Span(0.0, 4.0), beyond_per_s=0.11).state("a") is State.ABSENT
    assert label_clip(boxes, Span(0.0, 4.0), beyond_per_s=0.09).state("a") is State.UNKNOWN


def test_no_boxes_say_nothing() -> None:
    assert label_clip([], Span(0.0, 2.0)) == PartialLabels()
