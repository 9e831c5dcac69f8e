"""Pools of rows that a test makes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from negmine.pool.blocks import Tables, as_blocks
from negmine.pool.files import Rows, write_new
from negmine.pool.writer import PoolWriter


def add_rows(writer: PoolWriter, recipes: Rows, calls: Rows, tables: Tables) -> None:
    """Pack recipes and calls that come in any form."""
    for block in as_blocks(recipes, tables):
        writer.add(block, tables)
    for block in as_blocks(calls, tables):
        writer.add_calls(block, tables)


def write_pool(
    path: Path,
    *,
    recipes: Rows,
    calls: Rows = (),
    clip_s: float,
    tables: Tables | None = None,
    **about: Any,
) -> bool:
    """Pack recipes and calls, and write them as a pool: see `write_new`."""
    writer = PoolWriter(clip_s)
    add_rows(writer, recipes, calls, tables or Tables())
    return write_new(path, writer, **about)
