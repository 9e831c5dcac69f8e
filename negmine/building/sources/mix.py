"""``mix``: sums of certified clips, absent only where all of them are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np

from negmine.arrays import FloatCells, IntCells
from negmine.building.settings import MixSettings
from negmine.building.sources.context import BuildContext
from negmine.building.sources.partners import Certified, sounds
from negmine.recipes.columns import USE, Lists, typed
from negmine.recipes.recipe import BLOCK_ROWS, Recipes
from negmine.recipes.recipe_columns import millionths

# Draws per mix before a class with too few partners is given up.
_TRIES = 20


def rows(context: BuildContext, settings: MixSettings) -> Iterator[Recipes]:
    """Yield mixes of what is certified so far; none of their components is silent."""
    if not settings.count:
        return
    parts = context.certified
    parts = parts[context.audible(parts)]
    found = 0
    for block in mixes(parts, context.classes, settings, context.rng("mix")):
        # what starts late may be cut down to silence
        heard = context.audible(block)
        found += int(heard.sum())
        yield block[heard]
    context.left_out["mixes without a partner"] += settings.count - found


def mixes(
    parts: Recipes, classes: Sequence[str], settings: MixSettings, rng: np.random.Generator
) -> Iterator[Recipes]:
    """Yield mixes of clips of different sources that certify a class in common.

    A class is drawn first, evenly, then clips certified for it, so that classes with few certified
    clips get as many mixes as others.

    Parameters
    ----------
    parts : Recipes
        What may be mixed; none of it silent.
    classes : sequence of str
    settings : MixSettings
        How many; fewer come where there are not enough distinct parts.
    rng : numpy.random.Generator
    """
    certified = Certified.of(parts, classes)
    if not len(certified.classes):
        return
    sound, clip_s = sounds(parts), parts.dictionaries.clip_s
    least, most = settings.parts
    for first in range(0, settings.count, BLOCK_ROWS):
        n = min(BLOCK_ROWS, settings.count - first)
        wanted = rng.integers(least, most, n, endpoint=True)
        picked = np.full((n, most), -1, dtype=np.int64)
        trying = np.arange(n)
        column = rng.choice(certified.classes, n)
        for tried in range(_TRIES):
            # a class of few files gets its turns as often as others, unless it has too few at all
            if tried >= _TRIES // 2:
                column[trying] = rng.choice(certified.classes, len(trying))
            drawn = certified.draw(column[trying], rng.random((len(trying), most)))
            drawn[np.arange(most) >= wanted[trying, None]] = -1
            picked[trying] = drawn
            trying = trying[~_distinct(np.where(drawn < 0, -1, sound[drawn]))]
            if not len(trying):
                break
        kept = np.ones(n, dtype=bool)
        kept[trying] = False
        ratios = np.round(rng.uniform(*settings.snr_db, (n, most)), 3)
        late_s = np.floor(rng.uniform(0, settings.offset * clip_s, (n, most)) * 1000) / 1000
        late_s[:, 0] = 0.0
        mixed = parts.mixed(picked[kept], ratios[kept])
        yield _late(mixed, parts, picked[kept], late_s[kept])


def _distinct(values: np.ndarray) -> np.ndarray:
    """Return rows without a value twice, -1 apart: bool, shape (n,)."""
    ordered = np.sort(values, axis=1)
    twice = (np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] >= 0)
    return np.asarray(~twice.any(axis=1))


def _late(mixed: Recipes, parts: Recipes, picked: IntCells, late_s: FloatCells) -> Recipes:
    """Start later parts of mixes late, where a part is one plain clip without a call in it.

    A call may lose what makes it one when its clip is cut off, so clips that hold one stay whole.
    """
    calling = np.array([bool(labels.present) for labels in parts.dictionaries.labels])
    labelled = parts.labels.reduce(np.logical_or, calling[parts.labels.values["label"]])
    movable = parts.plain_rows & ~labelled
    used = picked >= 0
    # one entry a part, then one a component: movable parts have a single one
    shift = np.where(movable[picked[used]], millionths(late_s[used]), 0)
    per_use = np.repeat(shift, parts.uses.counts[picked[used]])
    moved = {**mixed.uses.values, "offset_us": mixed.uses.values["offset_us"] + per_use}
    return replace(mixed, uses=Lists(mixed.uses.starts, typed(USE, len(per_use), **moved)))
