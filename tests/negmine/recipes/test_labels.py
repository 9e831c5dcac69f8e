"""The label algebra: what every operation may do to present, absent and unknown."""

from __future__ import annotations

import math
import pickle
from dataclasses import FrozenInstanceError

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.recipes.certificates import DEFAULT_CONFIDENCE, MIN_CONFIDENCE, Absence, Certificate
from negmine.recipes.labels import PartialLabels, State

CLASSES = ("a", "b", "c", "d")
OPERATIONS = ["mix", "erase", "transplant"]

classes = st.sampled_from(CLASSES)
confidences = st.floats(1e-6, 1)  # below MIN_CONFIDENCE, too


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
