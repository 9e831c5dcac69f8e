"""Loader workers that render a pool from its cache hold no more, the longer they do."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conftest import Data, make_pool
from torch.utils.data import DataLoader, Dataset

from negmine.cache import CachedReader
from negmine.cache_build import build_cache, sounds_of_pool
from negmine.pool import open_pool
from negmine.render import render


class Rendered(Dataset[Any]):
    def __init__(self, pool: Path, cache: Path) -> None:
        self._recipes, self._reader = open_pool(pool).recipes, CachedReader(cache)

    def __len__(self) -> int:
        return len(self._recipes)

    def __getitems__(self, rows: Sequence[int]) -> torch.Tensor:
        rate = self._reader.sample_rate
        made = [render(one, rate, self._reader) for one in self._recipes.at(np.array(rows))]
        return torch.from_numpy(np.stack(made))


def written_mib(pid: int) -> float:
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
        if line.startswith("Private_Dirty:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("the system does not say")


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="reads Linux's /proc")
def test_epochs_of_rendering_take_no_more_memory_each(data: Data, tmp_path: Path) -> None:
    pool = open_pool(make_pool(data, tmp_path / "pool", mix=6000))
    build_cache(tmp_path / "cache", sounds_of_pool(pool.sources), pool.sample_rate)
    loader = DataLoader(
        Rendered(pool.path, tmp_path / "cache"), 32, shuffle=True, num_workers=2,
        collate_fn=lambda batch: batch, persistent_workers=True,
    )  # fmt: skip
    held = []
    for _ in range(4):
        assert sum(len(batch) for batch in loader) == len(pool)
        workers: Any = loader._iterator
        held.append([written_mib(worker.pid) for worker in workers._workers])
    # an epoch's clips are 190 MiB, 95 a worker; the first epochs still fill what is kept
    assert np.max(np.subtract(held[3], held[1])) < 4
