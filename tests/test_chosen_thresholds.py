"""Thresholds that benchmarks choose on one half of the recordings and try on the other."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.chosen_thresholds import at_chosen_thresholds
from training.metrics import RecordingWindows


def recording(free: list[float], calls: list[list[float]]) -> RecordingWindows:
    """Make half an hour of windows without a call, of one score for both classes, and calls."""
    scores = np.array([free, free]).T
    each = [(label, score) for label, found in enumerate(calls) for score in found]
    return RecordingWindows(scores, np.ones(scores.shape, dtype=bool), each, 0.5)


def test_thresholds_by_hand() -> None:
    first = recording([0.2, 0.5], [[0.9, 0.6], [0.5, 0.4]])
    other = recording([0.2, 0.7], [[0.8, 0.7], [0.3, 0.1]])
    found = at_chosen_thresholds([first, other], 0.5)
    # chosen on the first: one threshold 0.6, own 0.9 and 0.5; on the other: 0.7, own 0.8 and 0.3
    assert found == pytest.approx(
        {
            "one:fp/h": 0 + 2,
            "one:recall": (3 / 4 + 0 / 4) / 2,
            "own:fp/h": 1 + 1,
            "own:recall": (1 / 4 + 2 / 4) / 2,
        }
    )


def test_a_class_that_calls_in_one_half_alone_has_no_part() -> None:
    first = recording([0.2, 0.5], [[0.9, 0.6], [0.5]])
    other = recording([0.2, 0.7], [[0.8, 0.7], []])
    alone = at_chosen_thresholds([first, other], 0.5)
    assert alone["own:fp/h"] == 0
    assert alone["own:recall"] == pytest.approx(1 / 4)
