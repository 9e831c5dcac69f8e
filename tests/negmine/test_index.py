"""Nearest neighbours, held against every distance."""

from __future__ import annotations

import numpy as np
import pytest

from negmine.index import EmbeddingIndex


def embeddings(rows: int, seed: int = 0, width: int = 6) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((rows, width))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def distances(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return 1 - queries.astype(float) @ rows.astype(float).T


@pytest.mark.parametrize(("rows", "queries"), [(1, 1), (1, 7), (50, 9), (300, 1)])
def test_the_nearest_row_is_that_of_least_distance(rows: int, queries: int) -> None:
    indexed, asked = embeddings(rows), embeddings(queries, seed=1)
    row, distance = EmbeddingIndex(indexed).nearest(asked)
    every = distances(asked, indexed)
    assert row.tolist() == every.argmin(axis=1).tolist()
    np.testing.assert_allclose(distance, every.min(axis=1), atol=1e-6)


@pytest.mark.parametrize("limit", [0.0, 0.2, 0.9, 2.1])
def test_the_rows_within_a_distance_are_all_those_nearer(limit: float) -> None:
    indexed, asked = embeddings(80), embeddings(20, seed=1)
    found = EmbeddingIndex(indexed).within(asked, limit)
    every = distances(asked, indexed)
    assert [sorted(rows.tolist()) for rows in found] == [
        np.flatnonzero(line < limit).tolist() for line in every
    ]


def test_one_call_is_the_nearest_to_all_and_no_padding_escapes() -> None:
    # faiss pads answers with row -1 where it has too few; asked of one row for many it must not
    row, distance = EmbeddingIndex(embeddings(1)).nearest(embeddings(1000, seed=2))
    assert set(row.tolist()) == {0}
    assert ((distance > -1e-6) & (distance < 2 + 1e-6)).all()
    for rows in EmbeddingIndex(embeddings(3)).within(embeddings(1000, seed=2), 0.5):
        assert set(rows.tolist()) <= {0, 1, 2}


def test_an_empty_index_has_no_nearest_row() -> None:
    index = EmbeddingIndex(embeddings(0))
    assert len(index) == 0
    row, distance = index.nearest(embeddings(3))
    assert row.tolist() == [-1, -1, -1]
    assert np.isnan(distance).all()
    assert [rows.tolist() for rows in index.within(embeddings(2), 1.0)] == [[], []]


def test_no_queries_have_no_answers() -> None:
    index = EmbeddingIndex(embeddings(4))
    assert [len(part) for part in index.nearest(embeddings(0))] == [0, 0]
    assert index.within(embeddings(0), 1.0) == []


def test_the_index_counts_its_rows() -> None:
    assert len(EmbeddingIndex(embeddings(17))) == 17
