"""Passes over a store, held against sorting everything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from negmine.scores.embed import Scores
from negmine.scores.scan import Eligible, highest
from negmine.scores.store import ScoreStore

ROWS, WIDTH, CLASSES = 300, 24, 11


@pytest.fixture
def scores(tmp_path: Path) -> Scores:
    """A model's scores, in shards of different sizes, in no order."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 256, size=(ROWS, 12), dtype=np.uint8)
    store = ScoreStore(tmp_path, "model")
    embeddings = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
    logits = rng.normal(size=(ROWS, CLASSES)).astype(np.float32)
    for part in np.array_split(rng.permutation(ROWS), 5):
        store.append(ids[part], embeddings[part], logits[part])
    return Scores(store, ids)


def some_eligible(rng: np.random.Generator) -> tuple[Eligible, np.ndarray]:
    wanted = rng.random((ROWS, CLASSES)) < 0.4
    wanted[:, 3] = False
    return Eligible(np.packbits(wanted.T, axis=0, bitorder="little")), wanted


def test_a_bit_a_class_says_who_may() -> None:
    eligible, wanted = some_eligible(np.random.default_rng(1))
    rows = np.array([5, 299, 0, 5])
    np.testing.assert_array_equal(eligible.of_rows(rows, CLASSES), wanted[rows])
    for column in range(CLASSES):
        np.testing.assert_array_equal(eligible.of_class(column), wanted[:, column])
    columns = np.array([10, 0, 8, 3])
    np.testing.assert_array_equal(eligible.at(rows, columns), wanted[rows, columns])


def test_the_highest_are_those_of_plain_sorting(scores: Scores) -> None:
    eligible, wanted = some_eligible(np.random.default_rng(1))
    logits = scores.logits(np.arange(ROWS))
    limits = np.tile([-np.inf, np.inf], (CLASSES, 1))
    limits[1] = [-0.3, 0.8]
    found = highest(scores, eligible, limits, 20)
    for column in range(CLASSES):
        low, high = limits[column]
        values = logits[:, column]
        may = np.flatnonzero(wanted[:, column] & (values >= low) & (values <= high))
        expected = may[np.argsort(-values[may], kind="stable")][:20]
        rows, keys = found.top.best(column)
        assert rows.tolist() == expected.tolist()
        np.testing.assert_allclose(keys, values[expected], rtol=1e-6)
        assert found.outside[column].tolist() == [
            (wanted[:, column] & (values < low)).sum(),
            (wanted[:, column] & (values > high)).sum(),
        ]
