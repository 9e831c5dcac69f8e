"""Pools of rows that a test makes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from negmine.pool.files import write_new
from negmine.pool.writer import PoolWriter, Rows, add_rows


def write_pool(
    path: Path, *, recipes: Rows, calls: Rows = (), clip_s: float, sample_rate: int, **about: Any
) -> bool:
    """Pack recipes and calls, and write them as a pool: see `write_new`."""
    writer = PoolWriter(clip_s, sample_rate)
    add_rows(writer, recipes, calls)
    return write_new(path, writer, **about)
