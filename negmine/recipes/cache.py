"""Sound decoded once, into files that are mapped into memory.

A cache holds whole sound files, which `CachedReader` reads, and clips (`Clips`). Each is found by a
key that says what determines its samples: the fingerprint of a file's bytes, or a recipe's id; the
rate; what is cut. So what is read is what the recipe was made of, though the file itself be moved,
changed or gone since.

Samples are rounded to 16 bits: steps of 2^-15, or of a 32,767th of the peak of sound that is louder
than full scale. A file of another rate is resampled as a whole, not span by span: spans then start
on the cache's own samples, up to half a sample of the file off. A mono file of 16 bits and the
cache's rate comes back to the bit; its entry is marked as exact.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from threading import Lock

from negmine.arrays import FloatSamples
from negmine.audio.fingerprint import file_fingerprint
from negmine.audio.read import stream
from negmine.audio.windows import to_samples
from negmine.errors import DamageError, PoolError
from negmine.notices import warn
from negmine.recipes.cache_files import OLD_INDEX, REMEDY, Cache, find_indices, sound_key
from negmine.recipes.cache_fill import decode_again, file_item
from negmine.recipes.reader import DIRECT
from negmine.recipes.source import Source

# Samples that are handed on at a time.
_BLOCK = 1 << 17


class CachedReader:
    """Reads spans of sound files from a cache: see `negmine.recipes.reader.Reader`.

    Samples are checked against their checksum when a sound is first read. What is damaged, or was
    cut off, is decoded again into its place, and said.
    """

    def __init__(self, folder: Path) -> None:
        if not find_indices(folder):
            raise PoolError(f"{folder}: no finished cache; run 'negmine cache' first")
        self.folder = folder
        self._cache = Cache(folder)
        if (folder / OLD_INDEX).exists():
            _tell_of_version_1(folder.resolve())
        self._sound: set[str] = set()
        self._checking, self._warned = Lock(), False
        self.lacked: set[Path] = set()  # files that `blocks` decoded

    def __reduce__(self) -> tuple[type[CachedReader], tuple[Path]]:
        return CachedReader, (self.folder,)

    @property
    def sample_rates(self) -> list[int]:
        """Of its sound files, in Hz."""
        kinds = (key.split() for key in self._cache)
        return sorted({int(rest[-1]) for kind, *rest in kinds if kind == "sound"})

    def check(self, sources: Iterable[Source], sample_rate: int) -> None:
        """See that all these can be read at a rate.

        Raises
        ------
        PoolError
            If the cache has other rates, or lacks one of them.
        """
        for source in sources:
            if source.is_synthetic or sound_key(source.fingerprint, sample_rate) in self._cache:
                continue
            rates = self.sample_rates
            if rates and sample_rate not in rates:
                raise PoolError(
                    f"{self.folder}: holds sound at {', '.join(map(str, rates))} Hz, not "
                    f"{sample_rate} Hz; make another with 'negmine cache --sample-rate "
                    f"{sample_rate}'"
                )
            raise PoolError(
                f"{self.folder}: lacks '{source.name}', or holds it as it was before a change; "
                f"{REMEDY}"
            )

    def is_exact(self, source: Source, sample_rate: int) -> bool:
        """Return whether what is read of a file is its own samples, to the bit."""
        key = sound_key(source.fingerprint, sample_rate)
        return key in self._cache and self._cache[key].exact and self._is_sound(key)

    def read(
        self, source: Source, start_s: float, duration_s: float, sample_rate: int
    ) -> FloatSamples:
        """See `negmine.recipes.reader.Reader.read`."""
        key = sound_key(source.fingerprint, sample_rate)
        if key not in self._sound:
            self.check([source], sample_rate)
            self._mend(source, key, sample_rate)
        start, length = to_samples(start_s, sample_rate), to_samples(duration_s, sample_rate)
        return self._cache.read(key, start, length)

    def blocks(self, path: Path, sample_rate: int) -> Iterator[FloatSamples]:
        """Yield a whole file in blocks; one that the cache lacks is decoded.

        See `negmine.audio.read.stream`.
        """
        fingerprint = file_fingerprint(path)
        key = sound_key(fingerprint, sample_rate)
        if key not in self._cache:
            self.lacked.add(path)
            yield from stream(path, sample_rate)
            return
        source = Source(path.parent, path.name, fingerprint, 0.0, "")
        self._mend(source, key, sample_rate)
        length = self._cache[key].length
        for start in range(0, length, _BLOCK):
            yield self._cache.read(key, start, min(_BLOCK, length - start))

    def _is_sound(self, key: str) -> bool:
        """Check an entry's samples, if it was not done before."""
        if key in self._sound:
            return True
        if not (self._cache.pack_of(key).is_whole and self._cache.holds(key)):
            self._warn(self._cache.pack_of(key).data)
            return False
        self._sound.add(key)
        return True

    def _mend(self, source: Source, key: str, sample_rate: int) -> None:
        """Decode a sound again, if it is damaged."""
        with self._checking:
            if self._is_sound(key):
                return
            decode_again(self._cache, file_item(source, sample_rate))
            if not self._is_sound(key):
                raise PoolError(
                    f"{self._cache.pack_of(key).data}: the samples of '{source.name}' are damaged, "
                    f"and decoding gives others now; {REMEDY}"
                )

    def _warn(self, data: Path) -> None:
        # once: a cut file may lack thousands of sounds
        if not self._warned:
            self._warned = True
            warn(f"{data}: damaged; sound is decoded again where it fails its checksum")


@cache
def _tell_of_version_1(folder: Path) -> None:
    warn(
        f"{folder / OLD_INDEX}: of an earlier version: it is read, but does not say what of it is "
        "the same to the bit, which training asks for; remove it and run 'negmine cache' again"
    )


class ExactReader:
    """Reads from caches what comes back from them to the bit, and all else from its files.

    So whether there is a cache changes no sample: see `negmine.recipes.reader.Reader`. A cache that
    is damaged is not used, which is said.
    """

    def __init__(self, *folders: Path) -> None:
        self._caches = []
        for folder in dict.fromkeys(folders):
            try:
                if find_indices(folder):
                    self._caches.append(CachedReader(folder))
            except PoolError as error:
                warn(f"reading the sound files: {error}")

    def read(
        self, source: Source, start_s: float, duration_s: float, sample_rate: int
    ) -> FloatSamples:
        """See `negmine.recipes.reader.Reader.read`."""
        reader = self.cache_of(source, sample_rate) or DIRECT
        return reader.read(source, start_s, duration_s, sample_rate)

    def cache_of(self, source: Source, sample_rate: int) -> CachedReader | None:
        """Return the first cache that holds a file to the bit."""
        return next((one for one in self._caches if one.is_exact(source, sample_rate)), None)


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
    if named is None and not find_indices(pool / "cache"):
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
