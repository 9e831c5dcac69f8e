"""Scenes and random negatives of a pool as rows: what is drawn, how many, what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path

import numpy as np
import pytest
from batches import make_batch
from conftest import Data, make_pool, tiny_config, tone

from negmine.errors import PoolError
from negmine.pool import Pool, open_pool
from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.labels import PartialLabels
from training.data import sampled_rows
from training.data.rows import Row, RowKind, make_example
from training.data.sampled_rows import SampledRows, What
from training.data.settings import SampleUse
from training.engine.inputs import sample_inputs

pytestmark = pytest.mark.usefixtures("one_thread")

CLASSES = ("0", "1")
REJECTED = {"0": Absence(Certificate.VERIFIED, 0.8)}
NONE: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def pool(shared_data: Data, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    out = tmp_path_factory.mktemp("scenes") / "pool"
    return open_pool(make_pool(shared_data, out, mix=0, scene={"count": 30}))


def prepared(
    pool: Pool, what: What, cache: Path, held_out: frozenset[str] = NONE, **changes: object
) -> SampledRows:
    rows = SampledRows(pool, what, 1.0, cache)
    rows.prepare(tiny_config(**changes), CLASSES, held_out)
    return rows


def test_all_cells_of_a_scene_are_known(pool: Pool, tmp_path: Path) -> None:
    rows = prepared(pool, "scenes", tmp_path)
    assert rows.used == 30
    batch = make_batch([row for step in range(10) for row in rows.rows(step)], CLASSES)
    assert batch.known.all()
    assert set(batch.targets.sum(dim=1).tolist()) == {1, 2}
    # a call is sure; an absence as sure as its certificate
    assert (batch.weight[batch.targets == 1] == 1).all()
    assert (batch.weight[batch.targets == 0] < 1).all()


def test_random_negatives_are_zero_where_certified_and_say_nothing_else(
    pool: Pool, tmp_path: Path
) -> None:
    rows = prepared(pool, "negatives", tmp_path)
    assert rows.used == sum(recipe.kind != "scene" for recipe in pool)
    batch = make_batch([row for step in range(5) for row in rows.rows(step)], CLASSES)
    certified = batch.known & (batch.targets == 0)
    assert certified.any(dim=1).all()
    assert not certified.all()


@pytest.mark.parametrize(("what", "expected"), [("scenes", 4), ("negatives", 7)])
def test_rows_a_step_follow_the_rows_that_they_are_beside(
    pool: Pool, tmp_path: Path, what: What, expected: int
) -> None:
    rows = prepared(pool, what, tmp_path, tp_per_step=4, fp_per_step=3)
    assert {len(rows.rows(step)) for step in range(4)} == {expected}


def test_a_step_is_the_same_in_any_process_and_any_order(pool: Pool, tmp_path: Path) -> None:
    rows = prepared(pool, "scenes", tmp_path)
    later = [row.waveform for row in rows.rows(3)]
    other = pickle.loads(pickle.dumps(prepared(pool, "scenes", tmp_path)))
    for mine, theirs in zip(later, other.rows(3), strict=True):
        np.testing.assert_array_equal(mine, theirs.waveform)
    assert any(not np.array_equal(a, b.waveform) for a, b in zip(later, rows.rows(4), strict=True))


def test_what_validates_trains_in_no_scene(pool: Pool, tmp_path: Path) -> None:
    held = frozenset({"rec00", "rec01"})
    assert any(recipe.draws_on(held) for recipe in prepared(pool, "scenes", tmp_path).recipes)
    kept = prepared(pool, "scenes", tmp_path, held).recipes
    assert kept
    assert not any(recipe.draws_on(held) for recipe in kept)


def test_a_pool_without_scenes_is_named(shared_pool: Path, tmp_path: Path) -> None:
    with pytest.raises(PoolError, match="holds no scene; build it with --scenes"):
        prepared(open_pool(shared_pool), "scenes", tmp_path)


def test_a_large_pool_is_sampled_and_says_so(
    pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sampled_rows, "MOST_SAMPLED", 10)
    rows = prepared(pool, "scenes", tmp_path)
    assert rows.used == 10
    assert "a sample of 10 of its 30 scenes trains" in caplog.text
    again = prepared(pool, "scenes", tmp_path)
    assert [r.id for r in rows.recipes] == [r.id for r in again.recipes]


def test_negatives_that_are_all_of_other_sound_are_reported(
    shared_data: Data, pool: Pool, tmp_path: Path
) -> None:
    found: list[int] = []

    def counted(where: Pool) -> None:
        rows = SampledRows(
            where, "negatives", 1.0, tmp_path, recordings={"rec00"}, on_elsewhere=found.append
        )
        rows.prepare(tiny_config(), CLASSES, NONE)

    counted(pool)
    assert found == []  # it holds rejected detections
    none = {f"rec{i:02d}" for i in range(8)}
    outside = open_pool(make_pool(shared_data, tmp_path / "outside", mix=0, fp={"pad": "beyond"}))
    rows = SampledRows(
        outside, "negatives", 1.0, tmp_path, recordings=none, on_elsewhere=found.append
    )
    rows.prepare(tiny_config(), CLASSES, frozenset(none))
    assert found == [rows.used]


@pytest.mark.parametrize("kind", list(RowKind))
def test_negatives_are_mixed_into_rows_of_all_kinds_as_often(
    pool: Pool, tmp_path: Path, kind: RowKind
) -> None:
    plugin = SampledRows(pool, "negatives", 1.0, tmp_path, mix=0.5, mix_snr_db=(0.0, 0.0))
    plugin.prepare(tiny_config(), CLASSES, NONE)
    called = kind is RowKind.TP
    labels = PartialLabels(frozenset({"0"})) if called else PartialLabels(absent=REJECTED)
    own = make_example(Row(tone(1000.0, 1.0), labels, kind), CLASSES)
    found = [plugin.transform(own, step, 0) for step in range(200)]
    mixed = [one for one in found if one is not own]
    # 4 standard deviations are 0.14
    assert len(mixed) / len(found) == pytest.approx(0.5, abs=0.14)
    for one in mixed:
        # what was known is still known: a negative that is free of the class joined its rejection
        assert (one.cells.known[0], one.cells.targets[0]) == (True, float(called))
        # at 0 dB, two unlike sounds: as much of the row as of what joined it
        share = float(one.waveform @ own.waveform) / float(own.waveform @ own.waveform)
        assert 0.5 < share < 0.95


def test_mixing_is_told_in_what_a_run_goes_on_with(pool: Pool, tmp_path: Path) -> None:
    plain = SampledRows(pool, "negatives", 1.0, tmp_path)
    mixing = SampledRows(pool, "negatives", 1.0, tmp_path, mix=0.25)
    assert mixing.description == plain.description + ", mixed into 0.25 at -10 to 10 dB"


def test_a_pool_of_both_is_opened_once(pool: Pool) -> None:
    path = str(pool.path)
    negatives, scenes = sample_inputs(SampleUse(negatives=path, scenes=path, scene_ratio=0.5))
    assert negatives.pool is scenes.pool
    assert [(one.what, one.ratio) for one in (negatives, scenes)] == [
        ("negatives", SampleUse().negative_ratio), ("scenes", 0.5)
    ]  # fmt: skip
    assert sample_inputs(SampleUse()) == []
