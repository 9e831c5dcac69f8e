"""Selection rules, held against plain sorting and walking."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from negmine.mining.rules.control import matched_random
from negmine.mining.rules.duplicates import without_duplicates
from negmine.scores.top import TopRows

# few distinct scores, so that ties are common
scored = st.lists(st.sampled_from([-2.5, -1.0, 0.0, 0.5, 3.0]), max_size=30)


@given(scored, st.integers(1, 40), st.lists(st.integers(0, 30), max_size=5), st.randoms())
def test_the_top_is_the_head_of_the_sorted_whole_in_whatever_parts_it_comes(
    scores: list[float], count: int, cuts: list[int], rng: object
) -> None:
    rows = np.arange(len(scores), dtype=np.int64) * 7
    values = np.array(scores, dtype=np.float32)
    order = np.arange(len(scores))
    rng.shuffle(order)  # type: ignore[attr-defined]
    top = TopRows(2, count)
    expected = sorted(range(len(scores)), key=lambda i: (-scores[i], i))[:count]
    for part in np.split(order, sorted(min(c, len(scores)) for c in cuts)):
        hopeful = part[values[part] >= top.floor[1]]
        top.offer(rows[hopeful], np.ones(len(hopeful), dtype=np.int64), values[hopeful])
        # it never rises above what belongs into the list
        assert all(scores[i] >= top.floor[1] for i in expected)
    found, found_scores = top.best(1)
    assert found.tolist() == [7 * i for i in expected]
    assert found_scores.tolist() == [scores[i] for i in expected]
    assert [len(part) for part in top.best(0)] == [0, 0]


@given(
    st.integers(0, 12).flatmap(
        lambda n: st.lists(st.sets(st.integers(0, max(n - 1, 0))), min_size=n, max_size=n)
    ),
    st.integers(0, 14),
)
def test_what_is_near_to_something_kept_is_dropped(near: list[set[int]], most: int) -> None:
    kept: list[int] = []
    for rank in range(len(near)):
        if len(kept) < most and not any(rank in near[better] for better in kept):
            kept.append(rank)
    found = without_duplicates([np.array(sorted(n), dtype=np.int64) for n in near], most)
    assert found.tolist() == kept
    assert found.dtype == np.int64


def test_of_two_duplicates_the_higher_ranked_is_kept() -> None:
    near = [np.array([0, 2]), np.array([1]), np.array([0, 2]), np.array([], dtype=int)]
    assert without_duplicates(near, 10).tolist() == [0, 1, 3]
    assert without_duplicates(near, 2).tolist() == [0, 1]


kinds = st.lists(st.sampled_from([0, 3, 7]), max_size=30)


@given(kinds, st.data(), st.integers(0, 99))
def test_the_control_is_of_distinct_rows_and_as_many_of_each_kind(
    of_rows: list[int], data: st.DataObject, seed: int
) -> None:
    eligible = np.zeros(3 * len(of_rows), dtype=bool)
    eligible[1::3] = True
    wanted = (
        data.draw(st.lists(st.sampled_from(range(len(of_rows))), unique=True)) if of_rows else []
    )
    chosen = 3 * np.array(wanted, dtype=np.int64) + 1
    every = np.repeat(np.array(of_rows, dtype=np.uint8), 3)
    cells = np.array(data.draw(st.lists(st.integers(1, 3), min_size=90, max_size=90)))
    rng = np.random.default_rng(seed)
    weights = rng.choice([0.9, 0.99, 1.0], len(every)).astype(np.float32)
    drawn = matched_random(eligible, every, cells[: len(every)], weights.__getitem__, chosen, rng)
    assert len(set(drawn.tolist())) == len(drawn) == len(wanted)
    assert drawn.tolist() == sorted(drawn.tolist())
    assert eligible[drawn].all()
    assert Counter(every[drawn].tolist()) == Counter(every[chosen].tolist())


def test_every_eligible_row_alike_is_as_likely_in_the_control() -> None:
    alike = np.ones(10, dtype=np.int64)
    rng, chosen = np.random.default_rng(0), np.arange(3)
    counts = Counter(
        row
        for _ in range(2000)
        for row in matched_random(alike > 0, alike, alike, alike.__getitem__, chosen, rng).tolist()
    )
    # each row is drawn with probability 0.3: 600 times, with a standard deviation of 20
    assert sorted(counts) == list(range(10))
    assert all(count == pytest.approx(600, abs=90) for count in counts.values())


@pytest.mark.parametrize("sample", [20_000, 1000])
def test_the_control_has_the_cells_and_weights_of_what_it_matches(
    monkeypatch: pytest.MonkeyPatch, sample: int
) -> None:
    monkeypatch.setattr("negmine.mining.rules.control._SAMPLE", sample)
    monkeypatch.setattr("negmine.mining.rules.control._OF_EACH", 1)
    rng = np.random.default_rng(0)
    rows = np.arange(3000)
    cells = rng.choice([1, 2, 20], len(rows))
    # few rows are of one cell's weight alone, many of the others
    weights = np.where(cells == 1, rng.uniform(0.9, 1.0, len(rows)), rng.choice([0.8, 0.9], 3000))
    # what scores high has few cells, and is the less sure
    hard = np.argsort(cells + 5 * weights + rng.normal(0, 0.1, len(rows)))[:50]
    drawn = matched_random(rows >= 0, np.zeros(3000), cells, weights.__getitem__, hard, rng)
    assert Counter(cells[drawn].tolist()) == Counter(cells[hard].tolist())
    assert weights[drawn].sum() == pytest.approx(weights[hard].sum(), rel=0.01)
    plain = rng.choice(rows, 50, replace=False)
    assert abs(weights[plain].sum() - weights[hard].sum()) > 1
    # most rows this unsure were chosen; still others are drawn
    assert np.isin(drawn, hard).mean() < 0.7
