"""``noise``: generated sound, in which nothing calls."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from negmine.building.settings import NoiseSettings
from negmine.building.sources.context import BuildContext
from negmine.recipes.certificates import Certificate
from negmine.recipes.labels import PartialLabels
from negmine.recipes.recipe import BLOCK_ROWS, Recipes
from negmine.recipes.source import synthetic_source


def rows(context: BuildContext, settings: NoiseSettings) -> Iterator[Recipes]:
    """Yield clips of the generators in turn, each with a seed of its own."""
    if not settings.count:
        return
    rng, d = context.rng("noise"), context.dictionaries
    labels = PartialLabels.certified(context.classes, Certificate.SYNTHETIC)
    label = d.labels.number(labels)
    kinds = np.array([d.sources.number(synthetic_source(k)) for k in settings.kinds])
    for first in range(0, settings.count, BLOCK_ROWS):
        at = np.arange(first, min(first + BLOCK_ROWS, settings.count))
        n = len(at)
        seeds = rng.integers(0, 2**63, n, dtype=np.uint64).astype(np.int64)
        sources = kinds[at % len(kinds)]
        yield Recipes.plain(d, "noise", sources, np.zeros(n), np.full(n, label), seeds)
