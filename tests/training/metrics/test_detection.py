"""Detection metrics against slow references that count window by window, and by hand."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from training.metrics import Curves, RecordingWindows, false_positives_per_hour, resamples

INF = float("inf")
CLASSES = 3
LEVELS = [-INF, -1.5, 0.0, 0.5, 2.0, INF]
THOROUGH = settings(max_examples=60, deadline=None)


@dataclass
class Case:
    recordings: list[RecordingWindows]
    weights: list[int]


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Few windows and many ties; recordings without windows, calls or weight."""
    made = []
    for _ in range(draw(st.integers(1, 4))):
        windows = draw(st.integers(0, 5))
        cells = windows * CLASSES
        scores = draw(st.lists(st.sampled_from(LEVELS), min_size=cells, max_size=cells))
        free = draw(st.lists(st.booleans(), min_size=cells, max_size=cells))
        call = st.tuples(st.integers(0, CLASSES - 1), st.sampled_from(LEVELS))
        shape = windows, CLASSES
        made.append(
            RecordingWindows(
                np.reshape(np.array(scores, float), shape),
                np.reshape(np.array(free, bool), shape),
                draw(st.lists(call, max_size=5)),
                draw(st.sampled_from([0.25, 0.5, 2.0])),
            )
        )
    count = len(made)
    weights = draw(st.lists(st.integers(0, 3), min_size=count, max_size=count).filter(any))
    return Case(made, weights)


class Slow:
    """One class, with each recording as often as it weighs."""

    def __init__(self, case: Case, column: int) -> None:
        pairs = zip(case.recordings, case.weights, strict=True)
        drawn = [one for one, weight in pairs for _ in range(weight)]
        self.hours = sum(one.hours for one in drawn)
        self.calls = [score for one in drawn for label, score in one.calls if label == column]
        self.free: list[float] = []
        self.taken: list[float] = []
        self.bed: list[float] = []
        for one in drawn:
            for row, free in zip(one.scores, one.absent, strict=True):
                (self.free if free[column] else self.taken).append(row[column])
                if all(free):
                    self.bed.append(row[column])

    def reach(self, scores: list[float], threshold: float) -> int:
        return sum(score >= threshold for score in scores)

    def candidates(self) -> list[float]:
        """Every score there is: between two of them nothing changes."""
        return sorted({*self.calls, *self.free, *self.taken})

    def at_recall(self, recall: float) -> tuple[float, float, float, float]:
        if not self.calls:
            return (math.nan,) * 4
        needed = [
            t for t in self.candidates()
            if self.reach(self.calls, t) >= recall * len(self.calls) - 1e-9
        ]  # fmt: skip
        threshold = max(t for t in needed if t in self.calls)
        false, true = self.reach(self.free, threshold), self.reach(self.taken, threshold)
        precision = true / max(1, false + true) if self.free else math.nan
        bed = self.reach(self.bed, threshold)
        return threshold, false / self.hours, bed / self.hours, precision

    def recall_at(self, rate: float) -> float:
        if not self.calls or not self.free:
            return math.nan
        shares = [0.0]
        for threshold in self.candidates():
            if threshold > -INF and self.reach(self.free, threshold) / self.hours <= rate:
                shares.append(self.reach(self.calls, threshold) / len(self.calls))
        return max(shares)


@THOROUGH
@given(case=cases(), recall=st.sampled_from([0.1, 0.5, 0.7, 1.0]))
def test_at_recall_is_its_definition(case: Case, recall: float) -> None:
    found = Curves(case.recordings).at_recall(recall, [case.weights])
    for column in range(CLASSES):
        threshold, per_hour, bed, precision = Slow(case, column).at_recall(recall)
        assert found.threshold[0, column] == pytest.approx(threshold, nan_ok=True)
        assert found.per_hour[0, column] == pytest.approx(per_hour, nan_ok=True)
        assert found.bed[0, column] == pytest.approx(bed, nan_ok=True)
        assert found.precision[0, column] == pytest.approx(precision, nan_ok=True)


