"""Filling a pool: every source of negatives, in order, and what is left out of what they yield."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from negmine.building.sources import rows_of
from negmine.building.sources.context import BuildContext
from negmine.pool.audible import check_ratios
from negmine.pool.writer import PoolWriter
from negmine.recipes.recipe import Recipe, Recipes, blocks_of


def fill(writer: PoolWriter, context: BuildContext) -> None:
    """Run every source of negatives, in order, and pack what it yields.

    Raises
    ------
    AudioError
        If a component of a mix is silent, naming the file and the span.
    ValueError
        If a source yields rows of another kind than its own.
    """
    for block in _kept(context.confirmed_clips(), context):
        context.calls.append(block)
        writer.add_calls(block)
    for name, settings in context.settings.sources().items():
        for block in _kept(rows_of(name)(context, settings), context):
            kinds = {context.dictionaries.kinds[number] for number in np.unique(block.kind)}
            if odd := kinds - {name}:
                raise ValueError(f"source '{name}' yields rows of kind {', '.join(sorted(odd))}")
            check_ratios(block, context.silent_uses(block))
            known = writer.known(block)
            repeated = len(block) - known - writer.add(block)
            context.left_out["rows that the pool has already"] += known
            context.left_out[f"rows of '{name}' that repeat another row of this build"] += repeated
            if not settings.leaf:
                context.blocks.append(block)


def _kept(
    rows: Iterator[Recipe] | Iterator[Recipe | Recipes], context: BuildContext
) -> Iterator[Recipes]:
    """Yield rows that sound, and draw on no held-out recording (source or partner).

    A mix with a silent part is not left out here: its ratio is undefined, which is an error.
    """
    for block in blocks_of(rows, context.dictionaries):
        held = context.held_out_rows(block)
        context.left_out["rows that draw on held-out recordings"] += int(held.sum())
        block = block[~held] if held.any() else block
        silent = ~context.audible(block) & (block.uses.counts == 1)
        context.left_out["clips of silence"] += int(silent.sum())
        yield block[~silent] if silent.any() else block
