"""Loader workers that render a pool from its cache share its pages, and hold no more with time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Data, make_pool
from process_memory import held_mib, mapped_kib, needs_proc
from torch.utils.data import DataLoader, Dataset

from negmine.pool import open_pool
from negmine.recipes.cache import CachedReader
from negmine.recipes.cache_build import build_cache, sounds_of_pool
from negmine.recipes.cache_files import DATA
from negmine.recipes.render import render


class Rendered(Dataset[Any]):
    def __init__(self, pool: Path, cache: Path) -> None:
        self._recipes, self._reader = open_pool(pool).recipes, CachedReader(cache)

    def __len__(self) -> int:
        return len(self._recipes)

    def __getitems__(self, rows: Sequence[int]) -> torch.Tensor:
        rate = self._reader.sample_rate
        made = [render(one, rate, self._reader) for one in self._recipes.at(np.array(rows))]
        return torch.from_numpy(np.stack(made))


@pytest.mark.slow
@needs_proc
def test_epochs_of_rendering_take_no_more_memory_each(data: Data, tmp_path: Path) -> None:
    pool = open_pool(make_pool(data, tmp_path / "pool", mix=6000))
    cache = tmp_path / "cache"
    build_cache(cache, sounds_of_pool(pool.sources), pool.sample_rate)
    loader: Any = DataLoader(
        Rendered(pool.path, cache), 32, shuffle=True, num_workers=2,
        collate_fn=lambda batch: batch, persistent_workers=True,
    )  # fmt: skip
    held = []
    for _ in range(4):
        assert sum(len(batch) for batch in loader) == len(pool)
        workers = [worker.pid for worker in loader._iterator._workers]
        held.append(held_mib([os.getpid(), *workers]))
    # an epoch's clips are 190 MiB; the first epochs still fill what is kept
    assert held[3] - held[1] < 6
    once, each = mapped_kib(workers, cache / DATA)
    assert each > 0.9 * 2 * (cache / DATA).stat().st_size / 1024
    assert once == pytest.approx(each / 2, rel=0.05)
