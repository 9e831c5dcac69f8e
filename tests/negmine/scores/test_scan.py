"""Passes over a store, held against sorting everything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ml_dtypes import bfloat16

from negmine.scores import scan
from negmine.scores.embed import Scores
from negmine.scores.joint import JointScores
from negmine.scores.scan import Eligible, highest, most_similar, products
from negmine.scores.store import ScoreStore

ROWS, WIDTH, CLASSES = 300, 24, 11


@pytest.fixture
def scores(tmp_path: Path) -> JointScores:
    """Two models' scores, in shards of different cuts and orders."""
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 256, size=(ROWS, 12), dtype=np.uint8)
    members = []
    for model in ("a", "b"):
        store = ScoreStore(tmp_path, f"model-{model}")
        embeddings = rng.normal(size=(ROWS, WIDTH)).astype(np.float32)
        logits = rng.normal(size=(ROWS, CLASSES)).astype(np.float32)
        for part in np.array_split(rng.permutation(ROWS), 3 if model == "a" else 5):
            store.append(ids[part], embeddings[part], logits[part])
        members.append(Scores(store, ids))
    return JointScores(members)


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


def test_the_highest_are_those_of_plain_sorting(scores: JointScores) -> None:
    eligible, wanted = some_eligible(np.random.default_rng(1))
    logits = scores.by_model(np.arange(ROWS)).mean(axis=0)
    np.testing.assert_allclose(scores.logits(np.arange(ROWS)), logits, rtol=1e-6)
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


def test_the_nearest_are_those_of_every_distance(scores: JointScores) -> None:
    eligible, wanted = some_eligible(np.random.default_rng(2))
    rng = np.random.default_rng(3)
    calls = []
    for column in range(CLASSES):
        made = rng.normal(size=(0 if column == 5 else column + 1, WIDTH)).astype(np.float32)
        calls.append(made / np.linalg.norm(made, axis=1, keepdims=True))
    limits = np.tile([-np.inf, 0.5], (CLASSES, 1))
    found = most_similar(scores, calls, eligible, limits, 8)
    embeddings = scores.embeddings(np.arange(ROWS))
    logits = scores.logits(np.arange(ROWS))
    for column, of_class in enumerate(calls):
        rows, keys = found.top.best(column)
        if not len(of_class):
            assert len(rows) == 0
            continue
        similarity = (embeddings @ of_class.T).max(axis=1)
        may = np.flatnonzero(wanted[:, column] & (logits[:, column] <= 0.5))
        expected = may[np.argsort(-similarity[may], kind="stable")][:8]
        assert rows.tolist() == expected.tolist()
        np.testing.assert_allclose(keys, similarity[expected], rtol=1e-5)


def test_products_in_pieces_are_products(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scan, "_PIECE", 7)
    rng = np.random.default_rng(0)
    rows = rng.normal(size=(30, 5)).astype(bfloat16)
    queries = rng.normal(size=(4, 5)).astype(np.float32)
    expected = rows.astype(np.float64) @ queries.T.astype(np.float64)
    np.testing.assert_allclose(products(rows, queries), expected, rtol=1e-5, atol=1e-6)
    assert products(rows[:0], queries).shape == (0, 4)
