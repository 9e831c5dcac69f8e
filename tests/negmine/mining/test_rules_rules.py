"""Selection rules held against slow versions of themselves and against facts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.mining.nearest import call_similarity, nearest_call
from negmine.mining.rules.diverse import k_center
from negmine.mining.rules.margin import margin_threshold
from negmine.mining.rules.quota import within_quota
from negmine.mining.rules.window import score_window


def test_a_window_lies_between_two_quantiles_and_is_open_at_the_ends() -> None:
    reference = np.arange(101.0)
    np.random.default_rng(0).shuffle(reference)
    assert score_window(reference, 0.25, 0.9) == (25.0, 90.0)
    assert score_window(reference, 0.0, 0.9) == (-np.inf, 90.0)
    assert score_window(reference, 0.25, 1.0) == (25.0, np.inf)
    assert score_window(np.zeros(0), 0.25, 0.9) == (-np.inf, np.inf)


@pytest.mark.parametrize(("low", "high"), [(0.5, 0.5), (0.9, 0.1), (-0.1, 0.5), (0.5, 1.1)])
def test_an_empty_window_is_an_error(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="expected 0 <= low < high <= 1"):
        score_window(np.zeros(1), low, high)


def test_similarity_is_to_the_nearest_call() -> None:
    rng = np.random.default_rng(0)
    rows, calls = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in rng.normal(size=(2, 9, 4)))
    found = call_similarity(rows.astype(np.float32), calls.astype(np.float32))
    slow = [max(float(r @ c) for c in calls) for r in rows]
    np.testing.assert_allclose(found, slow, atol=1e-6)
    assert call_similarity(rows, np.zeros((0, 4))).tolist() == [-1.0] * 9


def test_the_nearest_call_is_the_most_similar_and_the_first_of_equals() -> None:
    rng = np.random.default_rng(3)
    rows, calls = rng.normal(size=(9, 4)), rng.normal(size=(5, 4))
    calls[3] = calls[1]
    call, similarity = nearest_call(rows, calls)
    for row, at, found in zip(rows, call.tolist(), similarity.tolist(), strict=True):
        every = [float(sum(a * b for a, b in zip(row, one, strict=True))) for one in calls]
        assert at == every.index(max(every))
        assert found == pytest.approx(max(every), rel=1e-5)
    call, similarity = nearest_call(rows, calls[:0])
    assert call.tolist() == [-1] * 9
    assert similarity.tolist() == [-1.0] * 9


calls = st.lists(st.floats(-20, 20), min_size=1, max_size=12)


@given(calls, st.sampled_from(["absolute", "relative"]), st.floats(0, 5), st.floats(-30, 30))
def test_margins_move_with_the_scores_whatever_their_sign(
    scores: list[float], space: str, margin: float, shift: float
) -> None:
    values = np.array(scores)
    before = margin_threshold(values, space, margin)  # type: ignore[arg-type]
    after = margin_threshold(values + shift, space, margin)  # type: ignore[arg-type]
    assert after == pytest.approx(before + shift, abs=1e-6)
    assert before <= np.median(values) + 1e-9


@given(calls, st.floats(0.1, 10))
def test_a_relative_margin_scales_with_the_scores(scores: list[float], scale: float) -> None:
    values = np.array(scores)
    before = margin_threshold(values, "relative", 0.7)
    assert margin_threshold(values * scale, "relative", 0.7) == pytest.approx(before * scale)


def test_a_quantile_margin_is_that_quantile_of_the_calls() -> None:
    assert margin_threshold(np.arange(11.0), "quantile", 0.1) == 1.0
    assert margin_threshold(np.zeros(0), "quantile", 0.1) == np.inf


def test_what_is_no_quantile_and_no_space_is_an_error() -> None:
    with pytest.raises(ValueError, match="margin 2 is not a quantile"):
        margin_threshold(np.zeros(1), "quantile", 2.0)
    with pytest.raises(ValueError, match="reference -1 is not a quantile"):
        margin_threshold(np.zeros(1), "absolute", 1.0, reference=-1.0)
    with pytest.raises(ValueError, match="expected absolute, relative or quantile"):
        margin_threshold(np.zeros(1), "odd", 1.0)  # type: ignore[arg-type]


@given(st.lists(st.sets(st.sampled_from("abc"), min_size=1), max_size=20), st.integers(1, 4))
def test_no_key_passes_its_quota_and_nothing_is_dropped_without_need(
    keys: list[set[str]], most: int
) -> None:
    kept = within_quota(keys, most)
    taken: Counter[str] = Counter()
    for of_row, keep in zip(keys, kept, strict=True):
        assert keep == all(taken[name] < most for name in of_row)
        if keep:
            taken.update(of_row)
    assert all(count <= most for count in taken.values())


def test_k_center_takes_the_hardest_first_and_then_the_farthest() -> None:
    angles = np.radians([0.0, 1.0, 2.0, 90.0, 180.0])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert k_center(points, 3).tolist() == [0, 4, 3]
    assert sorted(k_center(points, 99).tolist()) == [0, 1, 2, 3, 4]
    assert k_center(points[:0], 3).tolist() == []


def test_k_center_covers_within_twice_the_best_radius() -> None:
    from itertools import combinations

    rng = np.random.default_rng(1)
    points = rng.normal(size=(9, 3)).astype(np.float32)
    points /= np.linalg.norm(points, axis=1, keepdims=True)
    # the chord is a metric; 1 - cosine is half its square
    chord = np.sqrt(np.maximum(0.0, 2.0 - 2.0 * points @ points.T))

    def radius(chosen: list[int]) -> float:
        return float(chord[:, chosen].min(axis=1).max())

    best = min(radius(list(chosen)) for chosen in combinations(range(9), 3))
    assert radius(k_center(points, 3).tolist()) <= 2 * best + 1e-6
