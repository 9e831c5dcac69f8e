"""How loud spans of sound files are, for many spans at once, without decoding again."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from negmine.audio import LEVEL_BLOCK_S, AudioInfo
from negmine.blocks import offsets
from negmine.recipe import Source


class Levels:
    """RMS of spans, from the levels that decoding the files once has left.

    Parameters
    ----------
    infos : iterable of AudioInfo
    """

    def __init__(self, infos: Iterable[AudioInfo]) -> None:
        listed = list(infos)
        self._file = {info.path: number for number, info in enumerate(listed)}
        # one more, of no blocks, stands for what is no file
        self._first = offsets(np.array([*(len(info.power) for info in listed), 0]))
        self._sum = np.cumsum(
            np.concatenate([np.zeros(1), *(info.power for info in listed)], dtype=np.float64)
        )

    def file_of(self, source: Source) -> int:
        """The number of a source's file; -1 where it is none of these."""
        return self._file.get(source.path, -1)

    def rms(self, files: np.ndarray, start_s: np.ndarray, length_s: np.ndarray) -> np.ndarray:
        """RMS of one span a file, as `negmine.audio.AudioInfo.rms` has it.

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
