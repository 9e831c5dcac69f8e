"""Workers that prepare steps with hard negatives share their clips, and hold no more with time."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from conftest import SAMPLE_RATE, Data, make_pool, open_data, tiny_config
from process_memory import held_mib, mapped_kib, needs_proc

from negmine.mining.selection import Chosen, Selection
from negmine.pool import open_pool
from training.data.box_rows import BoxRows
from training.data.hard_negatives import HardNegatives
from training.data.settings import HardUse
from training.data.steps import StepDataset, step_loader


@pytest.mark.slow
@needs_proc
def test_epochs_with_hard_negatives_take_no_more_memory_each(data: Data, tmp_path: Path) -> None:
    pool = open_pool(make_pool(data, tmp_path / "pool", mix=3000))
    rows = tuple(
        Chosen(recipe.id, label, 1.0, 1, recipe.kind, "mixed", 0.9, "", 0.5, 0.0)
        for recipe in pool
        for label in sorted(recipe.labels.absent)[:1]
    )
    Selection(rows, pool.path, pool.digest, "model").write(tmp_path / "hard.parquet")
    opened, boxes, clips = open_data(data), tmp_path / "boxes", tmp_path / "clips"
    # 6 rows of its own, 12 added: an epoch draws as many as there are
    epoch = len(rows) // 12
    config = tiny_config(workers=2, steps_per_epoch=epoch, epochs=5)
    own = BoxRows(opened.annotations, opened.recordings, config, boxes)
    plugin = HardNegatives(tmp_path / "hard.parquet", HardUse(ratio=2.0), clips)
    plugin.prepare(config, opened.annotations.classes, frozenset())
    steps: Any = step_loader(StepDataset(own, [plugin], config), 0, config.workers)
    workers, held = [worker.pid for worker in steps._workers], []
    for _ in range(4):
        assert sum(len(next(steps).batch) for _ in range(epoch)) == epoch * 18
        held.append(held_mib([os.getpid(), *workers]))
    # an epoch's clips are 95 MiB; 2 of them are on their way
    assert held[3] - held[1] < 6
    (file,) = clips.glob("*.i16")
    assert file.stat().st_size == 2 * SAMPLE_RATE * len({row.recipe for row in rows})
    once, each = mapped_kib([os.getpid(), *workers], file)
    assert once <= file.stat().st_size / 1024 + 8
    assert each > 1.8 * once
