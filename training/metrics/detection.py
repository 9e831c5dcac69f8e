"""Detection metrics: windows of recordings against the calls in them.

A window is *free* of a class if it touches no call of it; a free window that reaches the class's
threshold is a false positive, any other that does a true one. A call is found if a window that
touches it reaches the threshold. Hours are those of the recordings, not of the windows, which may
overlap.

A threshold is a score, and all that equals it reaches it: a threshold between equal scores does not
exist. So it is enough to look at the scores of the calls, each of which is a point on the curve of
its class: calls found, false and true positives (`Curves`). Between two of them more false
positives are only lost.

A metric that nothing defines is NaN, never 0 or 1: all of a class without calls; recall at a rate
and precision also of a class that no window is free of, since they are 1 for any model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse

from training.metrics.ranking import Bools, Float64s, Floats, validate

# Cells of a curve that are added up at a time, over resamples.
_BLOCK = 1 << 21

# Less a hair: 0.55 * 100 comes out as 55.00000000000001, and still needs 55 calls.
_HAIR = 1e-9


def match_windows(
    window_start_s: ArrayLike, window_end_s: ArrayLike, window_scores: ArrayLike, events: ArrayLike
) -> tuple[Bools, list[tuple[int, float]]]:
    """Match the windows (W,) of one recording with its calls.

    ``events`` holds one (class index, t_min, t_max) a call, in seconds, and may be empty. Returns
    whether each window touches no call of each class, (W, C), and for each event, in order, its
    class and the best score of the windows that touch it, -inf where none does. Spans are
    half-open: a window that ends where a call begins does not touch it.
    """
    start, end = np.asarray(window_start_s, np.float64), np.asarray(window_end_s, np.float64)
    _, scores, _ = validate(np.zeros(np.shape(window_scores), bool), window_scores)
    if start.shape != scores.shape[:1] or end.shape != start.shape:
        raise ValueError(f"{start.shape} window starts, {end.shape} ends, {scores.shape} scores")
    table = np.asarray(events, dtype=np.float64)
    table = table if table.size else table.reshape(0, 3)
    if table.ndim != 2 or table.shape[1] != 3:
        raise ValueError(f"events has shape {table.shape}, expected (E, 3): class, t_min, t_max")
    if not np.isin(table[:, 0], np.arange(scores.shape[1])).all():
        raise ValueError(f"a class is not in 0..{scores.shape[1] - 1} (is it the first column?)")
    classes, t_min, t_max = table[:, 0].astype(int), table[:, 1], table[:, 2]
    if not ((t_min < t_max).all() and (start < end).all()):
        raise ValueError("a call or a window does not end after it starts (columns swapped?)")
    touch = (start[:, None] < t_max) & (end[:, None] > t_min)
    absent = np.ones(scores.shape, dtype=bool)
    window, event = np.nonzero(touch)
    absent[window, classes[event]] = False
    best = scores[:, classes].max(axis=0, where=touch, initial=-np.inf)
    return absent, list(zip(classes.tolist(), best.tolist(), strict=True))


@dataclass(frozen=True, eq=False)
class RecordingWindows:
    """One recording's windows, as `match_windows` matched them with its calls."""

    scores: Floats  # (W, C)
    absent: Bools  # (W, C): the window is free of the class
    calls: Sequence[tuple[int, float]]  # of each call, its class and its best window's score
    hours: float


@dataclass(frozen=True, eq=False)
class AtRecall:
    """Each class at the highest threshold that finds a share of its calls; (B, C) arrays.

    ``per_hour``: false positives an hour; ``bed``: those of them in windows free of all classes;
    ``precision``: the share of true positives among the windows that reach the threshold.
    """

    threshold: Float64s
    per_hour: Float64s
    bed: Float64s
    precision: Float64s


@dataclass(frozen=True, eq=False)
class AtRate:
    """Each class at a rate of false positives; (B, C) arrays.

    ``threshold`` is NaN where no call is found at that rate.
    """

    threshold: Float64s
    recall: Float64s


