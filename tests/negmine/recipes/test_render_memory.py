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
from negmine.recipes.cache_items import build_cache
from negmine.recipes.render import render


class Rendered(Dataset[Any]):
    def __init__(self, pool: Path, cache: Path) -> None:
        opened = open_pool(pool)
        self._recipes, self._rate = opened.recipes, opened.sample_rate
        self._reader = CachedReader(cache)

    def __len__(self) -> int:
        return len(self._recipes)

    def __getitems__(self, rows: Sequence[int]) -> torch.Tensor:
        made = [render(one, self._rate, self._reader) for one in self._recipes[np.array(rows)]]
        return torch.from_numpy(np.stack(made))


@pytest.mark.slow
@needs_proc
def test_epochs_of_rendering_take_no_more_memory_each(data: Data, tmp_path: Path) -> None:
    pool = open_pool(make_pool(data, tmp_path / "pool", mix=6000))
    cache = tmp_path / "cache"
    build_cache(cache, list(pool.sources), pool.sample_rate)
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
    (samples,) = cache.glob("*.i16")
    once, each = mapped_kib(workers, samples)
    assert each > 0.9 * 2 * samples.stat().st_size / 1024
    assert once == pytest.approx(each / 2, rel=0.05)
