"""Metrics against sklearn, slow references written from the definitions, and arithmetic by hand."""

from __future__ import annotations

import doctest
import itertools
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, label_ranking_average_precision_score

from training.metrics import (
    average_precision,
    evaluate,
    false_positives_per_hour,
    known_ap,
    lwlrap,
    lwlrap_bounds,
    macro_average_precision,
    masked_lwlrap,
    match_windows,
    neg_at_k,
    ranking,
    validate,
)

INF = float("inf")
THOROUGH = settings(max_examples=100, deadline=None)
QUICK = settings(max_examples=30, deadline=None)


# --- Slow references: plain loops, straight from the definitions ---


def slow_lwlrap(truth: np.ndarray, scores: np.ndarray, known: np.ndarray | None = None) -> float:
    known = np.ones(truth.shape, bool) if known is None else known
    precisions = []
    for labels, row, sure in zip(truth, scores, known, strict=True):
        for c in range(len(row)):
            if labels[c] and sure[c]:
                above = [d for d in range(len(row)) if sure[d] and row[d] >= row[c]]
                precisions.append(sum(bool(labels[d]) for d in above) / len(above))
    return sum(precisions) / len(precisions) if precisions else math.nan


def slow_neg_at_k(truth: np.ndarray, scores: np.ndarray, known: np.ndarray, k: int) -> float:
    """Sorts each clip, absent classes first where scores tie, and looks at the top k."""
    faults = []
    for labels, row, sure in zip(truth, scores, known, strict=True):
        cells = sorted((-row[c], bool(labels[c])) for c in range(len(row)) if sure[c])
        order = [present for _, present in cells]
        if any(order):
            faults.append(any(not order[i] and any(order[i + 1 :]) for i in range(len(order[:k]))))
    return sum(faults) / len(faults) if faults else math.nan


def slow_bounds(truth: np.ndarray, scores: np.ndarray, known: np.ndarray) -> tuple[float, float]:
    """Every filling-in of the unknown cells."""
    values = []
    for filling in itertools.product([0, 1], repeat=int((~known).sum())):
        filled = np.array(truth, dtype=bool)
        filled[~known] = filling
        if filled.any():
            values.append(slow_lwlrap(filled, scores))
    return (min(values), max(values)) if values else (math.nan, math.nan)


def sklearn_lwlrap(truth: np.ndarray, scores: np.ndarray) -> float:
    labelled = truth.any(axis=1)
    weights = truth[labelled].sum(axis=1)
    value = label_ranking_average_precision_score(
        truth[labelled], scores[labelled], sample_weight=weights
    )
    return float(value)


