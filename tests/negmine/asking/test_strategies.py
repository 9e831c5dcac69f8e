"""What a window is worth, by numbers worked out one by one."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.asking.judged import at_recall
from negmine.asking.settings import STRATEGIES as NAMES
from negmine.asking.strategies import STRATEGIES, Known
from negmine.mining.rules.diverse import k_center

LOGITS = np.array([[0.0, 2.0, -4.0, 1.0], [1.0, 2.0, 4.0, -3.0]], dtype=np.float32)


def known(threshold: float = math.nan, doubt: np.ndarray | None = None, seed: int = 0) -> Known:
    return Known(LOGITS, threshold, doubt, np.random.default_rng(seed))


def test_every_name_is_a_strategy_but_half_which_is_two() -> None:
    assert set(NAMES) == {*STRATEGIES, "half"}


def test_top_is_the_mean_score() -> None:
    assert STRATEGIES["top"](known()).tolist() == [0.5, 2.0, 0.0, -1.0]
    assert STRATEGIES["diverse"](known()).tolist() == [0.5, 2.0, 0.0, -1.0]


def test_threshold_is_the_distance_from_it() -> None:
    assert STRATEGIES["threshold"](known(0.75)).tolist() == [-0.25, -1.25, -0.75, -1.75]


def test_doubt_is_the_distance_from_even_odds() -> None:
    keys = STRATEGIES["doubt"](known(doubt=np.array([0.5, 0.9, 0.2, 1.0])))
    assert keys.tolist() == pytest.approx([0.0, -0.4, -0.3, -0.5])


def test_disagreement_is_of_probabilities_not_of_logits() -> None:
    def of(one: float, two: float) -> float:
        a, b = (1 / (1 + math.exp(-x)) for x in (one, two))
        return abs(a - b) / 2

    keys = STRATEGIES["disagreement"](known())
    assert keys == pytest.approx([of(0, 1), 0.0, of(-4, 4), of(1, -3)])


def test_random_is_the_seeds() -> None:
    first, again, other = (STRATEGIES["random"](known(seed=s)).tolist() for s in (3, 3, 4))
    assert first == again != other
    assert len(set(first)) == 4


@given(st.lists(st.integers(-5, 5).map(float), min_size=1, max_size=20), st.integers(1, 10))
def test_the_threshold_is_the_highest_that_reaches_the_recall(
    scores: list[float], tenths: int
) -> None:
    recall = tenths / 10
    found = at_recall(np.array(scores), recall)
    reached = [
        s for s in sorted(set(scores)) if sum(x >= s for x in scores) >= recall * len(scores) - 1e-9
    ]
    assert found == max(reached)


def test_k_center_goes_on_from_rows_that_are_given() -> None:
    angles = np.radians([0, 5, 90, 100, 180])
    points = np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32)
    assert k_center(points, 2).tolist() == [0, 4]
    assert k_center(points, 2, given=1).tolist() == [4, 2]
    assert k_center(points, 9, given=2).tolist() == [4, 2, 3]
    assert k_center(points, 9, given=5).tolist() == []