class Curves:
    """The operating curve of each class, recording by recording.

    Every metric takes ``weights`` (B, R), how often each recording counts in each of B resamples
    (`training.metrics.bootstrap.resamples`); without, B is 1 and each counts once.

    Attributes
    ----------
    hours : float64 array, shape (R,)
    free_hours : float64 array, shape (C,)
        Of each class, the hours in windows that are free of it.
    calls : int array, shape (C,)

    Raises
    ------
    ValueError
        If a recording has another number of classes, a score is NaN, or no recording lasts.
    """

    def __init__(self, recordings: Sequence[RecordingWindows]) -> None:
        self.hours = np.array([one.hours for one in recordings], dtype=np.float64)
        if not self.hours.sum() > 0 or (self.hours < 0).any():
            raise ValueError(f"hours is {self.hours.sum():g}, expected more than 0")
        checked = [validate(one.absent, one.scores)[:2] for one in recordings]
        absent = np.concatenate([free for free, _ in checked])
        scores = np.concatenate([found for _, found in checked])
        counts = np.array([len(free) for free, _ in checked])
        windows_of = np.repeat(np.arange(len(counts)), counts)
        bed: Bools = np.all(absent, axis=1)
        calls = [(row, *call) for row, one in enumerate(recordings) for call in one.calls]
        table = np.array(calls, dtype=np.float64).reshape(-1, 3)
        if np.isnan(table).any():
            raise ValueError("the score of a call is NaN (give a call off all windows -inf)")
        # a window stands for an equal part of its recording, whether windows overlap or not
        each = self.hours / np.maximum(counts, 1)
        self.free_hours = each[windows_of] @ absent
        self._curves = []
        for column in range(absent.shape[1]):
            mine = table[table[:, 1] == column]
            self._curves.append(
                _Curve(
                    mine[:, 2], mine[:, 0].astype(int), scores[:, column], windows_of,
                    absent[:, column], bed, len(recordings),
                )
            )  # fmt: skip
        self.calls = np.array([int(curve.found.sum()) for curve in self._curves])

    def at_recall(self, recall: float, weights: ArrayLike | None = None) -> AtRecall:
        """Count false positives where a share of each class's calls is found.

        The threshold is the highest that at least ``recall``, in (0, 1], of the calls reach. If a
        call that no window touches (-inf) is needed for it, every window reaches it.
        """
        _check_recall(recall)
        every = self._weights(weights)
        threshold, per_hour, bed, precision = self._empty(every, 4)
        hours = every @ self.hours
        for column, curve in enumerate(self._curves):
            for rows, (found, false, true, of_bed) in curve.cumulated(every):
                needed = np.maximum(1, np.ceil(recall * found[:, -1] - _HAIR))
                defined = found[:, -1] > 0
                at = np.arange(len(found)), np.argmax(found >= needed[:, None], axis=1)
                cells = (rows, column)
                threshold[cells] = np.where(defined, curve.thresholds[at[1]], np.nan)
                per_hour[cells] = np.where(defined, false[at] / hours[rows], np.nan)
                bed[cells] = np.where(defined, of_bed[at] / hours[rows], np.nan)
                reach = np.maximum(false[at] + true[at], 1)
                contested = defined & (every[rows] @ curve.free > 0)
                precision[cells] = np.where(contested, true[at] / reach, np.nan)
        return AtRecall(threshold, per_hour, bed, precision)

    def at_rate(self, per_hour: float, weights: ArrayLike | None = None) -> AtRate:
        """Find each class's recall at so many false positives an hour.

        The share of calls that reach the lowest threshold at which the false positives, over the
        hours, are at most ``per_hour``. In H hours, floor(per_hour * H) are allowed; with fewer
        than 1 / per_hour hours that is none, and the recall is that above the highest-scoring free
        window. A call that ties with the first false positive too many is not found, and one that
        no window touches never is. What is returned as the threshold is the highest with that
        recall.

        The inverse of the false positives an hour at a recall; recall at a fixed rate is how wake
        words are compared (Chen, Parada and Heigold 2014, "Small-footprint keyword spotting using
        deep neural networks", ICASSP).
        """
        if not 0 <= per_hour < math.inf:
            raise ValueError(f"per_hour is {per_hour}, expected 0 or more")
        every = self._weights(weights)
        threshold, recall = self._empty(every, 2)
        allowed = np.floor(per_hour * (every @ self.hours) + _HAIR)
        for column, curve in enumerate(self._curves):
            for rows, (found, false, _, _) in curve.cumulated(every):
                fits = (false <= allowed[rows, None]) & (curve.thresholds > -np.inf)
                last = fits.sum(axis=1) - 1  # false positives only grow along the curve
                found_at = np.where(last < 0, 0, found[np.arange(len(found)), last])
                total = found[:, -1]
                defined = (total > 0) & (every[rows] @ curve.free > 0)
                recall[rows, column] = np.where(defined, found_at / np.maximum(total, 1), np.nan)
                highest = np.argmax(found >= found_at[:, None], axis=1)
                threshold[rows, column] = np.where(
                    defined & (found_at > 0), curve.thresholds[highest], np.nan
                )
        return AtRate(threshold, recall)

    def _weights(self, weights: ArrayLike | None) -> Float64s:
        every = np.ones((1, len(self.hours))) if weights is None else np.asarray(weights, float)
        if every.ndim != 2 or every.shape[1] != len(self.hours):
            raise ValueError(f"weights has shape {every.shape}, expected (B, {len(self.hours)})")
        return every

    def _empty(self, weights: Float64s, count: int) -> list[Float64s]:
        return [np.full((len(weights), len(self._curves)), np.nan) for _ in range(count)]


