"""Sound decoded once, at one rate, into a file that is mapped into memory.

::

    samples.i16    every sound after the other, int16, little-endian
    cache.json     rate, and of each sound: fingerprint, place, length, scale, checksum
    journal.jsonl  while it is being built: a line for each sound that is done

Sounds are found by the fingerprint of their file's bytes, which recipes carry. So what is read is
what the recipe was made of, though the file itself be moved, changed or gone since.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from threading import Lock
from typing import Any

import numpy as np

from negmine.audio.windows import to_samples
from negmine.errors import DamageError, PoolError
from negmine.notices import warn
from negmine.recipes.cache_files import DATA, INDEX, Entry, read_index
from negmine.recipes.source import Source
from negmine.storage.files import open_in_place


class CachedReader:
    """Reads spans of sounds from a cache: see `negmine.recipes.reader.Reader`.

    Samples are checked against their checksum when a sound is first read. What is damaged, or was
    cut off, is decoded again into its place, and said.

    Against reading the file itself, samples are rounded to 16 bits, and a file of another rate was
    resampled as a whole, not span by span: spans then start on the cache's own samples, up to half
    a sample of the file off. A mono file of 16 bits and the cache's rate comes back to the bit.

    Threads may share a reader. Another process that is handed one maps the same file, and so shares
    its pages.
    """

    def __init__(self, folder: Path) -> None:
        index = read_index(folder)
        self.folder = folder
        self._entries = _entries(folder, index)
        self.sample_rate = int(index["sample_rate"])
        self._sound: set[str] = set()
        self._checking, self._warned = Lock(), False
        data, size = folder / DATA, 2 * int(index["samples"])
        if not data.is_file() or data.stat().st_size < size:
            _lengthen(data, size)
            self._warn()
        # as a plain array: slices of a memmap take longer to make
        self._samples = np.memmap(data, dtype="<i2", mode="r").view(np.ndarray)

    def __reduce__(self) -> tuple[type[CachedReader], tuple[Path]]:
        # a pickled map would be a copy of all samples
        return CachedReader, (self.folder,)

    def __len__(self) -> int:
        return len(self._entries)

    def check(self, sources: Iterable[Source], sample_rate: int) -> None:
        """See that all these can be read at a rate.

        Raises
        ------
        PoolError
            If the cache has another rate, or lacks one of them.
        """
        if sample_rate != self.sample_rate:
            raise PoolError(
                f"{self.folder}: holds sound at {self.sample_rate} Hz, not {sample_rate} Hz; "
                f"make another with 'negmine cache --sample-rate {sample_rate}'"
            )
        for source in sources:
            if not source.is_synthetic and source.fingerprint not in self._entries:
                raise PoolError(
                    f"{self.folder}: lacks '{source.name}', or holds it as it was before a change; "
                    "run 'negmine cache' again"
                )

    def read(
        self, source: Source, start_s: float, duration_s: float, sample_rate: int
    ) -> np.ndarray:
        """See `negmine.recipes.reader.Reader.read`."""
        entry = self._entries.get(source.fingerprint)
        if entry is None or sample_rate != self.sample_rate:
            self.check([source], sample_rate)
            raise AssertionError("checked")
        if source.fingerprint not in self._sound:
            self._check_sound(source, entry)
        length, start = to_samples(duration_s, sample_rate), to_samples(start_s, sample_rate)
        first, last = max(start, 0), min(start + length, entry.length)
        span = self._samples[entry.offset + first : entry.offset + max(first, last)]
        sound = span * np.float32(entry.scale)
        if len(sound) == length:
            return sound
        out = np.zeros(length, dtype=np.float32)
        out[first - start : first - start + len(sound)] = sound
        return out

    def _check_sound(self, source: Source, entry: Entry) -> None:
        with self._checking:
            if source.fingerprint in self._sound:
                return
            data = self.folder / DATA
            if not self._holds(entry):
                from negmine.recipes.cache_build import decode_again

                self._warn()
                decode_again(data, source, entry, self.sample_rate)
                if not self._holds(entry):
                    raise PoolError(
                        f"{data}: the samples of '{source.name}' are damaged, and decoding gives "
                        "others now; run 'negmine cache' again"
                    )
            self._sound.add(source.fingerprint)

    def _warn(self) -> None:
        # once: a cut file may lack thousands of sounds
        if not self._warned:
            self._warned = True
            warn(
                f"{self.folder / DATA}: damaged; sound is decoded again where it fails its checksum"
            )

    def _holds(self, entry: Entry) -> bool:
        return entry.holds(self._samples[entry.offset : entry.offset + entry.length])


def _entries(folder: Path, index: dict[str, Any]) -> dict[str, Entry]:
    """Read the sounds of an index, each in its own place.

    An index of an earlier version has no seal: what it says is looked at.
    """
    try:
        entries = [Entry(**one) for one in index["sounds"]]
        end = 0
        for entry in sorted(entries, key=lambda entry: entry.offset):
            if entry.offset < end or entry.length < 0 or not 0 < entry.scale < math.inf:
                raise ValueError(entry.fingerprint)
            end = entry.offset + entry.length
        if end > int(index["samples"]) or int(index["sample_rate"]) < 1:
            raise ValueError("sample_rate, samples")
    except (KeyError, TypeError, ValueError) as error:
        where = folder / INDEX
        raise DamageError(f"{where}: damaged: {error}; run 'negmine cache' again") from error
    return {entry.fingerprint: entry for entry in entries}


def _lengthen(data: Path, size: int) -> None:
    """Make a file of samples that was cut as long as it was: what it lacks fails its checksum."""
    try:
        with open_in_place(data, "ab") as file:
            file.truncate(size)
    except OSError as error:
        raise DamageError(
            f"{data}: missing or cut short, and cannot be written ({error.strerror}); run 'negmine "
            "cache' again"
        ) from error


def find_cache(
    pool: Path, sources: Iterable[Source], sample_rate: int, named: Path | None
) -> tuple[CachedReader | None, str]:
    """Find the cache to read a pool's sound from.

    The one that was named, which must fit; else the one in the pool's folder, if it does. A damaged
    one is not used.

    Returns
    -------
    reader : CachedReader or None
        None: read the files.
    why : str
        What keeps the cache from being used; empty where nothing does.

    Raises
    ------
    PoolError
        If the one that was named does not fit.
    """
    if named is None and not (pool / "cache" / INDEX).exists():
        return None, ""
    try:
        reader = CachedReader(named or pool / "cache")
        reader.check(sources, sample_rate)
    except PoolError as error:
        # what is damaged can be read from the files; one that does not fit was named by mistake
        if named is not None and not isinstance(error, DamageError):
            raise
        return None, str(error)
    return reader, ""