@THOROUGH
@given(case=cases(), rate=st.sampled_from([0.0, 0.3, 1.0, 2.0, 10.0]))
def test_at_rate_is_its_definition(case: Case, rate: float) -> None:
    found = Curves(case.recordings).at_rate(rate, [case.weights])
    for column in range(CLASSES):
        slow = Slow(case, column)
        expected = slow.recall_at(rate)
        assert found.recall[0, column] == pytest.approx(expected, nan_ok=True)
        threshold = float(found.threshold[0, column])
        if not expected > 0:
            assert math.isnan(threshold)
            continue
        # the threshold keeps what it promises, and the next one up finds less
        assert slow.reach(slow.free, threshold) <= rate * slow.hours + 1e-9
        assert slow.reach(slow.calls, threshold) / len(slow.calls) == pytest.approx(expected)
        above = [call for call in slow.calls if call > threshold]
        assert len(above) < slow.reach(slow.calls, threshold)


@THOROUGH
@given(case=cases())
def test_weights_are_copies_and_blocks_change_nothing(case: Case) -> None:
    curves = Curves(case.recordings)
    pairs = zip(case.recordings, case.weights, strict=True)
    copied = Curves([one for one, weight in pairs for _ in range(weight)])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("training.metrics.detection._BLOCK", 1)
        weighed = curves.at_recall(0.7, [case.weights] * 3)
        rates = curves.at_rate(1.0, [case.weights] * 3)
    for row in range(3):
        np.testing.assert_allclose(weighed.per_hour[row], copied.at_recall(0.7).per_hour[0])
        np.testing.assert_allclose(weighed.precision[row], copied.at_recall(0.7).precision[0])
        np.testing.assert_allclose(rates.recall[row], copied.at_rate(1.0).recall[0])


def one_recording(
    free: list[float], taken: list[float], calls: list[float], hours: float = 1.0
) -> Curves:
    scores = np.array([*free, *taken])[:, None]
    absent = np.array([True] * len(free) + [False] * len(taken))[:, None]
    return Curves([RecordingWindows(scores, absent, [(0, score) for score in calls], hours)])


def test_recall_at_a_rate_by_hand() -> None:
    # free windows 9, 7, 5, 3 in an hour; calls 10, 8, 6, 4, 2
    curves = one_recording([9, 7, 5, 3], [10, 8, 6, 4, 2], [10, 8, 6, 4, 2])
    # none allowed: above 9; one: above 7; two: above 5; four: all
    recalls = [curves.at_rate(rate).recall[0, 0] for rate in (0, 1, 1.9, 2, 4)]
    assert recalls == pytest.approx([0.2, 0.4, 0.4, 0.6, 1.0])
    assert curves.at_rate(1).threshold[0, 0] == 8


def test_a_call_that_ties_with_one_false_positive_too_many_is_not_found() -> None:
    # three windows share the score 5: one cannot be taken without the others
    curves = one_recording([5, 5, 5], [6, 5], [6, 5])
    assert curves.at_rate(2).recall[0, 0] == 0.5
    assert curves.at_rate(3).recall[0, 0] == 1.0


def test_fewer_hours_than_the_rate_asks_for_allow_none() -> None:
    # 0.3 h: one an hour is a third of a window; ten an hour are three
    curves = one_recording([9, 7, 5, 4.5], [10, 8, 4], [10, 8, 4], hours=0.3)
    assert curves.at_rate(1).recall[0, 0] == pytest.approx(1 / 3)
    assert curves.at_rate(10).recall[0, 0] == pytest.approx(2 / 3)
    # a whole number of them, to rounding: 0.1 h at 10 an hour are one, not none
    curves = one_recording([9, 7], [8], [8], hours=0.1)
    assert curves.at_rate(10).recall[0, 0] == 1.0
    assert one_recording([9], [8], [8], hours=0.1 + 0.2).at_rate(10 / 3).recall[0, 0] == 1.0


def test_a_call_no_window_touches_is_never_found() -> None:
    curves = one_recording([1.0], [2.0], [2.0, -INF])
    assert curves.at_rate(1000).recall[0, 0] == 0.5
    assert curves.at_recall(1.0).threshold[0, 0] == -INF


def test_precision_by_hand() -> None:
    # at recall 0.5 the threshold is 8: true 10, 8, and of the same calls 9; false 9
    curves = one_recording([9, 7], [10, 9, 8, 2], [10, 8, 2, 1])
    found = curves.at_recall(0.5)
    assert (found.threshold[0, 0], found.per_hour[0, 0]) == (8, 1)
    assert found.precision[0, 0] == pytest.approx(3 / 4)


