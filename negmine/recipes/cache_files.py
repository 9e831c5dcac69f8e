"""The files of a cache of decoded sound, which `negmine.recipes.cache` reads.

::

    pack-NAME.i16     sounds one after the other, int16, little-endian
    pack-NAME.json    of each: its key, place, length, scale, checksum, and whether it is exact

NAME is a hash of the keys. A pack is written whole, its index last: what is there without one is of
a run that was killed. Afterwards only a sound that was damaged is decoded again, into its place.

Version 1 was one pack of whole files, ``samples.i16`` and ``cache.json``, which is still read.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from negmine.arrays import FloatSamples, IntSamples
from negmine.errors import DamageError, PoolError
from negmine.storage.files import open_in_place
from negmine.storage.text_files import read_json

FORMAT, VERSION = "negmine-cache", 2
# Of version 1.
OLD_INDEX, OLD_DATA = "cache.json", "samples.i16"
REMEDY = "run 'negmine cache' again"


@dataclass(frozen=True)
class CacheEntry:
    """A decoded sound: samples [offset, offset + length) of its pack, times ``scale``.

    ``exact``: it is its file's own samples, to the bit, not rounded and not resampled.
    """

    key: str
    offset: int
    length: int
    scale: float
    checksum: str
    exact: bool = False

    def holds(self, samples: IntSamples) -> bool:
        """Return whether samples are as they were decoded: shape (length,)."""
        return hashlib.blake2b(samples.data, digest_size=8).hexdigest() == self.checksum


@dataclass(frozen=True)
class Pack:
    """A file of samples, and its sounds."""

    index: Path
    data: Path
    samples: int
    entries: tuple[CacheEntry, ...]

    @property
    def is_whole(self) -> bool:
        """Whether the file is as long as it was written."""
        return self.data.is_file() and self.data.stat().st_size >= 2 * self.samples

    def lengthen(self) -> None:
        """Make a file that was cut as long as it was: what it lacks then fails its checksum."""
        try:
            with open_in_place(self.data, "ab") as file:
                file.truncate(2 * self.samples)
        except OSError as error:
            raise DamageError(
                f"{self.data}: missing or cut short, and cannot be written ({error.strerror}); "
                f"{REMEDY}"
            ) from error

    def map(self) -> IntSamples:
        """Map the samples into memory."""
        if not self.samples:
            return np.zeros(0, dtype="<i2")
        # as a plain array: slices of a memmap take longer to make
        return np.memmap(self.data, dtype="<i2", mode="r", shape=(self.samples,)).view(np.ndarray)


def sound_key(fingerprint: str, sample_rate: int) -> str:
    """Name a whole file, decoded and resampled as one."""
    return f"sound {fingerprint} {sample_rate}"


def find_indices(folder: Path) -> list[Path]:
    """Find the indices of a folder's packs, in the order of their names."""
    return sorted([*folder.glob("pack-*.json"), *folder.glob(OLD_INDEX)])


def find_earlier(folder: Path) -> list[Path]:
    """Find what earlier versions kept here that is no longer read: clips, unfinished caches."""
    found = [*folder.glob("*.i16"), *folder.glob("recordings-*/"), *folder.glob("journal.jsonl")]
    read = {data_of(index) for index in find_indices(folder)}
    return sorted(path for path in found if path not in read)


def data_of(index: Path) -> Path:
    """Return the samples of an index."""
    return index.parent / OLD_DATA if index.name == OLD_INDEX else index.with_suffix(".i16")


