"""How loud spans of sound files are, for many spans at once, without decoding again."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from negmine.arrays import BoolEntries, FloatEntries, FloatRows, IntRows
from negmine.audio.read import AudioInfo
from negmine.audio.silence import LEVEL_BLOCK_S, SILENCE_RMS
from negmine.errors import AudioError
from negmine.recipes.columns import offsets
from negmine.recipes.recipe import Recipes
from negmine.recipes.source import Source


class Levels:
    """RMS of spans, from the levels that decoding the files once has left.

    Parameters
    ----------
    infos : iterable of AudioInfo
    """

    def __init__(self, infos: Iterable[AudioInfo]) -> None:
        listed = list(infos)
        self._file = {info.path: number for number, info in enumerate(listed)}
        # one more, of no blocks, is for what is not a file
        self._first = offsets(np.array([*(len(info.power) for info in listed), 0]))
        self._sum = np.cumsum(
            np.concatenate([np.zeros(1), *(info.power for info in listed)], dtype=np.float64)
        )

    def file_of(self, source: Source) -> int:
        """Return the number of a source's file; -1 where it is none of these."""
        return self._file.get(source.path, -1)

    def files_of(self, recipes: Recipes) -> IntRows:
        """Return `file_of` of each of the sources of a table."""
        return np.array([*map(self.file_of, recipes.dictionaries.sources)], dtype=np.int64)

    def rms(self, files: IntRows, start_s: FloatRows, length_s: FloatRows) -> FloatRows:
        """Compute the RMS of one span a file, as `negmine.audio.read.AudioInfo.rms` has it.

        Parameters
        ----------
        files : int64 array, shape (n,)
            What `file_of` gives.
        start_s, length_s : float64 arrays, shape (n,)

        Returns
        -------
        float64 array, shape (n,)
            NaN where the number is -1.
        """
        first, last = start_s / LEVEL_BLOCK_S, (start_s + length_s) / LEVEL_BLOCK_S
        lower, upper = np.ceil(first - 1e-6), np.floor(last + 1e-6)
        numbers = np.where(files < 0, len(self._file), files)
        base = self._first[numbers]
        blocks = self._first[numbers + 1] - base
        thin = np.minimum(upper, blocks) <= np.minimum(lower, blocks)
        lower = np.where(thin, np.floor(first), lower)
        upper = np.where(thin, np.ceil(last), upper)
        low = np.clip(lower, 0, blocks).astype(np.int64)
        high = np.clip(upper, 0, blocks).astype(np.int64)
        count = np.maximum(high - low, 0)
        power = self._sum[base + np.maximum(high, low)] - self._sum[base + low]
        found = np.sqrt(np.maximum(power, 0) / np.maximum(count, 1))
        return np.where(files < 0, np.nan, found)


def silent_uses(recipes: Recipes, levels: Levels, files: IntRows) -> BoolEntries:
    """Return components that are silent: bool, shape (u,).

    Parameters
    ----------
    recipes : Recipes
        With u uses.
    levels : Levels
    files : int array, shape (sources,)
        The number of each source's file (`Levels.file_of`).
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
