"""Short retrainings: what trains them, and that they tell good negatives from missed calls."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Data, Opened, make_pool, tiny_config

from negmine.errors import PoolError
from negmine.mining.mine import MineSettings, mine
from negmine.models.scorer import Retrainable
from negmine.pool import Pool, open_pool
from negmine.pool.append import append_recipes
from negmine.recipes.labels import Certificate, PartialLabels
from negmine.recipes.recipe import Recipe
from training.data.rows import RowKind
from training.engine.checkpoint import Checkpoint
from training.engine.inputs import RunInputs
from training.engine.retrain import PoolRows, retrain
from training.engine.scorer import CheckpointScorer
from training.engine.train import train

pytestmark = pytest.mark.usefixtures("one_thread")

CPU = torch.device("cpu")
NONE: frozenset[str] = frozenset()


@pytest.fixture(scope="module")
def trained(
    shared_opened: Opened, shared_cache: Path, tmp_path_factory: pytest.TempPathFactory
) -> Checkpoint:
    """A detector of the tones that has learnt them."""
    out = tmp_path_factory.mktemp("trained")
    config = tiny_config(folds=1, epochs=1, steps_per_epoch=60)
    o = shared_opened
    return train(config, RunInputs(o.annotations, o.recordings, shared_cache), out)


@pytest.fixture(scope="module")
def pool(shared_data: Data, tmp_path_factory: pytest.TempPathFactory) -> Pool:
    return open_pool(make_pool(shared_data, tmp_path_factory.mktemp("retrain") / "pool", mix=100))


@pytest.fixture
def selection(trained: Checkpoint, pool: Pool, tmp_path: Path) -> Path:
    mined = mine(CheckpointScorer(trained, CPU), pool, tmp_path / "scores", MineSettings(4))
    mined.selection.write(tmp_path / "hard.parquet")
    return tmp_path / "hard.parquet"


def retrained(checkpoint: Checkpoint, selection: Path, folder: Path, **changes: Any) -> Checkpoint:
    settings: dict[str, Any] = {"without": NONE, "steps": 5, "seed": 0, "device": CPU}
    return retrain(checkpoint, selection, folder=folder, **(settings | changes))


def test_weights_change_and_the_checkpoint_stays(
    trained: Checkpoint, selection: Path, tmp_path: Path
) -> None:
    before = {name: value.clone() for name, value in trained.model.items()}
    done: list[None] = []
    changed = retrained(trained, selection, tmp_path, on_step=lambda: done.append(None))
    assert len(done) == 5
    assert changed.fingerprint != trained.fingerprint
    assert all(torch.equal(trained.model[name], value) for name, value in before.items())
    again = retrained(trained, selection, tmp_path / "again")
    assert again.fingerprint == changed.fingerprint
    assert retrained(trained, selection, tmp_path, seed=1).fingerprint != changed.fingerprint


def test_rows_are_calls_and_rejections_with_their_own_labels(pool: Pool, tmp_path: Path) -> None:
    config = tiny_config(fp_per_step=3)
    rows = PoolRows(pool, pool.classes, config, frozenset({"rec02"}), tmp_path)
    aside = frozenset({"rec02"})
    made = {
        RowKind.TP: [call for call in pool.calls if not call.draws_on(aside)],
        RowKind.FP: [row for row in pool if row.kind == "fp" and not row.draws_on(aside)],
    }
    heard: dict[RowKind, set[str]] = {kind: set() for kind in made}
    for step in range(40):
        drawn = rows.draw(step)
        assert [draw.kind for draw in drawn] == [RowKind.TP] * 4 + [RowKind.FP] * 3
        assert drawn == rows.draw(step)
        for draw in drawn:
            row = rows.row(draw)
            (same,) = (
                recipe.id
                for recipe in made[draw.kind]
                if recipe.labels == row.labels
                and np.abs(recipe.render(config.sample_rate) - row.waveform).max() < 1e-4
            )
            heard[row.kind].add(same)
    assert heard == {kind: {recipe.id for recipe in rows} for kind, rows in made.items()}


def test_what_is_set_aside_is_not_heard(
    trained: Checkpoint, selection: Path, tmp_path: Path
) -> None:
    every = frozenset(f"rec{i:02d}" for i in range(8))
    some = retrained(trained, selection, tmp_path / "some", without=frozenset({"rec00", "rec01"}))
    assert some.fingerprint != retrained(trained, selection, tmp_path / "all").fingerprint
    external = every | {f"external/other{i}.wav" for i in (0, 1)} | {"external/deep/other2.wav"}
    with pytest.raises(PoolError, match="none of its"):
        retrained(trained, selection, tmp_path / "none", without=external)


def test_missed_calls_among_the_negatives_cost_calls_their_scores(
    trained: Checkpoint, shared_data: Data, selection: Path, tmp_path: Path
) -> None:
    made = open_pool(make_pool(shared_data, tmp_path / "pool", mix=100))
    rows = len(made)
    append_recipes(tmp_path / "pool", [_denied(call) for call in made.calls], {})
    lying = open_pool(tmp_path / "pool")
    assert len(lying) == rows + len(made.calls)
    scorer = CheckpointScorer(trained, CPU)
    assert isinstance(scorer, Retrainable)
    settings = MineSettings(8, min_distance=0.0, max_doubt=1.0)
    mined = mine(scorer, lying, tmp_path / "scores", settings).selection
    lies = {recipe.id for recipe in lying[rows:]}
    assert len([row for row in mined.rows if row.recipe in lies]) >= 8
    mined.write(tmp_path / "lies.parquet")
    waveforms = np.stack([call.render() for call in made.calls])
    columns = [trained.classes.index(min(call.labels.present)) for call in made.calls]

    def heard(path: Path) -> float:
        changed = scorer.retrained(path, NONE, 40, 0, tmp_path / "clips", lambda: None)
        return float(changed.score(waveforms)[1][np.arange(len(columns)), columns].mean())

    assert heard(tmp_path / "lies.parquet") < heard(selection) - 0.5


def _denied(call: Recipe) -> Recipe:
    """A call a little earlier, and the word that there is none."""
    first = replace(call.layers[0], start_s=call.layers[0].start_s - 0.05)
    labels = PartialLabels.certified(call.labels.present, Certificate.EXTERNAL, 0.99)
    return replace(call, kind="external", layers=(first, *call.layers[1:]), labels=labels)
