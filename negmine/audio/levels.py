"""How loud spans of sound files are, for one span or for many at once, without decoding again."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from negmine.arrays import FloatRows, IntRows
from negmine.audio.silence import LEVEL_BLOCK_S


class FileLevels(Protocol):
    """A file whose levels are known: see `negmine.audio.read.AudioInfo`."""

    @property
    def path(self) -> Path: ...
    @property
    def power(self) -> np.ndarray: ...


def span_blocks(start_s: Any, end_s: Any, blocks: Any) -> tuple[Any, Any]:
    """Return the first of the blocks inside a span and the one after the last.

    Those that it touches, if none is inside. Of one span of a file of so many blocks, or of arrays
    of them.
    """
    first, last = start_s / LEVEL_BLOCK_S, end_s / LEVEL_BLOCK_S
    lower, upper = np.ceil(first - 1e-6), np.floor(last + 1e-6)
    thin = np.minimum(upper, blocks) <= np.maximum(lower, 0)
    low = np.clip(np.where(thin, np.floor(first), lower), 0, blocks).astype(np.int64)
    high = np.clip(np.where(thin, np.ceil(last), upper), 0, blocks).astype(np.int64)
    return low, np.maximum(low, high)


class Levels:
    """RMS of spans of files.

    Parameters
    ----------
    files : iterable of FileLevels
    """

    def __init__(self, files: Iterable[FileLevels]) -> None:
        listed = list(files)
        self._file = {one.path: number for number, one in enumerate(listed)}
        # one more, of no blocks, is for what is not a file
        self._first = np.cumsum([0, *(len(one.power) for one in listed), 0])
        self._sum = np.cumsum(
            np.concatenate([np.zeros(1), *(one.power for one in listed)], dtype=np.float64)
        )

    def file_of(self, path: Path) -> int:
        """Return the number of a file; -1 where it is none of these."""
        return self._file.get(path, -1)

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
        numbers = np.where(files < 0, len(self._file), files)
        base = self._first[numbers]
        blocks = self._first[numbers + 1] - base
        low, high = span_blocks(start_s, start_s + length_s, blocks)
        power = self._sum[base + high] - self._sum[base + low]
        found = np.sqrt(np.maximum(power, 0) / np.maximum(high - low, 1))
        return np.where(files < 0, np.nan, found)