def random_case(
    seed: int, clips: int = 50, classes: int = 13, levels: int | None = None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, scores and mask, with clips of no and of every label; few ``levels`` make ties."""
    rng = np.random.default_rng(seed)
    truth = rng.random((clips, classes)) < rng.random((clips, 1)) ** 2
    truth[0], truth[-1] = False, True
    scores = rng.normal(size=(clips, classes)) + truth
    if levels is not None:
        scores = np.round(scores * levels / 4)
    return truth, scores, rng.random((clips, classes)) < 0.6


@st.composite
def cases(
    draw: st.DrawFn, cells: int = 40, unknown: int = 40, ties: bool = True
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Small ragged problems, infinities and ties among their scores."""
    classes = draw(st.integers(1, 7))
    clips = draw(st.integers(1, max(1, cells // classes)))
    size = clips * classes
    truth = draw(st.lists(st.booleans(), min_size=size, max_size=size))
    values = [-INF, -2.0, -0.5, 0.0, 1.0, 3.0, INF]
    if ties:
        scores = draw(st.lists(st.sampled_from(values), min_size=size, max_size=size))
    else:
        scores = draw(st.permutations(np.arange(size).tolist()))
    hidden = draw(st.sets(st.integers(0, size - 1), max_size=unknown))
    known = np.array([cell not in hidden for cell in range(size)])
    shape = (clips, classes)
    return (
        np.reshape(truth, shape),
        np.reshape(np.array(scores, dtype=float), shape),
        known.reshape(shape),
    )


# --- LWLRAP ---


def test_lwlrap_by_hand() -> None:
    truth = [[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 0]]
    scores = [[0.9, 0.8, 0.7, 0.1], [0.2, 0.1, 0.9, 0.0], [0.5, 0.4, 0.3, 0.2]]
    # Clip 0: label 0 is 1st of 1 -> 1/1, label 2 is 2nd label at rank 3 -> 2/3.
    # Clip 1: label 1 at rank 3 -> 1/3. Clip 2 has no label and drops out. Three labels in all.
    assert lwlrap(truth, scores) == pytest.approx((1 + 2 / 3 + 1 / 3) / 3, abs=1e-15)


def test_ties_count_against_the_model() -> None:
    # All three classes tie: rank 3, one label among them -> 1/3, not 1 (best) or 1/2 (middle).
    assert lwlrap([[0, 1, 0]], [[0.5, 0.5, 0.5]]) == pytest.approx(1 / 3, abs=1e-15)
    # Two of the tied three are labels: both see 2 labels in 3 classes.
    assert lwlrap([[1, 1, 0]], [[0.5, 0.5, 0.5]]) == pytest.approx(2 / 3, abs=1e-15)


@pytest.mark.parametrize("levels", [None, 1, 4])
@pytest.mark.parametrize("seed", range(5))
def test_lwlrap_is_sklearns_weighted_by_labels(seed: int, levels: int | None) -> None:
    truth, scores, _ = random_case(seed, levels=levels)
    assert lwlrap(truth, scores) == pytest.approx(sklearn_lwlrap(truth, scores), abs=1e-12)


def test_lwlrap_weighs_labels_not_clips() -> None:
    # The unweighted mean over clips, 1/2 * (1 + 1/3), is the near miss of other libraries.
    truth, scores = [[1, 1, 1], [1, 0, 0]], [[3.0, 2.0, 1.0], [1.0, 2.0, 3.0]]
    assert lwlrap(truth, scores) == pytest.approx((3 + 1 / 3) / 4, abs=1e-15)


@THOROUGH
@given(cases())
def test_lwlrap_is_its_definition(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    truth, scores, known = case
    assert lwlrap(truth, scores) == pytest.approx(slow_lwlrap(truth, scores), nan_ok=True)
    masked = masked_lwlrap(truth, scores, known)
    assert masked == pytest.approx(slow_lwlrap(truth, scores, known), nan_ok=True)


def test_blocks_do_not_change_the_result(monkeypatch: pytest.MonkeyPatch) -> None:
    truth, scores, known = random_case(7, clips=23, levels=3)
    whole = lwlrap(truth, scores), *lwlrap_bounds(truth, scores, known)
    monkeypatch.setattr(ranking, "BLOCK_CELLS", 40)  # 3 clips at a time, the last block short
    assert (lwlrap(truth, scores), *lwlrap_bounds(truth, scores, known)) == pytest.approx(whole)


# --- Masked LWLRAP ---


def test_masked_by_hand() -> None:
    truth = [[1, 0, 0], [0, 1, 1]]
    scores = [[0.6, 0.9, 0.7], [0.5, 0.8, 0.1]]
    known = [[True, False, True], [True, True, False]]
    # Clip: clip 0 ranks 0.7, 0.6* -> 1/2; clip 1 ranks 0.8*, 0.5 -> 1/1.
    assert masked_lwlrap(truth, scores, known) == pytest.approx(3 / 4, abs=1e-15)
    # Flat: 0.8*, 0.7, 0.6*, 0.5 -> 1/1 and 2/3.
    assert known_ap(truth, scores, known) == pytest.approx(5 / 6, abs=1e-15)


@pytest.mark.parametrize("levels", [None, 2])
def test_flat_is_average_precision_over_known_cells(levels: int | None) -> None:
    truth, scores, known = random_case(3, levels=levels)
    expected = average_precision_score(truth[known], scores[known])
    assert known_ap(truth, scores, known) == pytest.approx(expected, abs=1e-12)
    one_row = lwlrap(truth[known][None], scores[known][None])
    assert known_ap(truth, scores, known) == pytest.approx(one_row, abs=1e-12)


def test_unknown_cells_do_not_tie_with_the_lowest_score() -> None:
    # A mask made by writing -inf over unknown cells would rank the label 3rd of 3 here.
    value = masked_lwlrap([[1, 0, 0]], [[-INF, 0.0, 0.0]], [[True, False, False]])
    assert value == 1.0


def test_what_unknown_cells_hold_is_not_read() -> None:
    truth, scores, known = random_case(4)
    other_truth, other_scores = np.where(known, truth, ~truth), np.where(known, scores, 99.0)
    for metric in (masked_lwlrap, known_ap):
        value = metric(truth, scores, known)
        assert metric(other_truth, other_scores, known) == value
    assert evaluate(other_truth, other_scores, known) == evaluate(truth, scores, known)
    assert lwlrap_bounds(other_truth, scores, known) == lwlrap_bounds(truth, scores, known)


def test_a_full_mask_changes_nothing() -> None:
    truth, scores, _ = random_case(5, levels=3)
    known = np.ones_like(truth)
    assert masked_lwlrap(truth, scores, known) == lwlrap(truth, scores)
    assert evaluate(truth, scores, known) == evaluate(truth, scores)
    low, high = lwlrap_bounds(truth, scores, known)
    assert low == pytest.approx(lwlrap(truth, scores), abs=1e-12)
    assert high == pytest.approx(low, abs=1e-12)


# --- Bounds ---


def test_bounds_by_hand() -> None:
    # Ranking: unknown, absent, label. Filled with 0: 1/3. Filled with 1: (1/1 + 2/3) / 2 = 5/6.
    low, high = lwlrap_bounds([[0, 0, 1]], [[3.0, 2.0, 1.0]], [[False, True, True]])
    assert (low, high) == pytest.approx((1 / 3, 5 / 6), abs=1e-15)


def test_bounds_weigh_the_number_of_labels() -> None:
    # Clip 0 (1/1) gains by no filling; the unknown cell of clip 1, ranked 2nd, is worth 1/2.
    # Low: absent 1/1 alone is 1; present (1 + 1/2) / 2. High: leave it out.
    low, high = lwlrap_bounds(
        [[1, 0], [0, 0]], [[2.0, 1.0], [2.0, 1.0]], [[True, True], [True, False]]
    )
    assert (low, high) == pytest.approx((3 / 4, 1.0), abs=1e-15)


@THOROUGH
@given(cases(cells=14, unknown=7, ties=False))
def test_bounds_are_exact_without_ties(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    assert lwlrap_bounds(*case) == pytest.approx(slow_bounds(*case), abs=1e-12, nan_ok=True)


@THOROUGH
@given(cases(cells=14, unknown=7))
def test_bounds_hold_for_every_filling(case: tuple[np.ndarray, np.ndarray, np.ndarray]) -> None:
    low, high = lwlrap_bounds(*case)
    least, most = slow_bounds(*case)
    if math.isnan(least):
        assert math.isnan(low)
        assert math.isnan(high)
    else:
        assert 0 <= low <= least + 1e-12
        assert most - 1e-12 <= high <= 1 + 1e-12


@pytest.mark.parametrize("seed", range(20))
def test_bounds_are_exact_where_unknown_cells_tie_with_absent_ones_only(seed: int) -> None:
    rng = np.random.default_rng(seed)
    scores = rng.permuted(np.tile(np.arange(6.0), (3, 1)), axis=1)
    known = np.ones((3, 6), bool)
    known.flat[rng.choice(18, 7, replace=False)] = False
    truth = known & (rng.random((3, 6)) < 0.5)
    # Each row once more as absent cells: now every cell ties with an absent one.
    nothing = np.zeros_like(truth)
    case = np.hstack([truth, nothing]), np.hstack([scores] * 2), np.hstack([known, ~nothing])
    assert lwlrap_bounds(*case) == pytest.approx(slow_bounds(*case), abs=1e-12)


def test_bounds_hold_in_the_ties_that_break_the_argument_on_moving() -> None:
    # Nine absent cells, an unknown one, then ten tied ones: all unknown in the first case, nine
    # labels and an unknown one in the second. Here the highest unknown cells are not the best, nor
    # the lowest the worst: the tied one alone is worth 10/20 + 9 * 1/20, the one above 1/10 + 9/20.
    # A clip of labels only keeps the price of a label high enough for that to matter.
    scores = np.array([[*range(20, 10, -1), *[1] * 10], range(20)], dtype=float)
    labels = np.array([[0] * 10 + [1] * 9 + [0], [1] * 20], bool)
    known = np.array([[True] * 9 + [False] * 11, [True] * 20])
    for sure in (known, known | labels):
        least, most = slow_bounds(labels, scores, sure)
        for seed in range(10):  # the order of columns decides how a sort arranges ties
            columns = np.random.default_rng(seed).permutation(20)
            low, high = lwlrap_bounds(labels[:, columns], scores[:, columns], sure[:, columns])
            assert low <= least + 1e-12
            assert high >= most - 1e-12


def test_bounds_narrow_as_cells_become_known() -> None:
    truth, scores, known = random_case(11, clips=80, classes=24)
    more = known | (np.random.default_rng(0).random(known.shape) < 0.5)
    (low, high), (tighter_low, tighter_high) = (
        lwlrap_bounds(truth, scores, known),
        lwlrap_bounds(truth, scores, more),
    )
    assert low < tighter_low < lwlrap(truth, scores) < tighter_high < high


# --- neg@k ---


def test_neg_at_k_by_hand() -> None:
    truth = [[1, 1, 0, 0], [1, 0, 0, 1], [0, 1, 0, 0], [0, 0, 0, 0]]
    scores = [[9, 8, 1, 0], [9, 8, 1, 0], [5, 4, 3, 9], [1, 2, 3, 4]]
    # Clip 0: both labels lead, never a fault. Clip 1: the absent class 1 is 2nd, above class 3.
    # Clip 2: an absent class leads, a fault at every k. Clip 3 has no label and is not counted.
    assert neg_at_k(truth, scores, 1) == pytest.approx(1 / 3)
    assert neg_at_k(truth, scores, 2) == pytest.approx(2 / 3)
    assert neg_at_k(truth, scores, 99) == pytest.approx(2 / 3)


def test_an_absent_class_below_all_labels_is_no_fault() -> None:
    assert neg_at_k([[1, 0, 0]], [[0.1, 0.05, 0.0]], 3) == 0.0


def test_neg_at_k_ties_and_masks() -> None:
    assert neg_at_k([[1, 0]], [[0.5, 0.5]], 1) == 1.0
    assert neg_at_k([[1, 0]], [[-INF, -INF]], 1) == 1.0
    assert neg_at_k([[1, 0]], [[0.5, 0.9]], 1, known=[[True, False]]) == 0.0
    assert neg_at_k([[1, 1]], [[-INF, -INF]], 1) == 0.0  # nothing is absent


@THOROUGH
@given(cases(), st.integers(1, 8))
def test_neg_at_k_is_its_definition(
    case: tuple[np.ndarray, np.ndarray, np.ndarray], k: int
) -> None:
    truth, scores, known = case
    expected = slow_neg_at_k(truth, scores, known, k)
    assert neg_at_k(truth, scores, k, known) == pytest.approx(expected, nan_ok=True)


# --- Average precision ---


@pytest.mark.parametrize("levels", [None, 1, 5])
def test_average_precision_is_sklearns(levels: int | None) -> None:
    truth, scores, known = random_case(6, levels=levels)
    expected = [average_precision_score(truth[:, c], scores[:, c]) for c in range(13)]
    assert average_precision(truth, scores) == pytest.approx(expected, abs=1e-12)
    assert macro_average_precision(truth, scores) == pytest.approx(np.mean(expected), abs=1e-12)
    masked = [
        average_precision_score(truth[known[:, c], c], scores[known[:, c], c]) for c in range(13)
    ]
    assert average_precision(truth, scores, known) == pytest.approx(masked, abs=1e-12)


def test_a_class_without_positives_has_no_average_precision() -> None:
    values = average_precision([[1, 0], [0, 0], [1, 0]], [[3, 1], [2, 2], [1, 3]])
    # Class 0 ranks 3*, 2, 1*: (1/1 + 2/3) / 2.
    assert values == pytest.approx([5 / 6, math.nan], abs=1e-15, nan_ok=True)
    assert macro_average_precision([[1, 0], [0, 0], [1, 0]], [[3, 1], [2, 2], [1, 3]]) == values[0]
    hidden = [[False, True], [True, True], [False, True]]
    assert np.isnan(average_precision([[1, 0], [0, 0], [1, 0]], np.ones((3, 2)), hidden)).all()


# --- False positives an hour ---


def test_false_positives_by_hand() -> None:
    window_scores = [[0.9, 0.2, 1.0], [0.6, 0.8, 1.0], [0.5, 0.7, 1.0], [0.4, 0.1, 1.0]]
    absent = [[False, True, True], [True, True, True], [True, False, True], [True, True, True]]
    calls = [[0.9, 0.5, 0.45, 0.1], [0.7], []]
    found = false_positives_per_hour(window_scores, absent, calls, hours=0.5, recall=0.5)
    # Class 0: 2 of 4 calls reach 0.5; windows 1 and 2 are absent and reach it: 2 in half an hour.
    # Class 1: its one call reaches 0.7; window 1 does too. Class 2 has no call.
    assert found.threshold == pytest.approx([0.5, 0.7, math.nan], nan_ok=True)
    assert found.per_class == pytest.approx([4.0, 2.0, math.nan], nan_ok=True)
    assert found.total == 6.0


def test_threshold_is_the_highest_that_keeps_the_recall() -> None:
    rng = np.random.default_rng(0)
    for count in [1, 2, 3, 9, 10, 20, 40, 99, 100]:
        calls = rng.normal(size=count)
        for percent in [1, 7, 10, 29, 30, 50, 55, 57, 58, 70, 90, 99, 100]:
            found = false_positives_per_hour([[0.0]], [[True]], [calls], 1.0, percent / 100)
            # In whole numbers, since 0.55 * 100 is a little more than 55.
            fitting = [t for t in calls if 100 * (calls >= t).sum() >= percent * count]
            assert found.threshold[0] == max(fitting), (count, percent)


def test_a_call_no_window_touches_opens_the_threshold_only_if_needed() -> None:
    scores, absent, calls = [[0.1], [0.9]], [[True], [True]], [[-INF, 0.5]]
    assert false_positives_per_hour(scores, absent, calls, 1.0, 0.5).per_class == [1.0]
    everything = false_positives_per_hour(scores, absent, calls, 1.0, 1.0)
    assert (everything.threshold[0], everything.total) == (-INF, 2.0)


def test_no_call_of_any_class_is_not_zero_false_positives() -> None:
    assert math.isnan(false_positives_per_hour([[0.1]], [[True]], [[]], 1.0, 0.5).total)


def test_match_windows_by_hand() -> None:
    start, end = [0.0, 1.0, 2.0], [1.0, 2.0, 3.0]
    scores = [[0.1, 0.9], [0.8, 0.2], [0.3, 0.4]]
    events = [(0, 0.5, 1.5), (1, 2.0, 2.5), (0, 7.0, 8.0)]
    absent, calls = match_windows(start, end, scores, events)
    # Call 1 begins where window 1 ends: they do not touch. Call 2 lies outside every window.
    assert absent.tolist() == [[False, True], [False, True], [True, False]]
    assert calls == [(0, 0.8), (1, 0.4), (0, -INF)]


def test_match_windows_is_its_definition() -> None:
    rng = np.random.default_rng(2)
    start = np.arange(0, 20, 0.5)
    end = start + 2
    scores = rng.normal(size=(len(start), 4))
    t_min = np.round(rng.uniform(-2, 24, 15), 1)
    events = np.stack([rng.integers(0, 4, 15), t_min, t_min + rng.uniform(0.1, 3, 15)], axis=1)
    absent, calls = match_windows(start, end, scores, events)
    expected = np.ones_like(absent)
    for (c, t_min_s, t_max_s), (index, best) in zip(events, calls, strict=True):
        touching = [w for w in range(len(start)) if min(end[w], t_max_s) > max(start[w], t_min_s)]
        expected[touching, int(c)] = False
        assert index == int(c)
        assert best == max([scores[w, int(c)] for w in touching], default=-INF)
    assert (absent == expected).all()


def test_match_windows_without_events_or_windows() -> None:
    absent, calls = match_windows([0.0], [1.0], [[0.5, 0.5]], [])
    assert absent.all()
    assert calls == []
    absent, calls = match_windows([], [], np.empty((0, 2)), [(1, 0.0, 1.0)])
    assert absent.shape == (0, 2)
    assert calls == [(1, -INF)]


# --- All metrics ---

SCALAR: dict[str, Callable[[Any, Any, Any], Any]] = {
    "lwlrap": lambda t, s, k: lwlrap(t, s),
    "masked_lwlrap": masked_lwlrap,
    "known_ap": known_ap,
    "bounds": lwlrap_bounds,
    "neg@2": lambda t, s, k: neg_at_k(t, s, 2, k),
    "macro_ap": macro_average_precision,
    "evaluate": evaluate,
}
METRIC = pytest.mark.parametrize("metric", SCALAR.values(), ids=SCALAR.keys())


@METRIC
@QUICK
@given(case=cases())
def test_only_the_order_of_scores_counts(metric: Callable[..., Any], case: Any) -> None:
    truth, scores, known = case
    squashed = np.arctan(scores) * 3 - 1
    assert metric(truth, squashed, known) == pytest.approx(metric(*case), nan_ok=True)


@METRIC
@QUICK
@given(case=cases(ties=False), seed=st.integers(0, 999))
def test_the_order_of_clips_and_classes_does_not_count(
    metric: Callable[..., Any], case: Any, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    clips, classes = (rng.permutation(n) for n in case[0].shape)
    shuffled = [array[clips][:, classes] for array in case]
    assert metric(*shuffled) == pytest.approx(metric(*case), nan_ok=True)


@METRIC
@pytest.mark.parametrize("shape", [(0, 3), (3, 0), (4, 3)])
def test_nothing_to_rank_is_nan(metric: Callable[..., Any], shape: tuple[int, int]) -> None:
    value = metric(np.zeros(shape), np.zeros(shape), np.ones(shape, bool))
    values = value.values() if isinstance(value, dict) else np.atleast_1d(value)
    assert all(math.isnan(v) for v in values)


@METRIC
def test_one_class(metric: Callable[..., Any]) -> None:
    # One class in three clips, ranked *, absent, *: alone in each clip it always leads.
    value = metric([[1], [0], [1]], [[3.0], [2.0], [1.0]], np.ones((3, 1), bool))
    expected = {
        "lwlrap": 1.0,
        "masked_lwlrap": 1.0,
        "known_ap": 5 / 6,
        "bounds": (1.0, 1.0),
        "neg@2": 0.0,
        "macro_ap": 5 / 6,
        "evaluate": {"macro_ap": 5 / 6},
    }
    name = next(key for key, function in SCALAR.items() if function is metric)
    assert value == pytest.approx(expected[name], abs=1e-15)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.int64])
def test_dtypes_of_scores_and_truth(dtype: type) -> None:
    truth, scores, known = random_case(8, levels=4)
    for kind in (np.int8, np.float32):
        expected = evaluate(truth, scores, known)
        assert evaluate(truth.astype(kind), scores.astype(dtype), known) == pytest.approx(expected)


def test_arguments_are_left_as_they_were() -> None:
    case = random_case(9)
    before = [array.copy() for array in case]
    for metric in SCALAR.values():
        metric(*case)
    assert all((array == copy).all() for array, copy in zip(case, before, strict=True))


def test_evaluate_is_each_metric() -> None:
    truth, scores, known = random_case(10)
    for mask in (None, known):
        sure = np.ones_like(known) if mask is None else mask
        assert evaluate(truth, scores, mask) == {
            "lwlrap": masked_lwlrap(truth, scores, sure),
            "macro_ap": macro_average_precision(truth, scores, sure),
            "neg@1": neg_at_k(truth, scores, 1, sure),
            "neg@3": neg_at_k(truth, scores, 3, sure),
            "neg@5": neg_at_k(truth, scores, 5, sure),
        }


def test_examples_in_docstrings() -> None:
    result = doctest.testmod(ranking)
    assert result.attempted > 0
    assert result.failed == 0


# --- Errors ---


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([1, 0], [0.1, 0.2]), r"shape \(2,\), not \(N, C\)"),
        ((np.zeros((2, 3)), np.zeros((3, 2))), r"did you transpose"),
        ((np.zeros((2, 3)), np.zeros((2, 4))), r"not the same clips and classes"),
        ((np.zeros((2, 3)), np.zeros((2, 3)), np.zeros((3, 2))), r"known \(3, 2\) \(did you tran"),
        (([[0.3, 0.9]], [[1, 0]]), r"swapped with scores"),
        (([[0.3, 0.9]], [[0.4, 0.2]]), r"are these scores"),
        (([[1, -1]], [[0.4, 0.2]]), r"pass unknown cells by `known`"),
        (([[1, math.nan]], [[0.4, 0.2]]), r"truth holds more than 0 and 1"),
        (([[1, 0]], [[0.4, 0.2]], [[0.5, 1.0]]), r"are these weights"),
        (
            ([[1, 0], [0, 1]], [[0.4, 0.2], [0.1, math.nan]]),
            r"NaN in 1 cells, first clip 1, cl.* 1",
        ),
        (([[1, 0]], [["a", "b"]]), r"scores has dtype"),
    ],
)
def test_validate_guesses_the_cause(arguments: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        validate(*arguments)


@METRIC
def test_every_metric_validates(metric: Callable[..., Any]) -> None:
    with pytest.raises(ValueError, match="did you transpose"):
        metric(np.zeros((2, 3)), np.zeros((3, 2)), np.ones((2, 3), bool))


def test_infinite_scores_are_allowed() -> None:
    assert lwlrap([[1, 0, 0]], [[INF, 0.0, -INF]]) == 1.0
    assert lwlrap([[0, 0, 1]], [[INF, 0.0, -INF]]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"hours": 0}, "hours is 0"),
        ({"hours": math.nan}, "hours is nan"),
        ({"recall": 70}, "per cent"),
        ({"recall": 0.0}, "recall is 0"),
        ({"call_scores": []}, "0 arrays for 1 classes"),
        ({"call_scores": [[math.nan]]}, r"call_scores\[0\] holds NaN"),
        ({"window_scores": [[math.nan]]}, "scores is NaN"),
    ],
)
def test_false_positives_errors(changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "window_scores": [[0.5]],
        "window_absent": [[True]],
        "call_scores": [[0.5]],
        "hours": 1.0,
        "recall": 0.7,
    }
    with pytest.raises(ValueError, match=message):
        false_positives_per_hour(**arguments | changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"events": [(0, 2.0, 1.0)]}, "columns swapped"),
        ({"events": [(0, 1.0, math.nan)]}, "columns swapped"),
        ({"events": [(0.5, 1.0, 2.0)]}, "is it the first column"),
        ({"events": [(2, 1.0, 2.0)]}, r"not in 0\.\.1"),
        ({"events": [(-1, 1.0, 2.0)]}, r"not in 0\.\.1"),
        ({"events": [(math.nan, 1.0, 2.0)]}, r"not in 0\.\.1"),
        ({"events": [(1.0, 2.0)]}, r"expected \(E, 3\)"),
        ({"window_start_s": [2.0]}, "columns swapped"),
        ({"window_end_s": [1.0, 2.0]}, r"\(2,\) ends"),
        ({"window_scores": [[math.nan, 0.0]]}, "scores is NaN"),
    ],
)
def test_match_windows_errors(changes: dict[str, Any], message: str) -> None:
    arguments: dict[str, Any] = {
        "window_start_s": [0.0],
        "window_end_s": [1.0],
        "window_scores": [[0.5, 0.5]],
        "events": [],
    }
    with pytest.raises(ValueError, match=message):
        match_windows(**arguments | changes)


