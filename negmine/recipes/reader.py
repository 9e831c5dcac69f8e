"""Where rendering reads sound from."""

from __future__ import annotations

from typing import Protocol

from negmine.arrays import FloatSamples
from negmine.audio.fingerprint import VerifiedFiles
from negmine.audio.read import read_span
from negmine.recipes.source import Source


class Reader(Protocol):
    """Reads spans of sources."""

    def read(
        self, source: Source, start_s: float, duration_s: float, sample_rate: int
    ) -> FloatSamples:
        """Read one span as mono: float32 array, shape (to_samples(duration_s, sample_rate),).

        A new array, which rendering changes. Zeros are where the span reaches beyond the file.

        Raises
        ------
        AudioError
            If the source is missing, unreadable, or was changed since the recipe was made.
        """
        ...


class DirectReader:
    """Reads sound files, checking the bytes of each on its first use in a process."""

    def __init__(self) -> None:
        self._verified = VerifiedFiles()

    def read(
        self, source: Source, start_s: float, duration_s: float, sample_rate: int
    ) -> FloatSamples:
        """See `Reader.read`."""
        self._verified.check(source.path, source.fingerprint)
        return read_span(source.path, start_s, duration_s, sample_rate)


# Shared, so that a file is checked once in a process.
DIRECT = DirectReader()
