"""The bandit: its posterior against sums by hand, and its regret on a problem that is known."""

from __future__ import annotations

import numpy as np
import pytest

from negmine.synthesis.bandit import Bandit


def one_factor(arms: int) -> np.ndarray:
    return np.arange(arms)[:, None]


def test_the_posterior_counts_tries_and_finds() -> None:
    bandit = Bandit(one_factor(3), expected=0.5, prior_tries=2.0, discount=1.0)
    bandit.learn(np.array([0, 0, 2]), np.array([3.0, 1.0, 0.0]))
    shape, rate = bandit.posterior()
    overall = (4 + 0.5) / (3 + 1)
    # each level is taken to do as all do for 4 tries
    expected = [(4 + 4 * overall) / (2 + 4), overall, (0 + 4 * overall) / (1 + 4)]
    assert shape == pytest.approx([2 * expected[0] + 4, 2 * expected[1], 2 * expected[2]])
    assert rate.tolist() == [4.0, 2.0, 3.0]


def test_old_tries_fade() -> None:
    bandit = Bandit(one_factor(2), discount=0.5)
    bandit.learn(np.array([0]), np.array([8.0]))
    bandit.learn(np.array([1, 0]), np.array([0.0, 2.0]))
    # the first by two steps, the second by one, the last by none
    assert bandit.tries.tolist() == [0.25 + 1.0, 0.5]
    assert bandit.finds.tolist() == [8 * 0.25 + 2.0, 0.0]


def test_one_batch_is_as_good_as_one_by_one() -> None:
    rng = np.random.default_rng(0)
    arms, found = rng.integers(0, 4, 50), rng.poisson(1.0, 50).astype(float)
    at_once, singly = Bandit(one_factor(4)), Bandit(one_factor(4))
    at_once.learn(arms, found)
    for i in range(50):
        singly.learn(arms[i : i + 1], found[i : i + 1])
    assert at_once.tries == pytest.approx(singly.tries)
    assert at_once.finds == pytest.approx(singly.finds)


def test_an_arm_nobody_tried_is_expected_to_do_as_its_factors_do() -> None:
    # two classes x two moves; move 1 finds, move 0 does not, class 1 was never tried with either
    factors = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
    bandit = Bandit(factors, discount=1.0)
    bandit.learn(np.repeat([0, 1], 50), np.repeat([0.0, 1.0], 50))
    expected = bandit.expectation()
    assert expected[3] > 5 * expected[2]
    assert expected[3] == pytest.approx(expected[1], rel=0.2)


def play(discount: float, seed: int, tries: int = 2000) -> tuple[float, np.ndarray]:
    """Mean finds a try on arms of known rates, and how often each was tried."""
    rates = np.array([0.02, 0.05, 0.1, 0.1, 0.4])
    rng, world = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    bandit = Bandit(one_factor(5), discount=discount)
    total, pulled = 0.0, np.zeros(5)
    for _ in range(tries // 20):
        arms = bandit.choose(rng, 20, np.ones(5, dtype=bool))
        found = world.poisson(rates[arms]).astype(float)
        bandit.learn(arms, found)
        total += found.sum()
        np.add.at(pulled, arms, 1)
    return total / tries, pulled


@pytest.mark.parametrize("discount", [1.0, 0.999])
def test_regret_on_a_known_problem_is_small(discount: float) -> None:
    rewards = [play(discount, seed)[0] for seed in range(5)]
    # the best arm finds 0.4 a try, all in turn 0.134
    assert np.mean(rewards) > 0.36


def test_it_follows_a_rate_that_falls() -> None:
    rng, world = np.random.default_rng(0), np.random.default_rng(1)
    bandit = Bandit(one_factor(2), discount=0.99)
    late = np.zeros(2)
    for turn in range(100):
        rates = np.array([1.0, 0.3]) if turn < 30 else np.array([0.01, 0.3])
        arms = bandit.choose(rng, 20, np.ones(2, dtype=bool))
        bandit.learn(arms, world.poisson(rates[arms]).astype(float))
        if turn >= 60:
            np.add.at(late, arms, 1)
    assert late[1] > 0.9 * late.sum()


def test_closed_arms_are_not_chosen() -> None:
    bandit = Bandit(one_factor(3))
    chosen = bandit.choose(np.random.default_rng(0), 100, np.array([True, False, True]))
    assert set(chosen.tolist()) == {0, 2}
    with pytest.raises(ValueError, match="no arm can be tried"):
        bandit.choose(np.random.default_rng(0), 1, np.zeros(3, dtype=bool))


def test_the_same_seed_chooses_the_same() -> None:
    assert play(1.0, 3)[1].tolist() == play(1.0, 3)[1].tolist()
