"""Decoding sound into a cache, as `negmine.recipes.cache` reads it.

Places follow from the lengths alone: the bytes are the same whatever the number of workers, and
sounds that are added to a pool come after those already there.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from negmine.audio.fingerprint import file_fingerprint
from negmine.audio.read import promised_s, stream
from negmine.audio.windows import to_samples
from negmine.errors import AudioError, DamageError, OutputError
from negmine.notices import warn
from negmine.recipes.cache_files import DATA, FORMAT, INDEX, JOURNAL, VERSION, Entry, read_index
from negmine.recipes.source import Source
from negmine.storage.digests import digest
from negmine.storage.files import open_in_place, write_json, writing

# The step of 16-bit files, so that theirs come back as they were. A louder sound gets its own.
STEP = 2.0**-15
_LOWEST, _HIGHEST = -32768, 32767


@dataclass(frozen=True)
class Sound:
    """A file to be decoded.

    Attributes
    ----------
    path : Path
    fingerprint : str
    duration_s : float
        At least its length.
    """

    path: Path
    fingerprint: str
    duration_s: float


@dataclass(frozen=True)
class CacheReport:
    """A built cache: how many sounds it holds, how many were decoded now, and its samples."""

    sounds: int
    decoded: int
    samples: int
    sample_rate: int

    @property
    def hours(self) -> float:
        return self.samples / self.sample_rate / 3600


def sounds_of_pool(sources: Iterable[Source]) -> list[Sound]:
    """List the sound files of a pool's sources; generated sound needs no decoding."""
    return [Sound(s.path, s.fingerprint, s.duration_s) for s in sources if not s.is_synthetic]


def sounds_of_folder(paths: Sequence[Path]) -> list[Sound]:
    """List sound files by name: hash them in threads, read their lengths from their headers.

    Raises
    ------
    AudioError
        If one is unreadable.
    """
    with ThreadPoolExecutor() as threads:
        prints = list(threads.map(file_fingerprint, paths))
        lengths = list(threads.map(promised_s, paths))
    return [Sound(*one) for one in zip(paths, prints, lengths, strict=True)]


def build_cache(
    folder: Path,
    sounds: Sequence[Sound],
    sample_rate: int,
    *,
    workers: int = 2,
    progress: Callable[[int], Callable[[], object]] = lambda total: lambda: None,
) -> CacheReport:
    """Decode what is not in the cache yet, and check what is.

    A run that was stopped goes on: only files that were being decoded are decoded again. Sounds
    whose samples no longer have their checksum are made again.

    Parameters
    ----------
    folder : Path
    sounds : sequence of Sound
        Files of the same bytes are kept once.
    sample_rate : int
        Hz.
    workers : int
        Threads: decoding and resampling release the interpreter lock.
    progress : callable
        Given the number of files to decode, returns what to call after each.

    Raises
    ------
    AudioError
        If a file is missing, unreadable, or changed since its fingerprint was taken.
    OutputError
        If the folder cannot be written.
    """
    unique = list({sound.fingerprint: sound for sound in sounds}.values())
    room = [to_samples(sound.duration_s, sample_rate) + 1 for sound in unique]
    offsets = [0, *np.cumsum(room, dtype=np.int64).tolist()]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        standing = _standing(folder, sample_rate)
        places = {sound.fingerprint: at for sound, at in zip(unique, offsets, strict=False)}
        if any(places.get(name) != entry.offset for name, entry in standing.items()):
            # other sounds, or others first. Whoever has the old file mapped keeps reading that.
            for name in (INDEX, JOURNAL, DATA):
                (folder / name).unlink(missing_ok=True)
            standing = {}
        data = folder / DATA
        with open_in_place(data, "ab") as file:
            file.truncate(2 * offsets[-1])
        with ThreadPoolExecutor(workers) as threads:
            checked = list(threads.map(lambda entry: _holds(data, entry), standing.values()))
            list(threads.map(_check_source, unique))
        done = {
            entry.fingerprint: entry
            for entry, holds in zip(standing.values(), checked, strict=True)
            if holds
        }
        if not all(checked):
            warn(f"{data}: {checked.count(False)} sounds are damaged; decoded again")
        missing = [i for i, sound in enumerate(unique) if sound.fingerprint not in done]
        decoded = len(missing)
        if missing:
            _decode(folder, unique, offsets, missing, done, sample_rate, workers, progress)
        entries = [done[sound.fingerprint] for sound in unique]
        write_json(
            folder / INDEX,
            {
                "format": FORMAT,
                "version": VERSION,
                "sample_rate": sample_rate,
                "samples": offsets[-1],
                "sounds": [asdict(entry) for entry in entries],
            },
        )
        (folder / JOURNAL).unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written: {error.strerror or error}") from error
    return CacheReport(len(unique), decoded, sum(e.length for e in entries), sample_rate)