def test_what_nothing_defines_is_nan() -> None:
    without_calls = one_recording([1.0, 2.0], [], [])
    assert np.isnan(without_calls.at_rate(1).recall).all()
    assert np.isnan(without_calls.at_recall(0.7).per_hour).all()
    assert np.isnan(without_calls.at_recall(0.7).precision).all()
    calls_throughout = one_recording([], [1.0, 2.0], [2.0])
    assert np.isnan(calls_throughout.at_rate(1).recall).all()
    assert np.isnan(calls_throughout.at_recall(0.7).precision).all()
    assert calls_throughout.at_recall(0.7).per_hour[0, 0] == 0
    # nothing is found at that rate: a recall of 0 is defined, its threshold is not
    nothing = one_recording([5.0], [1.0], [1.0]).at_rate(0)
    assert (nothing.recall[0, 0], math.isnan(nothing.threshold[0, 0])) == (0.0, True)


def test_hours_in_free_windows() -> None:
    absent = np.array([[True, False], [True, True], [True, False], [False, False]])
    one = RecordingWindows(np.zeros((4, 2)), absent, [(1, 0.0)], 2.0)
    empty = RecordingWindows(np.zeros((0, 2)), np.zeros((0, 2), bool), [], 0.5)
    curves = Curves([one, empty])
    assert curves.free_hours == pytest.approx([1.5, 0.5])
    assert curves.hours.tolist() == [2.0, 0.5]
    assert curves.calls.tolist() == [0, 1]


@THOROUGH
@given(case=cases(), recall=st.sampled_from([0.1, 0.5, 0.7, 1.0]))
def test_arrays_give_what_curves_give(case: Case, recall: float) -> None:
    curves = Curves(case.recordings).at_recall(recall)
    calls = [call for one in case.recordings for call in one.calls]
    found = false_positives_per_hour(
        np.concatenate([one.scores for one in case.recordings]),
        np.concatenate([one.absent for one in case.recordings]),
        [[score for label, score in calls if label == column] for column in range(CLASSES)],
        sum(one.hours for one in case.recordings),
        recall,
    )
    np.testing.assert_allclose(found.per_class, curves.per_hour[0])
    np.testing.assert_array_equal(found.threshold, curves.threshold[0])
    assert found.total == pytest.approx(
        np.nansum(curves.per_hour) if calls else math.nan, nan_ok=True
    )


def test_resamples_in_which_no_call_is_drawn_are_nan() -> None:
    cells = np.array([[0.0]]), np.array([[True]])
    with_call = RecordingWindows(*cells, [(0, 1.0)], 1.0)
    without = RecordingWindows(*cells, [], 1.0)
    weights = resamples(2, 400)
    recall = Curves([with_call, without]).at_rate(1.0, weights).recall[:, 0]
    assert (np.isnan(recall) == (weights[:, 0] == 0)).all()
    assert 0 < np.isnan(recall).mean() < 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"hours": 0.0}, "hours is 0, expected more than 0"),
        ({"scores": np.array([[np.nan]])}, "scores is NaN"),
        ({"absent": np.array([[True, False]])}, "truth has shape"),
        ({"calls": [(0, math.nan)]}, "score of a call is NaN"),
    ],
)
def test_errors_of_curves(change: dict[str, object], message: str) -> None:
    given: dict[str, object] = {
        "scores": np.array([[0.0]]), "absent": np.array([[True]]), "calls": [], "hours": 1.0
    }  # fmt: skip
    with pytest.raises(ValueError, match=message):
        Curves([RecordingWindows(**(given | change))])  # type: ignore[arg-type]


def test_errors_of_metrics() -> None:
    curves = one_recording([1.0], [2.0], [2.0])
    with pytest.raises(ValueError, match=r"recall is 70, expected a share"):
        curves.at_recall(70)
    with pytest.raises(ValueError, match=r"per_hour is -1, expected 0 or more"):
        curves.at_rate(-1)
    with pytest.raises(ValueError, match=r"weights has shape \(2,\), expected \(B, 1\)"):
        curves.at_rate(1, [1, 2])