def read_pack(index: Path) -> Pack:
    """Read the index of a pack.

    Raises
    ------
    PoolError
        If it is of another kind or version.
    DamageError
        If it is damaged.
    """
    found = read_json(index, REMEDY)
    if not isinstance(found, dict) or found.get("format") != FORMAT:
        raise PoolError(f"{index}: not written by 'negmine cache'")
    if found.get("version") not in (1, VERSION):
        raise PoolError(f"{index}: version {found.get('version')}, not {VERSION}; make it again")
    try:
        old = found["version"] == 1
        entries = [
            _of_version_1(found, one) if old else CacheEntry(**one) for one in found["sounds"]
        ]
        end = 0
        for entry in sorted(entries, key=lambda entry: entry.offset):
            if entry.offset < end or entry.length < 0 or not 0 < entry.scale < math.inf:
                raise ValueError(entry.key)
            end = entry.offset + entry.length
        if end > int(found["samples"]):
            raise ValueError("samples")
        return Pack(index, data_of(index), int(found["samples"]), tuple(entries))
    except (KeyError, TypeError, ValueError) as error:
        raise DamageError(f"{index}: damaged: {error}; {REMEDY}") from error


def _of_version_1(index: dict[str, Any], sound: dict[str, Any]) -> CacheEntry:
    rest = {name: value for name, value in sound.items() if name != "fingerprint"}
    return CacheEntry(sound_key(sound["fingerprint"], int(index["sample_rate"])), **rest)


class Cache:
    """The packs of a folder as one.

    Threads may share it. Another process that is handed one maps the same files, and so shares
    their pages.

    Parameters
    ----------
    folder : Path
    packs : sequence of Pack, optional
        Those in the folder by default.

    Raises
    ------
    PoolError
        If a pack is damaged or of another version.
    """

    def __init__(self, folder: Path, packs: Sequence[Pack] | None = None) -> None:
        self.folder = folder
        if packs is None:
            packs = [read_pack(index) for index in find_indices(folder)]
        self.packs = tuple(packs)
        self._places = {entry.key: (pack, entry) for pack in self.packs for entry in pack.entries}
        self._maps: dict[Path, IntSamples] = {}

    def __reduce__(self) -> tuple[type[Cache], tuple[Path, tuple[Pack, ...]]]:
        # a pickled map would be a copy of all samples
        return Cache, (self.folder, self.packs)

    def __contains__(self, key: str) -> bool:
        return key in self._places

    def __getitem__(self, key: str) -> CacheEntry:
        return self._places[key][1]

    def __iter__(self) -> Iterator[str]:
        return iter(self._places)

    def pack_of(self, key: str) -> Pack:
        return self._places[key][0]

    def stored(self, key: str) -> IntSamples:
        """Return the samples of an entry as they are kept: shape (length,)."""
        pack, entry = self._places[key]
        if pack.data not in self._maps:
            if not pack.is_whole:  # never zeros in the place of sound
                raise DamageError(f"{pack.data}: missing or cut short; {REMEDY}")
            self._maps[pack.data] = pack.map()
        return self._maps[pack.data][entry.offset : entry.offset + entry.length]

    def holds(self, key: str) -> bool:
        """Return whether an entry's samples are as they were decoded."""
        return self[key].holds(self.stored(key))

    def read(self, key: str, start: int, length: int) -> FloatSamples:
        """Read part of an entry, with zeros on both sides of it: a new array, shape (length,)."""
        found = self.stored(key)
        first, last = max(start, 0), min(start + length, len(found))
        sound: FloatSamples = found[first : max(first, last)] * np.float32(self[key].scale)
        if len(sound) == length:
            return sound
        out = np.zeros(length, dtype=np.float32)
        out[first - start : first - start + len(sound)] = sound
        return out


@dataclass(frozen=True)
class Piece:
    """Samples [first, first + length) of a cache's entry."""

    key: str
    first: int
    length: int


class Clips:
    """Clips by their numbers, each a piece of a cache's entry."""

    def __init__(self, cache: Cache, pieces: Sequence[Piece]) -> None:
        self._cache, self._pieces = cache, pieces

    def __len__(self) -> int:
        return len(self._pieces)

    def read(self, index: int, start: int, length: int) -> FloatSamples:
        """Read part of a clip, with zeros past its end: a new array, shape (length,)."""
        piece = self._pieces[index]
        there = min(length, max(0, piece.length - start))
        sound = self._cache.read(piece.key, piece.first + start, there)
        return sound if there == length else np.pad(sound, (0, length - there))
