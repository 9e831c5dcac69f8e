"""Folds: a partition of whole groups, with every class in all of them as far as its calls go."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.annotations import Annotation, Annotations
from negmine.audio.windows import Span
from negmine.errors import InputError
from training.data.folds import held_out_recordings, lone_groups, stratified_folds

Calls = dict[str, dict[str, int]]

calls_of_groups = st.dictionaries(
    st.integers(0, 40).map(lambda i: f"rec{i:02d}"),
    st.dictionaries(st.sampled_from("abcde"), st.integers(1, 4), max_size=3),
    min_size=1,
    max_size=25,
)


def random_data(seed: int, recordings: int, classes: int) -> Calls:
    """A long tail of classes, a few calls a recording."""
    rng = np.random.default_rng(seed)
    share = 1 / np.arange(1, classes + 1)
    calls: Calls = {}
    for i in range(recordings):
        drawn = rng.choice(classes, size=rng.integers(0, 4), p=share / share.sum())
        calls[f"rec{i:03d}"] = dict(Counter(f"c{c:02d}" for c in drawn.tolist()))
    return calls


def groups_of(calls: Calls) -> Counter[str]:
    """In how many groups each class calls."""
    return Counter(label for found in calls.values() for label in found)


def tally(calls: Calls, folds_of: dict[str, int], folds: int) -> dict[str, np.ndarray]:
    """Calls of each class in each fold."""
    found = {label: np.zeros(folds, int) for label in groups_of(calls)}
    for name, labels in calls.items():
        for label, count in labels.items():
            found[label][folds_of[name]] += count
    return found


@given(calls=calls_of_groups, folds=st.integers(2, 6), seed=st.integers(0, 3))
def test_every_group_stands_in_one_fold_whatever_the_order(
    calls: Calls, folds: int, seed: int
) -> None:
    # one group is larger than all others together
    sizes = dict.fromkeys(calls, 1) | {min(calls): 50}
    got = stratified_folds(calls, sizes, folds, seed)
    assert got.keys() == calls.keys()
    assert len(set(got.values())) == min(folds, len(calls))
    assert set(got.values()) <= set(range(folds))
    turned = {name: dict(reversed(found.items())) for name, found in reversed(calls.items())}
    assert stratified_folds(turned, dict(reversed(sizes.items())), folds, seed) == got


@given(label_of=st.lists(st.sampled_from("abcd"), min_size=1, max_size=40), folds=st.integers(2, 6))
def test_groups_of_one_call_each_are_spread_as_evenly_as_can_be(
    label_of: list[str], folds: int
) -> None:
    calls = {f"rec{i:02d}": {label: 1} for i, label in enumerate(label_of)}
    got = stratified_folds(calls, dict.fromkeys(calls, 1), folds, 0)
    for found in tally(calls, got, folds).values():
        assert found.max() - found.min() <= 1


@given(label_of=st.lists(st.sampled_from("abcde"), min_size=4, max_size=30), seed=st.integers(0, 5))
def test_class_in_two_groups_is_never_in_one_fold_alone(label_of: list[str], seed: int) -> None:
    # each recording has the calls of two classes
    calls = {
        f"rec{i:02d}": {label: 1, other: 2}
        for i, (label, other) in enumerate(zip(label_of[::2], label_of[1::2], strict=False))
        if label != other
    }
    got = stratified_folds(calls, dict.fromkeys(calls, 1), 3, seed)
    spread = tally(calls, got, 3)
    assert all(np.count_nonzero(spread[c]) > 1 for c, n in groups_of(calls).items() if n > 1)


def test_rare_classes_reach_more_folds_than_by_lot() -> None:
    reached: list[bool] = []
    by_lot: list[bool] = []
    sizes: list[int] = []
    for seed in range(10):
        calls = random_data(seed, 120, 30)
        got = stratified_folds(calls, dict.fromkeys(calls, 1), 5, seed)
        lot = np.random.default_rng(seed).permutation(np.arange(len(calls)) % 5).tolist()
        dealt = dict(zip(calls, lot, strict=True))
        enough = [label for label, n in groups_of(calls).items() if n >= 5]
        for folds_of, counted in ((got, reached), (dealt, by_lot)):
            spread = tally(calls, folds_of, 5)
            counted += [np.count_nonzero(spread[label]) == 5 for label in enough]
        sizes += list(Counter(got.values()).values())
    assert np.mean(reached) > 0.95 > 0.8 > np.mean(by_lot)
    # and the folds stay of a size: 24 recordings each
    assert min(sizes) >= 20
    assert max(sizes) <= 28


def test_seeds_deal_differently() -> None:
    calls = random_data(0, 40, 8)
    dealt = {
        tuple(stratified_folds(calls, dict.fromkeys(calls, 1), 4, seed).values())
        for seed in range(5)
    }
    assert len(dealt) == 5


def test_groups_without_calls_fill_the_smaller_folds() -> None:
    calls = {"a": {"x": 1}, "b": {"x": 1}}
    sizes = {"a": 6, "b": 1} | {f"empty{i}": 1 for i in range(5)}
    got = stratified_folds(calls, sizes, 2, 0)
    assert {got[f"empty{i}"] for i in range(5)} == {got["b"]}
    assert got["a"] != got["b"]


def annotations_of(calls: Calls) -> Annotations:
    boxes = tuple(
        Annotation(name, label, "", True, Span(0, 1), 100, 200, "here")
        for name, found in calls.items()
        for label, count in found.items()
        for _ in range(count)
    )
    return Annotations(boxes, tuple(sorted(groups_of(calls))))


CALLS: Calls = {
    f"{site}_{i}": {"frog": 1, "owl": 2} for site in ("hill", "lake", "wood") for i in range(4)
}
SITES = {name: name.split("_")[0] for name in CALLS}


@pytest.mark.parametrize("groups", [None, SITES])
def test_folds_partition_the_recordings(groups: dict[str, str] | None) -> None:
    parts = [
        held_out_recordings(annotations_of(CALLS), CALLS, 3, fold, 1, groups) for fold in range(3)
    ]
    assert sorted(name for part in parts for name in part) == sorted(CALLS)
    assert {len(part) for part in parts} == {4}
    if groups:
        assert [len({groups[name] for name in part}) for part in parts] == [1, 1, 1]


def test_one_fold_holds_nothing_out() -> None:
    assert held_out_recordings(annotations_of(CALLS), CALLS, 1, 0, 1) == frozenset()


@pytest.mark.parametrize(
    ("folds", "fold", "groups", "message"),
    [
        (3, 3, None, "fold 3 of 3: the first is 0"),
        (3, -1, None, "fold -1 of 3: the first is 0"),
        (1, 1, None, "fold 1 of 1: the first is 0"),
        (13, 0, None, "13 folds of only 12 recordings; choose fewer --folds"),
        (4, 0, SITES, "4 folds of only 3 groups; choose fewer --folds"),
    ],
)
def test_fold_that_is_not_there_is_an_error(
    folds: int, fold: int, groups: dict[str, str] | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        held_out_recordings(annotations_of(CALLS), CALLS, folds, fold, 0, groups)


def test_a_class_of_one_site_alone_trains_in_every_fold() -> None:
    calls = CALLS | {"wood_9": {"newt": 1}, "wood_8": {"newt": 1}}
    sites = {name: name.split("_")[0] for name in calls}
    annotations = annotations_of(calls)
    # by recording, the two are in different folds
    parts = [held_out_recordings(annotations, calls, 3, fold, 0) for fold in range(3)]
    assert sum(map(len, parts)) == len(calls)
    assert lone_groups(annotations, sites) == {"wood": ("newt",)}
    unasked = Annotations(annotations.boxes, ("frog", "owl"))
    for fold in range(3):
        held = held_out_recordings(unasked, calls, 3, fold, 0, sites)
        if "wood_9" not in held:
            assert held_out_recordings(annotations, calls, 3, fold, 0, sites) == held
            continue
        with pytest.raises(InputError, match="holds nothing out: its groups have all confirmed"):
            held_out_recordings(annotations, calls, 3, fold, 0, sites)


def test_a_class_of_one_call_changes_no_other_recording_of_a_fold() -> None:
    calls = CALLS | {"wood_9": {"newt": 1}}
    annotations = annotations_of(calls)
    unasked = Annotations(annotations.boxes, ("frog", "owl"))
    for fold in range(3):
        without = held_out_recordings(unasked, calls, 3, fold, 0)
        assert held_out_recordings(annotations, calls, 3, fold, 0) == without - {"wood_9"}
