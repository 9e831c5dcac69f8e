"""Nearest neighbours, held against every distance."""

from __future__ import annotations

import numpy as np
import pytest

from negmine.scores.index import EmbeddingIndex


def embeddings(rows: int, seed: int = 0, width: int = 6) -> np.ndarray:
    drawn = np.random.default_rng(seed).standard_normal((rows, width))
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), dtype=np.float32)


def distances(queries: np.ndarray, rows: np.ndarray) -> np.ndarray:
    return np.asarray(1 - queries.astype(float) @ rows.astype(float).T)


@pytest.mark.parametrize("limit", [0.0, 0.2, 0.9, 2.1])
def test_the_rows_within_a_distance_are_all_those_nearer(limit: float) -> None:
    indexed, asked = embeddings(80), embeddings(20, seed=1)
    found = EmbeddingIndex(indexed).within(asked, limit)
    every = distances(asked, indexed)
    assert [sorted(rows.tolist()) for rows in found] == [
        np.flatnonzero(line < limit).tolist() for line in every
    ]


def test_no_padding_escapes() -> None:
    # faiss pads answers with row -1 where it has too few
    for rows in EmbeddingIndex(embeddings(3)).within(embeddings(1000, seed=2), 0.5):
        assert set(rows.tolist()) <= {0, 1, 2}


def test_an_empty_index_has_no_rows() -> None:
    index = EmbeddingIndex(embeddings(0))
    assert len(index) == 0
    assert [rows.tolist() for rows in index.within(embeddings(2), 1.0)] == [[], []]


def test_no_queries_have_no_answers() -> None:
    index = EmbeddingIndex(embeddings(4))
    assert index.within(embeddings(0), 1.0) == []


def test_the_index_counts_its_rows() -> None:
    assert len(EmbeddingIndex(embeddings(17))) == 17