def test_k_errors() -> None:
    with pytest.raises(ValueError, match="k is 0"):
        neg_at_k([[1]], [[1]], 0)


@pytest.mark.parametrize(
    ("truth", "known", "names"),
    [
        ([[1], [0], [1]], None, {"macro_ap"}),
        ([[1, 0], [1, 0]], [[1, 0], [0, 1]], set()),
        ([[1, 0], [0, 1]], [[1, 0], [0, 1]], set()),
        ([[1, 0], [0, 0]], [[1, 0], [1, 0]], {"macro_ap"}),
        ([[1, 0], [1, 0]], None, {"lwlrap", "neg@1", "neg@3", "neg@5"}),
        ([[0, 0], [0, 0]], None, set()),
        ([[1, 1], [1, 1]], None, set()),
        ([[1, 0], [0, 1]], None, {"lwlrap", "macro_ap", "neg@1", "neg@3", "neg@5"}),
    ],
)
def test_a_metric_that_no_score_can_change_is_left_out(
    truth: list[list[int]], known: list[list[int]] | None, names: set[str]
) -> None:
    rng = np.random.default_rng(0)
    found: dict[str, set[float]] = {}
    for _ in range(50):
        for name, value in evaluate(truth, rng.normal(size=np.shape(truth)), known).items():
            found.setdefault(name, set()).add(value)
    assert found.keys() == names
    # neg@3 of two classes cannot tell their order from neg@1's: all that is left does change
    assert all(len(values) > 1 for values in found.values())