class _Curve:
    """What is at or above each distinct score of a class's calls, from high to low.

    ``thresholds`` (K,); ``found``, ``false``, ``true``, ``bed`` (R, K): the calls and windows of
    each recording that reach a threshold and not the one before; ``free`` (R,): all free windows.
    """

    def __init__(
        self,
        calls: Float64s,
        calls_of: NDArray[np.intp],
        scores: Floats,
        windows_of: NDArray[np.intp],
        free: Bools,
        bed: Bools,
        recordings: int,
    ) -> None:
        rising = np.unique(calls)
        self.thresholds = rising[::-1]
        self.free = np.bincount(windows_of[free], minlength=recordings)
        shape = recordings, len(rising)

        def count(values: Any, of: NDArray[np.intp]) -> sparse.csr_array:
            # the first threshold, from high to low, that each value reaches
            place = len(rising) - np.searchsorted(rising, values, side="right")
            reach = place < len(rising)
            cells = of[reach], place[reach]
            return sparse.coo_array((np.ones(len(cells[0])), cells), shape=shape).tocsr()

        self.found = count(calls, calls_of)
        self.false = count(scores[free], windows_of[free])
        self.true = count(scores[~free], windows_of[~free])
        self.bed = count(scores[bed], windows_of[bed])

    def cumulated(self, weights: Float64s) -> Iterator[tuple[slice, list[Float64s]]]:
        """Yield blocks of resamples: found, false, true, bed at each threshold, (b, K) each.

        Nothing, for a class without calls.
        """
        if not self.thresholds.size:
            return
        step = max(1, _BLOCK // self.thresholds.size)
        for first in range(0, len(weights), step):
            rows = slice(first, min(first + step, len(weights)))
            parts = (self.found, self.false, self.true, self.bed)
            yield rows, [np.cumsum(weights[rows] @ part, axis=1) for part in parts]


@dataclass(frozen=True, eq=False)
class FalsePositives:
    """False positives an hour at a fixed recall; NaN for a class without calls."""

    per_class: Float64s  # (C,)
    threshold: Float64s  # (C,)
    total: float  # over the classes with calls


def false_positives_per_hour(
    window_scores: ArrayLike,
    window_absent: ArrayLike,
    call_scores: Sequence[ArrayLike],
    hours: float,
    recall: float,
) -> FalsePositives:
    """Count false positives an hour: `Curves.at_recall` of arrays, once, and many times as fast.

    ``window_scores`` (W, C); ``window_absent`` (W, C) bool: the window touches no call of the
    class; ``call_scores``: an array for each class, with the best score of the windows that touch
    each call. ``match_windows`` gives the last two. ``hours`` is the length of the recordings, not
    of the windows, which may overlap; ``recall`` is in (0, 1].
    """
    absent, scores, _ = validate(window_absent, window_scores)
    if len(call_scores) != absent.shape[1]:
        count = f"{len(call_scores)} arrays for {absent.shape[1]} classes"
        raise ValueError(f"call_scores has {count} (give a class without calls an empty one)")
    if not hours > 0:
        raise ValueError(f"hours is {hours}, expected more than 0")
    _check_recall(recall)
    threshold = np.full(absent.shape[1], np.nan)
    for index, one_class in enumerate(call_scores):
        calls = np.sort(np.asarray(one_class, dtype=np.float64), axis=None)
        if np.isnan(calls).any():
            raise ValueError(f"call_scores[{index}] holds NaN (give a call off all windows -inf)")
        if calls.size:
            threshold[index] = calls[-max(1, math.ceil(recall * calls.size - _HAIR))]
    has_calls = ~np.isnan(threshold)
    rate = np.where(has_calls, ((scores >= threshold) & absent).sum(axis=0) / hours, np.nan)
    total = float(rate[has_calls].sum()) if has_calls.any() else math.nan
    return FalsePositives(rate, threshold, total)


def _check_recall(recall: float) -> None:
    if not 0 < recall <= 1:
        raise ValueError(f"recall is {recall}, expected a share in (0, 1] (is it in per cent?)")
