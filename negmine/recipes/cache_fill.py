"""Decoding sound and rendering clips into a cache, as `negmine.recipes.cache` reads it.

What is there already is checked, and kept. One process at a time writes; the bytes are the same
whatever the number of workers, and whether or not a run was killed and begun again.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed, wait
from contextlib import suppress
from dataclasses import asdict, dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from negmine.arrays import FloatSamples
from negmine.audio.fingerprint import file_fingerprint
from negmine.audio.read import is_mono_at, stream
from negmine.audio.windows import to_samples
from negmine.errors import AudioError, DamageError, InputError, OutputError
from negmine.notices import warn
from negmine.progress import Advance, Progress, no_progress
from negmine.recipes.cache_files import (
    FORMAT,
    VERSION,
    Cache,
    CacheEntry,
    data_of,
    find_earlier,
    find_indices,
    read_pack,
    sound_key,
)
from negmine.recipes.source import Source
from negmine.storage.digests import text_fingerprint
from negmine.storage.files import open_in_place, write_json, writing
from negmine.storage.locks import only_here

# The step of 16-bit files, so that theirs come back as they were. A louder sound gets its own.
STEP = 2.0**-15
_LOWEST, _HIGHEST = -32768, 32767

# Samples of a pack, if a single sound is not longer: 1 GiB. A run that is killed loses one pack.
PACK = 1 << 29

# Bytes that a cache may take besides what a run asks for: what was unused for longest goes first.
MOST_BYTES = 100 << 30


@dataclass(frozen=True)
class Item:
    """What a cache is to hold.

    Attributes
    ----------
    key : str
        Says what determines the samples: the same key, the same samples.
    name : str
        For messages.
    room : int
        At least their number.
    blocks : callable
        Yields them: float32 arrays, shape (n,).
    is_own : callable
        Returns whether they are a file's own samples, neither mixed nor resampled.
    """

    key: str
    name: str
    room: int
    blocks: Callable[[], Iterable[FloatSamples]]
    is_own: Callable[[], bool] = lambda: False


@dataclass(frozen=True)
class Filled:
    """A cache that holds what was asked for, and how much of it was made now."""

    cache: Cache
    made: int


def file_item(source: Source, sample_rate: int) -> Item:
    """Describe a whole sound file."""

    def blocks() -> Iterator[FloatSamples]:
        check_file(source)
        yield from stream(source.path, sample_rate)

    return Item(
        sound_key(source.fingerprint, sample_rate),
        str(source.path),
        to_samples(source.duration_s, sample_rate) + 1,
        blocks,
        lambda: is_mono_at(source.path, sample_rate),
    )


def check_file(source: Source) -> None:
    """Raise AudioError if a file is missing, or its bytes are others by now."""
    found = file_fingerprint(source.path)
    if found != source.fingerprint:
        raise AudioError(
            f"{source.path}: the file changed since the pool was built (fingerprint {found[:8]}, "
            f"then {source.fingerprint[:8]}); build the pool again"
        )


def fill(
    folder: Path,
    items: Iterable[Item],
    *,
    bar: tuple[str, str] = ("decoding", "file"),
    workers: int | None = None,
    progress: Progress = no_progress,
) -> Filled:
    """Make what a cache lacks, and check what it holds.

    Parameters
    ----------
    folder : Path
        Made where it is missing.
    items : iterable of Item
        Those of the same key are kept once.
    bar : tuple of str
        What is done, and to what unit, if anything is to be.
    workers : int, optional
        Threads: decoding and resampling release the interpreter lock.
    progress : Progress

    Raises
    ------
    AudioError
        If a file is missing, unreadable, or changed since its fingerprint was taken.
    OutputError
        If the folder cannot be written.
    """
    wanted = {item.key: item for item in items}
    cache, made = open_whole(folder), 0
    with ThreadPoolExecutor(workers) as threads:
        if any(key not in cache for key in wanted) or _damaged(cache, wanted, threads):
            try:
                with only_here(folder, wait=True):
                    made = _make(folder, wanted, threads, lambda n: progress(bar[0], n, bar[1]))
                    cache = open_whole(folder)
                    _remove_unused(cache, wanted)
            except OSError as error:
                raise OutputError(
                    f"{folder}: cannot be written: {error.strerror or error}"
                ) from error
    used = {pack.index: pack for pack in map(cache.pack_of, wanted)}
    for index in used:
        with suppress(OSError):  # not ours to write: then nothing is removed here either
            os.utime(index)
    return Filled(Cache(folder, tuple(used.values())), made)


def open_whole(folder: Path) -> Cache:
    """Open the packs that are whole."""
    packs = []
    for index in find_indices(folder):
        try:
            pack = read_pack(index)
        except InputError as error:
            if isinstance(error, DamageError) or not index.exists():  # another run removed it
                continue
            raise
        if pack.is_whole:
            packs.append(pack)
    return Cache(folder, tuple(packs))


def _damaged(cache: Cache, wanted: Iterable[str], threads: ThreadPoolExecutor) -> list[str]:
    """Return those of some entries whose samples are no longer as they were decoded."""
    keys = [key for key in wanted if key in cache]
    return [
        key for key, holds in zip(keys, threads.map(cache.holds, keys), strict=True) if not holds
    ]


def _make(
    folder: Path,
    wanted: Mapping[str, Item],
    threads: ThreadPoolExecutor,
    begin: Callable[[int], Advance],
) -> int:
    """Make what is missing or damaged, where no other process writes; return how many."""
    _tidy(folder)
    # with what another run has made meanwhile
    cache = open_whole(folder)
    damaged = _damaged(cache, wanted, threads)
    if damaged:
        warn(f"{folder}: {len(damaged)} sounds are damaged; decoded again")
    missing = [item for key, item in wanted.items() if key not in cache]
    on_done = begin(len(missing) + len(damaged))
    for key in damaged:
        decode_again(cache, wanted[key])
        on_done()
    made = len(missing) + len(damaged)
    gone = {cache.pack_of(key) for key in damaged if not cache.holds(key)}
    for pack in gone:  # decoding gives other samples now
        _remove(pack.index, pack.data)
        missing += [wanted[e.key] for e in pack.entries if e.key in wanted]
    while missing:
        count, room = 1, missing[0].room
        while count < len(missing) and room + missing[count].room <= PACK:
            room += missing[count].room
            count += 1
        _write_pack(folder, missing[:count], threads, on_done)
        missing = missing[count:]
    return made


def _tidy(folder: Path) -> None:
    """Remove packs that are damaged, and those of killed runs; name files of earlier versions."""
    for index in find_indices(folder):
        try:
            pack = read_pack(index)
            if not pack.is_whole:
                warn(f"{pack.data}: missing or cut short; its sounds are decoded again")
                _remove(index, pack.data)
        except DamageError as error:
            warn(f"{error}; its sounds are decoded again")
            _remove(index, data_of(index))
    for data in folder.glob("pack-*.i16"):
        if not data.with_suffix(".json").exists():
            _remove(data)
    if earlier := find_earlier(folder):
        warn(
            f"{folder}: clips of an earlier version are not read, but made again; remove "
            f"{earlier[0].name}" + (f" and {len(earlier) - 1} more" if earlier[1:] else "")
        )


def _remove(*paths: Path) -> None:
    # whoever has a file mapped keeps reading it
    for path in paths:
        path.unlink(missing_ok=True)


def _remove_unused(cache: Cache, wanted: Iterable[str]) -> None:
    """Remove packs that are not asked for, the longest unused first, down to `MOST_BYTES`."""
    used = {cache.pack_of(key).index for key in wanted}
    others = sorted(
        (pack for pack in cache.packs if pack.index not in used),
        key=lambda pack: (pack.index.stat().st_mtime, pack.index),
    )
    size, removed = sum(2 * pack.samples for pack in others), 0
    for pack in others:
        if size <= MOST_BYTES:
            break
        _remove(pack.index, pack.data)
        size, removed = size - 2 * pack.samples, removed + 2 * pack.samples
    if removed:
        warn(
            f"{cache.folder}: {removed / 1e9:.1f} GB of sound that was not used for longest were "
            f"removed: a cache keeps {MOST_BYTES / 1e9:.0f} GB besides what a run reads"
        )


def _write_pack(
    folder: Path,
    items: Sequence[Item],
    threads: ThreadPoolExecutor,
    on_done: Advance,
) -> None:
    """Write a pack: its samples, then its index."""
    ends = np.cumsum([0, *(item.room for item in items)], dtype=np.int64).tolist()
    name = "pack-" + text_fingerprint(repr([(item.key, item.room) for item in items]))
    with writing(folder / f"{name}.i16") as data:
        with data.open("r+b") as file:
            file.truncate(2 * ends[-1])
        jobs = [
            threads.submit(_write, data, item, *place)
            for item, place in zip(items, pairwise(ends), strict=True)
        ]
        try:
            for job in as_completed(jobs):
                job.result()
                on_done()
        except BaseException:
            for job in jobs:
                job.cancel()
            wait(jobs)  # those that are at work write to the file
            raise
    sounds = [asdict(job.result()) for job in jobs]
    index = {"format": FORMAT, "version": VERSION, "samples": ends[-1], "sounds": sounds}
    write_json(folder / f"{name}.json", index)


def _write(data: Path, item: Item, first: int, last: int) -> CacheEntry:
    """Decode one sound into its place, block by block; again with a step of its own if too loud."""
    entry, peak = _quantised(data, item, first, last, STEP)
    if entry is None:
        entry, _ = _quantised(data, item, first, last, peak / _HIGHEST)
    if entry is None:
        raise AudioError(f"{item.name}: the file changed while it was read")
    return entry


def _quantised(
    data: Path, item: Item, first: int, last: int, scale: float
) -> tuple[CacheEntry | None, float]:
    """Write the entry, or none where a sample would clip at this scale; return the peak, too."""
    peak, fits, exact, at = 0.0, True, item.is_own(), first
    checksum = hashlib.blake2b(digest_size=8)
    with open_in_place(data, "r+b") as file:
        file.seek(2 * first)
        for block in item.blocks():
            if not len(block):
                continue
            if at + len(block) > last:
                raise AudioError(
                    f"{item.name}: longer than the {last - first} samples that were found before"
                )
            at += len(block)
            peak = max(peak, float(np.abs(block).max()))
            exactly = block.astype(np.float64) / scale
            steps = np.rint(exactly)
            fits = fits and steps.min() >= _LOWEST and steps.max() <= _HIGHEST
            exact = exact and bool((steps == exactly).all())
            if fits:
                content = steps.astype("<i2").tobytes()
                checksum.update(content)
                file.write(content)
    if not fits:
        return None, peak
    return CacheEntry(item.key, first, at - first, scale, checksum.hexdigest(), exact), peak


def decode_again(cache: Cache, item: Item) -> None:
    """Decode a sound of a cache into its place, where its samples are damaged.

    Raises
    ------
    AudioError
        If its file is missing, unreadable, or another by now.
    OutputError
        If the cache cannot be written.
    """
    pack, entry = cache.pack_of(item.key), cache[item.key]
    try:
        with only_here(cache.folder, wait=True):
            if not pack.is_whole:
                pack.lengthen()
            last = entry.offset + entry.length
            _quantised(pack.data, item, entry.offset, last, entry.scale)
    except OSError as error:
        raise OutputError(f"{pack.data}: cannot be written: {error.strerror or error}") from error
