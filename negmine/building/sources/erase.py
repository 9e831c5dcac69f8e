"""``erase``: clips from which one class's band was removed: that class is gone, no other."""

from __future__ import annotations

import math
from collections.abc import Iterator

import numpy as np

from negmine.building.settings import EraseSettings
from negmine.building.sources.banded import Bands, Crops, sure_gone, usable_bands
from negmine.building.sources.context import BuildContext
from negmine.recipes.layer import ERASE
from negmine.recipes.recipe import BLOCK_ROWS, Recipes
from negmine.recipes.recipe_columns import rounded

_MORE_PASSES = 20


def rows(context: BuildContext, settings: EraseSettings) -> Iterator[Recipes]:
    """Yield confirmed calls, rejected detections, unlabelled windows, each without a band."""
    if not settings.count:
        return
    bands, crops = usable_bands(context), Crops.of(context)
    rng = context.rng("erase")
    numbers: dict[tuple[int, int], int] = {}
    seen: set[tuple[int, int]] = set()
    found = 0
    # once the calls have all been drawn, a pass brings fewer new ones than it draws
    for _ in range(math.ceil(settings.count / BLOCK_ROWS) + _MORE_PASSES):
        wanted = min(BLOCK_ROWS, settings.count - found)
        picked, column = crops.draw(context, bands, wanted, settings.own, rng)
        # the same crop without the same band is the same clip
        pairs = list(zip(picked.tolist(), column.tolist(), strict=True))
        new = [i for pair, i in {p: i for i, p in enumerate(pairs)}.items() if pair not in seen]
        seen.update(pairs)
        picked, column = picked[new], column[new]
        found += len(picked)
        part = crops.recipes[picked]
        label = [
            _label(context, bands, numbers, pair, settings.confidence)
            for pair in zip(part.of_first("label").tolist(), column.tolist(), strict=True)
        ]
        yield part.changed(
            "erase",
            np.array(label, dtype=np.int64),
            ERASE,
            low_hz=rounded(bands.low_hz[column]),
            high_hz=rounded(bands.high_hz[column]),
        )
    context.left_out["erasures that no further crop was found for"] += settings.count - found


def _label(
    context: BuildContext,
    bands: Bands,
    numbers: dict[tuple[int, int], int],
    pair: tuple[int, int],
    confidence: float,
) -> int:
    if pair not in numbers:
        before, name = context.dictionaries.labels[pair[0]], bands.names[pair[1]]
        sure = sure_gone(before, name, confidence)
        touched = bands.touched(name, sorted(before.present))
        numbers[pair] = context.dictionaries.labels.number(before.erased(name, sure, touched))
    return numbers[pair]
