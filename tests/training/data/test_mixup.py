"""Sums of rows: the cells against the label algebra, and the levels of the parts."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.labels import PartialLabels
from training.data.mixup import join_cells, mix
from training.data.rows import Cells, Example, Row, RowKind, make_example

CLASSES = tuple("abcdef")

states = st.lists(
    st.one_of(
        st.sampled_from(["present", "unknown"]), st.floats(0.05, 1.0).map(lambda c: f"{c:.3f}")
    ),
    min_size=len(CLASSES),
    max_size=len(CLASSES),
)


def labels_of(cells: list[str]) -> PartialLabels:
    pairs = list(zip(CLASSES, cells, strict=True))
    absent = {
        name: Absence(Certificate.EXTERNAL, float(cell))
        for name, cell in pairs
        if cell not in ("present", "unknown")
    }
    return PartialLabels(frozenset(name for name, cell in pairs if cell == "present"), absent)


def example(
    labels: PartialLabels,
    kind: RowKind = RowKind.POOL,
    soft: np.ndarray | None = None,
    waveform: np.ndarray | None = None,
) -> Example:
    sound = np.ones(4, np.float32) if waveform is None else waveform
    return make_example(Row(sound, labels, kind, soft), CLASSES)


def same(one: Cells, other: Cells) -> None:
    np.testing.assert_array_equal(one.known, other.known)
    np.testing.assert_allclose(one.targets, other.targets, atol=1e-6)
    np.testing.assert_allclose(one.weight, other.weight, atol=1e-6)


@given(one=states, other=states)
def test_hard_labels_join_as_the_algebra_mixes_them(one: list[str], other: list[str]) -> None:
    a, b = labels_of(one), labels_of(other)
    got = join_cells(example(a).cells, example(b).cells)
    same(got, example(a.mix(b)).cells)


soft_cells = st.tuples(st.floats(0, 1, width=32), st.booleans(), st.floats(0, 1, width=32))


def arrays(cells: list[tuple[float, bool, float]]) -> Cells:
    targets, known, weight = zip(*cells, strict=True)
    return Cells(
        np.where(known, targets, 0).astype(np.float32),
        np.array(known),
        np.array(weight, np.float32),
    )


def slow_join(a: tuple[float, bool, float], b: tuple[float, bool, float]) -> Any:
    """One cell, case by case."""
    (ta, ka, wa), (tb, kb, wb) = a, b
    sure = [w for t, k, w in (a, b) if k and t == 1]
    if sure:
        return 1.0, True, max(sure)
    if ka and kb:
        return ta + tb - ta * tb, True, wa * wb
    weight = wa * wb
    for target, known, _ in (a, b):
        if known:
            weight *= 1 - target
    return 0.0, False, weight


@given(cells=st.lists(st.tuples(soft_cells, soft_cells), min_size=1, max_size=8))
def test_soft_cells_join_case_by_case(
    cells: list[tuple[tuple[float, bool, float], tuple[float, bool, float]]],
) -> None:
    one, other = ([pair[i] for pair in cells] for i in (0, 1))
    got = join_cells(arrays(one), arrays(other))
    want = [slow_join(a, b) for a, b in zip(one, other, strict=True)]
    same(got, Cells(*(np.array(column) for column in zip(*want, strict=True))))
    turned = join_cells(arrays(other), arrays(one))
    same(turned, got)
    # nothing becomes absent, and nothing known of neither part is known of the sum
    assert not (got.known & ~arrays(one).known & ~arrays(other).known).any()


def test_negative_mixed_into_a_call_leaves_its_zeros_soft() -> None:
    call = example(PartialLabels(frozenset("a")), RowKind.TP)
    negative = example(PartialLabels.certified("bc", Certificate.EXTERNAL, 0.9))
    cells = mix(call, negative, 0.0).cells
    assert cells.targets.tolist() == [1, 0, 0, 0, 0, 0]
    assert cells.known.tolist() == [True, False, False, False, False, False]
    # b and c go to zero softly; of d, e and f the negative says nothing, and so does the sum
    np.testing.assert_allclose(cells.weight, [1, 0.9, 0.9, 0, 0, 0], atol=1e-6)


def test_pseudo_labels_of_a_call_outlive_a_certified_negative() -> None:
    soft = np.array([0.9, 0.3, 0.0, 0.8, 0.8, 0.8], np.float32)
    call = example(PartialLabels(frozenset("a")), RowKind.TP, soft)
    negative = example(PartialLabels.certified("bc", Certificate.EXTERNAL, 0.9))
    cells = mix(call, negative, 0.0).cells
    np.testing.assert_allclose(cells.targets[:3], [1, 0.3, 0], atol=1e-6)
    assert cells.known.tolist() == [True, True, True, False, False, False]
    # nobody vouches for d in the negative: 0.8 is no longer known, and not pulled to zero either
    np.testing.assert_allclose(cells.weight, [1, 0.9, 0.9, 0, 0, 0], atol=1e-6)


def noise(seed: int, level: float) -> np.ndarray:
    return (level * np.random.default_rng(seed).normal(size=8000)).astype(np.float32)


@pytest.mark.parametrize("snr_db", [-5.0, 0.0, 12.0])
def test_parts_stand_at_their_ratio_and_the_sum_at_the_level_of_the_first(snr_db: float) -> None:
    a, b = noise(1, 0.1), noise(2, 0.7)
    nothing = PartialLabels()
    got = mix(example(nothing, waveform=a), example(nothing, waveform=b), snr_db).waveform
    assert got.dtype == np.float32
    parts = np.linalg.lstsq(np.stack([a, b], axis=1), got, rcond=None)[0]
    levels = parts * [np.std(a), np.std(b)]
    assert 20 * np.log10(levels[0] / levels[1]) == pytest.approx(snr_db, abs=0.01)
    assert np.sqrt(np.mean(got**2)) == pytest.approx(np.sqrt(np.mean(a**2)), rel=1e-4)


def test_silent_part_is_added_as_it_is() -> None:
    sound, silent = noise(1, 0.1), np.zeros(8000, np.float32)
    nothing = PartialLabels()
    for a, b in ((sound, silent), (silent, sound)):
        got = mix(example(nothing, waveform=a), example(nothing, waveform=b), 3.0)
        np.testing.assert_array_equal(got.waveform, sound)


def test_sum_is_of_the_kind_of_the_first() -> None:
    one, other = example(PartialLabels(), RowKind.FP), example(PartialLabels(), RowKind.TP)
    assert mix(one, other, 0.0).kind is RowKind.FP
    assert mix(replace(one, kind=RowKind.POOL), other, 0.0).kind is RowKind.POOL
