"""How loud spans of sound files are, for many spans at once, without decoding again."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from negmine.audio.read import LEVEL_BLOCK_S, AudioInfo
from negmine.audio.silence import SILENCE_RMS
from negmine.errors import AudioError
from negmine.pool.blocks import RecipeBlock
from negmine.pool.ragged import offsets
from negmine.recipes.layer import OPS
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

    def rms(self, files: np.ndarray, start_s: np.ndarray, length_s: np.ndarray) -> np.ndarray:
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


def silent_layers(
    block: RecipeBlock, levels: Levels, files: np.ndarray, clip_s: float
) -> np.ndarray:
    """Return layers that add silence: bool, shape (m,).

    Parameters
    ----------
    block : RecipeBlock
        Of m layers.
    levels : Levels
    files : int array, shape (sources + 1,)
        The number of each source's file (`Levels.file_of`), and at the end -1 for none.
    clip_s : float
    """
    length_s = np.where(np.isnan(block.length_s), clip_s - block.offset_s, block.length_s)
    level = levels.rms(files[block.source], block.start_s, length_s)
    return np.asarray((block.op == OPS["add"]) & (level < SILENCE_RMS))


def mixed_layers(block: RecipeBlock) -> np.ndarray:
    """Return layers of rows of several components: bool, shape (m,)."""
    components = np.add.reduceat(block.op == OPS["add"], block.layer_offsets[:-1], dtype=np.int64)
    return np.asarray(np.repeat(components > 1, block.layer_counts))


def check_ratios(
    block: RecipeBlock, silent: np.ndarray, sources: Sequence[Source], clip_s: float
) -> None:
    """Refuse a ratio to silence, which is undefined, before the mix is rendered.

    Parameters
    ----------
    block : RecipeBlock
    silent : bool array, shape (m,)
        From `silent_layers`.
    sources : sequence of Source
    clip_s : float

    Raises
    ------
    AudioError
        If a component of a mix is silent, naming the file and the span.
    """
    for at in np.flatnonzero(silent & mixed_layers(block))[:1]:
        length_s = clip_s - block.offset_s[at]
        if not np.isnan(block.length_s[at]):
            length_s = block.length_s[at]
        start_s = float(block.start_s[at])
        raise AudioError(
            f"{sources[int(block.source[at])].path}: silent in [{start_s:g}, "
            f"{start_s + length_s:g}) s, so that a ratio to it in a mix ('{block.kind}') is "
            "undefined; leave that span out"
        )
