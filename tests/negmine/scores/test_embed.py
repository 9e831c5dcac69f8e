"""Scoring what a store does not know: resumable, and the same whatever the batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from conftest import Data, make_pool
from placeholder import PlaceholderScorer

from negmine.audio.silence import SILENT_LOGIT
from negmine.errors import AudioError, ModelError
from negmine.pool import Pool, open_pool
from negmine.recipes.render import render_batches
from negmine.scores import embed
from negmine.scores.embed import score_recipes

SHARD = 7


@pytest.fixture
def pool(shared_pool: Path, monkeypatch: pytest.MonkeyPatch) -> Pool:
    """37 recipes in shards of 7: five full ones and a short one."""
    monkeypatch.setattr(embed, "SHARD_ROWS", SHARD)
    opened = open_pool(shared_pool)
    assert len(opened) == 37
    return opened


def files(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.rglob("*") if p.is_file())


class Stopping(PlaceholderScorer):
    """Is stopped by Ctrl-C at one of its calls."""

    def __init__(self, at: int) -> None:
        super().__init__()
        self._at = at

    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        if self.calls == self._at:
            raise KeyboardInterrupt
        return super().score(waveforms)


class Broken(PlaceholderScorer):
    """Returns something that is no number."""

    def __init__(self, part: int, value: float) -> None:
        super().__init__()
        self._part, self._value = part, value

    def score(self, waveforms: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        parts = super().score(waveforms)
        spoilt = [np.array(part) for part in parts]
        spoilt[self._part][-1, 0] = self._value
        return spoilt[0], spoilt[1]


def test_scores_are_those_of_each_recipe_rendered_alone(pool: Pool, tmp_path: Path) -> None:
    scorer = PlaceholderScorer()
    scores = score_recipes(scorer, pool.recipes, tmp_path)
    rows = np.array([36, 0, 7, 6, 20, 6])  # in any order, twice, across shards
    embeddings, logits = scores.embeddings(rows), scores.logits(rows)
    assert embeddings.dtype == logits.dtype == np.float32
    for i, row in enumerate(rows):
        embedded, expected = scorer.score(pool[int(row)].render()[None])
        unit = embedded[0] / np.linalg.norm(embedded[0])
        np.testing.assert_allclose(embeddings[i], unit, atol=4e-3)  # kept as bfloat16
        np.testing.assert_allclose(logits[i], expected[0], rtol=1e-5)


def test_blocks_cover_every_row_once(pool: Pool, tmp_path: Path) -> None:
    done: list[int] = []
    scores = score_recipes(
        PlaceholderScorer(), pool.recipes, tmp_path, batch_size=3, on_rows=done.append
    )
    blocks = list(scores)
    assert sorted(len(rows) for rows, _ in blocks) == [2, 7, 7, 7, 7, 7]
    assert (len(scores), scores.scored, sum(done)) == (37, 37, 37)
    assert sorted(np.concatenate([rows for rows, _ in blocks]).tolist()) == list(range(37))
    for rows, logits in blocks:
        assert (np.diff(rows) > 0).all()
        np.testing.assert_array_equal(logits, scores.logits(rows))
    assert scores.logits(np.zeros(0, dtype=int)).shape == (0, 2)


@pytest.mark.parametrize("batch_size", [1, 4, 1000])
def test_the_batch_size_changes_nothing_beyond_rounding(
    pool: Pool, tmp_path: Path, batch_size: int
) -> None:
    rows = np.arange(37)
    plain, other = (
        score_recipes(PlaceholderScorer(), pool.recipes, tmp_path / str(size), batch_size=size)
        for size in (32, batch_size)
    )
    np.testing.assert_allclose(plain.logits(rows), other.logits(rows), rtol=1e-5)
    np.testing.assert_allclose(plain.embeddings(rows), other.embeddings(rows), atol=4e-3)


@pytest.mark.parametrize(("at", "whole"), [(0, 0), (3, 0), (4, 1), (17, 4), (20, 5)])
def test_a_run_that_was_stopped_goes_on_with_the_shard_it_was_in(
    pool: Pool, tmp_path: Path, at: int, whole: int
) -> None:
    # batches of 2: four calls a shard, one for the last
    with pytest.raises(KeyboardInterrupt):
        score_recipes(Stopping(at), pool.recipes, tmp_path, batch_size=2)
    assert len(files(tmp_path)) == whole
    scorer = PlaceholderScorer()
    done: list[int] = []
    scores = score_recipes(scorer, pool.recipes, tmp_path, batch_size=2, on_rows=done.append)
    assert scores.scored == 37 - SHARD * whole
    assert scorer.calls == 21 - 4 * whole
    assert sum(done) == 37
    fresh = score_recipes(PlaceholderScorer(), pool.recipes, tmp_path / "fresh", batch_size=2)
    rows = np.arange(37)
    np.testing.assert_array_equal(scores.logits(rows), fresh.logits(rows))


def test_a_second_run_scores_nothing(pool: Pool, tmp_path: Path) -> None:
    score_recipes(PlaceholderScorer(), pool.recipes, tmp_path)
    again = PlaceholderScorer()
    assert score_recipes(again, pool.recipes, tmp_path).scored == 0
    assert again.calls == 0


def test_a_damaged_shard_is_scored_again(pool: Pool, tmp_path: Path) -> None:
    first = score_recipes(PlaceholderScorer(), pool.recipes, tmp_path)
    before = first.logits(np.arange(37))
    names = files(tmp_path)
    one, other = sorted(first.store.folder.iterdir())[:2]
    spoilt = bytearray(one.read_bytes())
    spoilt[-1] ^= 1  # one bit, in a number
    one.write_bytes(spoilt)
    other.write_bytes(other.read_bytes()[:100])
    again = score_recipes(PlaceholderScorer(), pool.recipes, tmp_path)
    assert set(again.store.damaged) == {one.name, other.name}
    assert again.scored in (2 * SHARD, SHARD + 2)
    np.testing.assert_array_equal(again.logits(np.arange(37)), before)
    assert len(files(tmp_path)) <= len(names)


def test_scores_of_another_model_are_not_taken(pool: Pool, tmp_path: Path) -> None:
    score_recipes(PlaceholderScorer(), pool.recipes, tmp_path)
    other_model = PlaceholderScorer(bands=8)
    scores = score_recipes(other_model, pool.recipes, tmp_path)
    assert (scores.scored, scores.embeddings(np.arange(3)).shape) == (37, (3, 8))
    calls = set(pool.calls.ids) - set(pool.recipes.ids)
    assert score_recipes(PlaceholderScorer(), pool.calls, tmp_path).scored == len(calls)


def test_a_pool_that_grew_has_its_new_rows_scored_alone(
    pool: Pool, shared_data: Data, tmp_path: Path
) -> None:
    score_recipes(PlaceholderScorer(), pool.recipes, tmp_path)
    grown = open_pool(make_pool(shared_data, tmp_path / "grown", mix=30))
    known = set(pool.recipes.ids) & set(grown.recipes.ids)
    scores = score_recipes(PlaceholderScorer(), grown.recipes, tmp_path)
    assert len(known) > 20
    assert scores.scored == len(grown) - len(known) > 0
    fresh = score_recipes(PlaceholderScorer(), grown.recipes, tmp_path / "fresh")
    rows = np.arange(len(grown))
    np.testing.assert_allclose(scores.logits(rows), fresh.logits(rows), rtol=1e-5)


@pytest.mark.parametrize("part", [0, 1])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_model_that_returns_no_numbers_is_an_error(
    pool: Pool, tmp_path: Path, part: int, value: float
) -> None:
    with pytest.raises(ModelError, match="the model returned NaN or infinite values"):
        score_recipes(Broken(part, value), pool.recipes, tmp_path)
    assert files(tmp_path) == []


def test_a_file_that_is_gone_is_named(
    shared_pool: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_pool(shared_pool)
    monkeypatch.setattr(
        "negmine.recipes.reader.read_span",
        lambda *a: (_ for _ in ()).throw(AudioError(f"{a[0]}: cannot be read")),
    )
    with pytest.raises(AudioError, match=r"other\d\.wav: cannot be read"):
        score_recipes(PlaceholderScorer(), opened.recipes, tmp_path)
    assert files(tmp_path) == []


def test_silence_scores_lowest_whatever_the_model(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def silenced(*given: Any, **options: Any) -> Iterator[np.ndarray]:
        for batch in render_batches(*given, **options):
            batch[::2] = 0.1
            yield batch

    monkeypatch.setattr(embed, "render_batches", silenced)
    scores = score_recipes(PlaceholderScorer(), pool.recipes, tmp_path, batch_size=SHARD)
    logits = scores.logits(np.arange(SHARD))
    assert (logits[::2] == SILENT_LOGIT).all()
    assert (logits[1::2] > SILENT_LOGIT).all()


def test_scores_of_sound_that_was_rendered_otherwise_are_not_read(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    score_recipes(PlaceholderScorer(), pool.recipes, tmp_path)
    assert score_recipes(PlaceholderScorer(), pool.recipes, tmp_path).scored == 0
    monkeypatch.setattr("negmine.scores.embed.RENDERING", 99)
    assert score_recipes(PlaceholderScorer(), pool.recipes, tmp_path).scored == len(pool)
