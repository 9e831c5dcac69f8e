"""The score store: found by id, checked by content."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from ml_dtypes import bfloat16

from negmine.errors import PoolError
from negmine.scores.store import ScoreStore


def made(rng: np.random.Generator, rows: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    ids = rng.integers(0, 256, size=(rows, 12), dtype=np.uint8)
    logits = rng.normal(size=(rows, 3)).astype(np.float32)
    return ids, rng.normal(size=(rows, 8)).astype(np.float32), logits


def test_what_was_written_is_found_by_id_in_any_order(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    parts = [made(rng, rows) for rows in (5, 1, 9)]
    for part in parts:
        ScoreStore(tmp_path, "model").append(*part)
    store = ScoreStore(tmp_path, "model")
    assert len(store) == 15
    ids, embeddings, logits = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    order = rng.permutation(15)
    positions = store.positions(ids[order])
    np.testing.assert_array_equal(store.logits(positions), logits[order])
    unit = embeddings / np.linalg.norm(embeddings, axis=1, keepdims=True)
    found = store.embeddings(positions)
    np.testing.assert_allclose(found, unit[order], atol=4e-3)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, rtol=1e-6)


def test_an_unknown_id_is_not_found_even_if_it_begins_alike(tmp_path: Path) -> None:
    ids, *rest = made(np.random.default_rng(0), 4)
    store = ScoreStore(tmp_path, "model")
    assert store.positions(ids).tolist() == [-1] * 4
    for read in (store.embeddings, store.logits):
        none = read(np.zeros(0, dtype=np.int64))
        assert (none.shape, none.dtype) == ((0, 0), np.dtype(np.float32))
    store.append(ids, *rest)
    other = ids.copy()
    other[:, 11] ^= 1
    assert store.positions(other).tolist() == [-1] * 4
    assert store.positions(ids[[2, 2]]).tolist() == [2, 2]


def test_embeddings_are_mapped_and_bfloat16(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path, "model")
    store.append(*made(np.random.default_rng(0), 4))
    (shard,) = ScoreStore(tmp_path, "model")
    assert shard.embeddings.dtype == bfloat16
    assert (shard.start, shard.end) == (0, 4)
    maps = Path("/proc/self/maps")
    if maps.exists():
        assert shard.path.name in maps.read_text()


def test_the_same_scores_are_the_same_file(tmp_path: Path) -> None:
    part = made(np.random.default_rng(0), 4)
    for _ in range(2):
        ScoreStore(tmp_path, "model").append(*part)
    assert len(list(tmp_path.rglob("*.safetensors"))) == 1


def test_models_do_not_share_scores(tmp_path: Path) -> None:
    ids, *rest = made(np.random.default_rng(0), 4)
    ScoreStore(tmp_path, "model").append(ids, *rest)
    assert len(ScoreStore(tmp_path, "other")) == 0


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_damage_is_seen_and_removed(tmp_path: Path, keep: int) -> None:
    store = ScoreStore(tmp_path, "model")
    ids, *rest = made(np.random.default_rng(0), 4)
    store.append(ids, *rest)
    (path,) = store.folder.iterdir()
    path.write_bytes(path.read_bytes()[:keep])
    again = ScoreStore(tmp_path, "model")
    assert again.damaged == (path.name,)
    assert again.positions(ids).tolist() == [-1] * 4
    assert not path.exists()
    assert ScoreStore(tmp_path, "model").damaged == ()


def test_a_shard_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    store = ScoreStore(tmp_path, "model")
    store.folder.mkdir(parents=True)
    (store.folder / ("0" * 32 + ".safetensors")).mkdir()
    with pytest.raises(PoolError, match=r"0\.safetensors: not readable"):
        ScoreStore(tmp_path, "model")
