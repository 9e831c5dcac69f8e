"""``transplant``: clips with one class's band from another clip: everything but the call."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from negmine.building.settings import TransplantSettings
from negmine.building.sources.banded import Bands, Crops, sure_gone, usable_bands
from negmine.building.sources.context import BuildContext
from negmine.building.sources.partners import Certified, sounds
from negmine.recipes.layer import BAND
from negmine.recipes.recipe import BLOCK_ROWS, Recipes
from negmine.recipes.recipe_columns import rounded

_TRIES = 20


def rows(context: BuildContext, settings: TransplantSettings) -> Iterator[Recipes]:
    """Yield clips whose band of a class comes from a clip that is certified free of it."""
    if not settings.count:
        return
    bands, crops, donors = usable_bands(context), Crops.of(context), _donors(context)
    free = Certified.of(donors, bands.names)
    counts = np.diff(free.first)
    rng = context.rng("transplant")
    numbers: dict[tuple[int, int, int], int] = {}
    here, there = sounds(crops.recipes), sounds(donors)
    found = 0
    for first in range(0, settings.count, BLOCK_ROWS):
        wanted = min(BLOCK_ROWS, settings.count - first)
        picked, column = crops.draw(context, bands, wanted, settings.own, rng)
        has_donor = counts[column] > 0
        picked, column = picked[has_donor], column[has_donor]
        donor = np.zeros(len(picked), dtype=np.int64)
        trying = np.arange(len(picked))
        for _ in range(_TRIES):
            donor[trying] = free.draw(column[trying], rng.random((len(trying), 1)))[:, 0]
            # a band of the same recording could bring the call back
            trying = trying[here[picked[trying]] == there[donor[trying]]]
        kept = np.setdiff1d(np.arange(len(picked)), trying)
        picked, column, donor = picked[kept], column[kept], donor[kept]
        found += len(picked)
        part, given = crops.recipes[picked], donors[donor]
        sets = (some.of_first("label").tolist() for some in (part, given))
        keys = zip(*sets, column.tolist(), strict=True)
        label = [_label(context, bands, numbers, key, settings.confidence) for key in keys]
        yield part.changed(
            "transplant",
            np.array(label, dtype=np.int64),
            BAND,
            source=given.of_first("source"),
            start_us=given.of_first("start_us"),
            seed=given.of_first("seed"),
            low_hz=rounded(bands.low_hz[column]),
            high_hz=rounded(bands.high_hz[column]),
        )
    context.left_out["transplants without a crop or a donor"] += settings.count - found


def _donors(context: BuildContext) -> Recipes:
    """Return plain certified clips, none of them silent."""
    rows = context.certified
    return rows[rows.plain_rows & context.audible(rows)]


def _label(
    context: BuildContext,
    bands: Bands,
    numbers: dict[tuple[int, int, int], int],
    key: tuple[int, int, int],
    confidence: float,
) -> int:
    if key not in numbers:
        labels = context.dictionaries.labels
        before, donor, name = labels[key[0]], labels[key[1]], bands.names[key[2]]
        sure = sure_gone(before, name, confidence)
        touched = bands.touched(name, sorted({*before.present, *before.absent}))
        numbers[key] = labels.number(before.transplanted(name, donor, sure, touched))
    return numbers[key]
