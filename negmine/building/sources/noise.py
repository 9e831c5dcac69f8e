"""``noise``: generated sound, in which nothing calls."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np

from negmine.building.sources.context import BuildContext
from negmine.building.sources.settings import NoiseSettings
from negmine.pool.blocks import BLOCK_ROWS, RecipeBlock, plain_block
from negmine.recipes.labels import Certificate, PartialLabels
from negmine.recipes.source import synthetic_source


def rows(context: BuildContext, settings: NoiseSettings) -> Iterator[RecipeBlock]:
    """Yield clips of the generators in turn, each with a seed of its own."""
    if not settings.count:
        return
    rng = context.rng("noise")
    labels = PartialLabels.certified(context.classes, Certificate.SYNTHETIC)
    label = context.tables.labels.number(labels)
    kinds = np.array([context.tables.sources.number(synthetic_source(k)) for k in settings.kinds])
    for first in range(0, settings.count, BLOCK_ROWS):
        at = np.arange(first, min(first + BLOCK_ROWS, settings.count))
        n = len(at)
        block = plain_block("noise", kinds[at % len(kinds)], np.zeros(n), np.full(n, label))
        yield replace(block, seed=rng.integers(0, 2**63, n, dtype=np.uint64).astype(np.int64))
