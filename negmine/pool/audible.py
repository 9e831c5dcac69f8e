"""Which components of recipes are silent: those of a mix must not be."""

from __future__ import annotations

import numpy as np

from negmine.arrays import BoolEntries, FloatEntries, IntRows
from negmine.audio.levels import Levels
from negmine.audio.silence import SILENCE_RMS
from negmine.errors import AudioError
from negmine.recipes.recipe import Recipes


def files_of(recipes: Recipes, levels: Levels) -> IntRows:
    """Return the number of the file of each source of a table: see `Levels.file_of`."""
    return np.array([levels.file_of(one.path) for one in recipes.dictionaries.sources], np.int64)


def silent_uses(recipes: Recipes, levels: Levels, files: IntRows) -> BoolEntries:
    """Return components that are silent: bool, shape (u,).

    Parameters
    ----------
    recipes : Recipes
        With u uses.
    levels : Levels
    files : int array, shape (sources,)
        From `files_of`.
    """
    start_s, length_s = _spans(recipes)
    level = levels.rms(files[recipes.of_clips("source")], start_s, length_s)
    return level < SILENCE_RMS


def _spans(recipes: Recipes) -> tuple[FloatEntries, FloatEntries]:
    """Return start and length of each use's span: seconds, shape (u,)."""
    start, length = recipes.of_clips("start_us"), recipes.of_clips("length_us")
    rest_s = recipes.dictionaries.clip_s - recipes.uses.values["offset_us"] / 1e6
    return start / 1e6, np.where(length == 0, rest_s, length / 1e6)


def check_ratios(recipes: Recipes, silent: BoolEntries) -> None:
    """Refuse a ratio to silence, which is undefined, before the mix is rendered.

    Parameters
    ----------
    recipes : Recipes
    silent : bool array, shape (u,)
        From `silent_uses`.

    Raises
    ------
    AudioError
        If a component of a mix is silent, naming the file and the span.
    """
    mixed = np.repeat(recipes.uses.counts > 1, recipes.uses.counts)
    for at in np.flatnonzero(silent & mixed)[:1].tolist():
        start_s, length_s = (float(values[at]) for values in _spans(recipes))
        d, kind = recipes.dictionaries, recipes.kind[recipes.uses.rows[at]]
        source = d.sources[int(recipes.of_clips("source")[at])]
        raise AudioError(
            f"{source.path}: silent in [{start_s:g}, {start_s + length_s:g}) s, so that a ratio to "
            f"it in a mix ('{d.kinds[int(kind)]}') is undefined; leave that span out"
        )
