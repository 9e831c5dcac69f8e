"""The index over a pool: chosen by size, as good as it says, and built once."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from negmine.errors import PoolError
from negmine.scores.embed import Scores
from negmine.scores.index import FaissIndex
from negmine.scores.pool_index import choose_factory, open_index
from negmine.scores.store import ScoreStore

ROWS, WIDTH = 3000, 16
GIB = 2**30


@pytest.fixture(scope="module")
def scores(tmp_path_factory: pytest.TempPathFactory) -> Scores:
    rng = np.random.default_rng(0)
    ids = rng.integers(0, 256, size=(ROWS, 12), dtype=np.uint8)
    # a hundred places, as sounds have: 30 rows round each
    centres = rng.normal(size=(100, WIDTH))
    embeddings = np.repeat(centres, 30, axis=0) + 0.3 * rng.normal(size=(ROWS, WIDTH))
    store = ScoreStore(tmp_path_factory.mktemp("store"), "model")
    store.append(ids, embeddings.astype(np.float32), np.zeros((ROWS, 2), dtype=np.float32))
    return Scores(store, ids)


@pytest.mark.parametrize(
    ("rows", "gib", "factory", "reason"),
    [
        (50_000, 4, "Flat", "50000 rows: exact search is fast"),
        (300_000, 4, "HNSW32", "1.5 GiB: a graph"),
        (300_000, 1, "IVF2048,SQ8", "0.4 GiB in bytes"),
        (2_000_000, 4, "IVF4096,SQ8", "2.4 GiB in bytes"),
        (50_000_000, 4, "IVF32768,PQ64", "would take 59.6 GiB in bytes: codes of 64 bytes"),
    ],
)
def test_size_and_memory_choose_the_kind(rows: int, gib: int, factory: str, reason: str) -> None:
    found, why = choose_factory(rows, 1280, gib * GIB)
    assert found == factory
    assert reason in why


@pytest.mark.parametrize("factory", ["Flat", "HNSW16", "IVF16,Flat", "IVF32,SQ8", "PCA8,Flat"])
def test_the_recall_it_names_is_the_recall_it_has(scores: Scores, factory: str) -> None:
    done: list[int] = []
    index, built = open_index(scores, f"content {factory}", factory=factory, on_rows=done.append)
    assert built
    assert sum(done) == ROWS
    queries = scores.embeddings(np.arange(0, ROWS, 7))
    rows, _ = index.search(queries, 10)
    every = queries @ scores.embeddings(np.arange(ROWS)).T
    exact = np.argsort(-every, axis=1)[:, :10]
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(rows, exact, strict=True)])
    assert index.info.recall == pytest.approx(recall, abs=0.08)
    if factory == "Flat":
        assert index.info.recall == 1.0


@pytest.mark.parametrize(("factory", "first"), [("IVF64,Flat", 4), ("HNSW4", 64)])
def test_an_index_looks_at_more_until_it_finds_enough(
    tmp_path: Path, factory: str, first: int
) -> None:
    rng = np.random.default_rng(0)
    store = ScoreStore(tmp_path, "model")
    ids = rng.integers(0, 256, size=(ROWS, 12), dtype=np.uint8)
    # sounds that are all alike near: where clusters cut, and graphs lead astray
    embeddings = rng.normal(size=(ROWS, 32)).astype(np.float32)
    store.append(ids, embeddings, np.zeros((ROWS, 2), dtype=np.float32))
    scores = Scores(store, ids)
    untuned = FaissIndex(32, factory)
    assert untuned.effort == first
    index, _ = open_index(scores, "content", factory=factory)
    assert index.info.effort > first
    assert index.info.recall >= 0.95
    again, built = open_index(scores, "content", factory=factory)
    assert not built
    queries = scores.embeddings(np.arange(50))
    np.testing.assert_array_equal(again.search(queries, 10)[0], index.search(queries, 10)[0])
    assert again._index.effort == index.info.effort


def test_what_codes_lose_is_not_searched_for_in_vain(scores: Scores) -> None:
    index, _ = open_index(scores, "codes", factory="IVF64,PQ2x4")
    assert index.info.recall < 0.95
    assert index.info.effort < 64


def test_an_index_is_built_once_and_again_for_other_rows_or_another_kind(scores: Scores) -> None:
    def built(content: str, factory: str | None = None) -> bool:
        return open_index(scores, content, factory=factory)[1]

    assert built("one")
    assert not built("one")
    assert built("one", "HNSW16")
    assert not built("one", "HNSW16")
    assert built("two", "HNSW16")
    again, _ = open_index(scores, "two", factory="HNSW16")
    fresh, _ = open_index(scores, "three", factory="HNSW16")
    queries = scores.embeddings(np.arange(20))
    np.testing.assert_array_equal(again.search(queries, 5)[0], fresh.search(queries, 5)[0])


def test_an_index_of_a_whole_pool_is_not_taken_for_one_of_some_rows(scores: Scores) -> None:
    ids = np.random.default_rng(0).integers(0, 256, size=(ROWS, 12), dtype=np.uint8)
    open_index(scores, "eight")
    some = Scores(scores.store, ids[:200])
    index, built = open_index(some, "eight")
    assert built
    assert index.search(some.embeddings(np.arange(20)), 1)[0][:, 0].tolist() == list(range(20))


def test_an_index_without_its_description_is_built_again(scores: Scores) -> None:
    open_index(scores, "four")
    (scores.store.folder / "index" / "index.json").write_text("{")
    assert open_index(scores, "four")[1]


def test_a_damaged_index_is_named_and_built_again(
    scores: Scores, capsys: pytest.CaptureFixture[str]
) -> None:
    open_index(scores, "five")
    path = scores.store.folder / "index" / "index.faiss"
    path.write_bytes(path.read_bytes()[:50])
    assert open_index(scores, "five")[1]
    assert "index.faiss: damaged; the index is built again" in capsys.readouterr().err
    assert not open_index(scores, "five")[1]


@pytest.mark.parametrize(
    ("factory", "message"),
    [("Flatt", "FAISS makes no such index of 16 numbers"), ("IVF9999,Flat", "too few to train")],
)
def test_a_kind_that_does_not_fit_is_named(scores: Scores, factory: str, message: str) -> None:
    with pytest.raises(PoolError, match=message):
        open_index(scores, "six", factory=factory)


def test_shards_of_scores_are_not_taken_for_an_index(scores: Scores, tmp_path: Path) -> None:
    # the index lies beside the shards, and neither disturbs the other
    open_index(scores, "seven")
    store = ScoreStore(scores.store.folder.parent, "model")
    assert (len(store), store.damaged) == (ROWS, ())
    assert len(FaissIndex.read(scores.store.folder / "index" / "index.faiss")) == ROWS