def _decode(
    folder: Path,
    sounds: Sequence[Sound],
    offsets: Sequence[int],
    missing: Sequence[int],
    done: dict[str, Entry],
    sample_rate: int,
    workers: int,
    progress: Callable[[int], Callable[[], object]],
) -> None:
    """Decode some sounds into their places, noting each in the journal as it is done."""
    on_done = progress(len(missing))

    def line(entry: Entry) -> str:
        text = json.dumps({"sample_rate": sample_rate, **asdict(entry)})
        return f"{digest(text.encode())} {text}\n"

    # without the half line that a kill may have left
    with writing(folder / JOURNAL) as temporary:
        temporary.write_text("".join(map(line, done.values())), encoding="utf-8")
    with (
        open_in_place(folder / JOURNAL, "ab") as journal,
        ThreadPoolExecutor(workers) as threads,
    ):
        jobs = [
            threads.submit(
                _write, folder / DATA, sounds[i], offsets[i], offsets[i + 1], sample_rate
            )
            for i in missing
        ]
        try:
            for job in as_completed(jobs):
                entry = job.result()
                journal.write(line(entry).encode())
                journal.flush()
                done[entry.fingerprint] = entry
                on_done()
        except BaseException:
            threads.shutdown(wait=False, cancel_futures=True)
            raise


def _write(data: Path, sound: Sound, first: int, last: int, sample_rate: int) -> Entry:
    """Decode one sound into its place, block by block; again with a step of its own if too loud."""
    entry, peak = _quantised(data, sound, first, last, sample_rate, STEP)
    if entry is None:
        entry, _ = _quantised(data, sound, first, last, sample_rate, peak / _HIGHEST)
    if entry is None:
        raise AudioError(f"{sound.path}: the file changed while it was read")
    return entry


def _quantised(
    data: Path, sound: Sound, first: int, last: int, sample_rate: int, scale: float
) -> tuple[Entry | None, float]:
    """Write the entry, or none where a sample would clip at this scale; return the peak, too."""
    peak, fits, at = 0.0, True, first
    checksum = hashlib.blake2b(digest_size=8)
    with open_in_place(data, "r+b") as file:
        file.seek(2 * first)
        for block in stream(sound.path, sample_rate):
            if not len(block):
                continue
            if at + len(block) > last:
                raise AudioError(
                    f"{sound.path}: longer than the {sound.duration_s:.2f} s that were found before"
                )
            at += len(block)
            peak = max(peak, float(np.abs(block).max()))
            steps = np.rint(block.astype(np.float64) / scale)
            fits = fits and steps.min() >= _LOWEST and steps.max() <= _HIGHEST
            if fits:
                content = steps.astype("<i2").tobytes()
                checksum.update(content)
                file.write(content)
        file.write(bytes(2 * (last - at)))
    if not fits:
        return None, peak
    return Entry(sound.fingerprint, first, at - first, scale, checksum.hexdigest()), peak


def _check_source(sound: Sound) -> None:
    found = file_fingerprint(sound.path)
    if found != sound.fingerprint:
        raise AudioError(
            f"{sound.path}: the file changed since the pool was built (fingerprint {found[:8]}, "
            f"then {sound.fingerprint[:8]}); build the pool again"
        )


def _holds(data: Path, entry: Entry) -> bool:
    """Return whether the data hold what was written there."""
    samples = np.memmap(data, dtype="<i2", mode="r")[entry.offset : entry.offset + entry.length]
    return entry.holds(samples)


def decode_again(data: Path, source: Source, entry: Entry, sample_rate: int) -> None:
    """Decode a sound of a cache into its place, where its samples are damaged.

    Raises
    ------
    AudioError
        If its file is missing, unreadable, or another by now.
    OutputError
        If the cache cannot be written.
    """
    sound = Sound(source.path, source.fingerprint, source.duration_s)
    _check_source(sound)
    last = entry.offset + entry.length
    try:
        _quantised(data, sound, entry.offset, last, sample_rate, entry.scale)
    except OSError as error:
        raise OutputError(f"{data}: cannot be written: {error.strerror or error}") from error


def _standing(folder: Path, sample_rate: int) -> dict[str, Entry]:
    """Read what an earlier run has decoded at this rate, finished or not."""
    found: list[dict[str, Any]] = []
    if (folder / INDEX).exists():
        try:
            index = read_index(folder)
            found = [{"sample_rate": index["sample_rate"], **one} for one in index["sounds"]]
        except DamageError as error:
            warn(f"{error}; all sound is decoded again")
    if (folder / JOURNAL).exists():
        lines = (folder / JOURNAL).read_bytes().split(b"\n")
        for number, line in enumerate(lines, start=1):
            value, _, text = line.partition(b" ")
            if value == digest(text).encode():
                found.append(json.loads(text))
            elif number < len(lines):  # the last was being written when the run was killed
                warn(f"{folder / JOURNAL}: line {number} is damaged; its sound is decoded again")
    entries = {}
    for one in found:
        # another rate: a place that none can have, so that all is made again
        rate = one.pop("sample_rate")
        entry = Entry(**one)
        if rate != sample_rate:
            entry = Entry(entry.fingerprint, -1, 0, 1.0, "")
        entries[entry.fingerprint] = entry
    return entries
