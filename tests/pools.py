"""Pools of rows that a test makes itself."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from negmine.pool.files import Rows, write_new
from negmine.pool.writer import PoolWriter
from negmine.recipes.dictionaries import Dictionaries
from negmine.recipes.recipe import blocks_of


def add_rows(writer: PoolWriter, recipes: Rows, calls: Rows = ()) -> None:
    """Pack recipes and calls that come in any form."""
    dictionaries = Dictionaries(writer.clip_s, writer.sample_rate)
    for block in blocks_of(recipes, dictionaries):
        writer.add(block)
    for block in blocks_of(calls, dictionaries):
        writer.add_calls(block)


def write_pool(
    path: Path, *, recipes: Rows, calls: Rows = (), clip_s: float, sample_rate: int, **about: Any
) -> bool:
    """Pack recipes and calls, and write them as a pool: see `write_new`."""
    writer = PoolWriter(clip_s, sample_rate)
    add_rows(writer, recipes, calls)
    return write_new(path, writer, **about)
