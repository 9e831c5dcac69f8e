"""A model's limits: scores below the calls', embeddings away from them."""

from __future__ import annotations

import numpy as np
import pytest

from negmine.building.sources.agreement import Doubts


def doubts(quantile: float = 0.5) -> Doubts:
    """Class 0 calls at angles 0, 0.1 and 0.2 on a circle, class 1 once at pi/2, class 2 never."""
    angles = np.array([0.0, 0.1, 0.2, np.pi / 2])
    logits = np.array([[1.0, 0, 0], [2.0, 0, 0], [4.0, 0, 0], [0, 5.0, 0]])
    present = [np.array([0, 1, 2]), np.array([3]), np.array([], dtype=int)]
    return Doubts.of(at(angles), logits, present, quantile)


def at(angles: np.ndarray | list[float], length: float = 3.0) -> np.ndarray:
    return length * np.stack([np.cos(angles), np.sin(angles)], axis=1)


def test_the_limits_are_the_quantile_of_the_scores_and_how_far_calls_lie_apart() -> None:
    found = doubts()
    np.testing.assert_allclose(found.highest, [2.0, 5.0, -np.inf])
    apart = 1 - np.cos(0.1)
    # a single call has the other classes' distance
    np.testing.assert_allclose(found.nearest, apart, rtol=1e-9)
    np.testing.assert_allclose(doubts(0.0).highest[:2], [1.0, 5.0])


@pytest.mark.parametrize(
    ("angle", "logits", "free"),
    [
        (np.pi, [1.9, 4.9, -9.0], [True, True, False]),
        (np.pi, [2.0, 5.0, -9.0], [False, False, False]),
        (0.25, [1.9, 4.9, -9.0], [False, True, False]),
        (0.35, [1.9, 4.9, -9.0], [True, True, False]),
        (np.pi / 2 + 0.05, [1.9, 4.9, -9.0], [True, False, False]),
    ],
)
def test_a_window_is_free_where_it_scores_low_and_lies_far(
    angle: float, logits: list[float], free: list[bool]
) -> None:
    for length in (0.01, 1.0, 100.0):
        found = doubts().free(at([angle], length), np.array([logits]))
        assert found.tolist() == [free]


def test_no_windows_give_no_rows() -> None:
    assert doubts().free(np.zeros((0, 2)), np.zeros((0, 3))).shape == (0, 3)
