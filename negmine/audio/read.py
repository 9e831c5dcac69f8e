"""Reading sound files: whole, in spans, or block by block. `negmine.audio.write` writes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from negmine.audio.fingerprint import file_fingerprint
from negmine.audio.levels import span_blocks
from negmine.audio.silence import LEVEL_BLOCK_S, SILENCE_RMS, level_block, mix_down
from negmine.audio.sound_file import (
    UNKNOWN_FRAMES,
    StreamedFile,
    decoded_blocks,
    opened,
    promised_frames,
    reason_of,
)
from negmine.audio.windows import to_samples
from negmine.errors import AudioError


@dataclass(frozen=True)
class AudioInfo:
    """What one full decode of a file found.

    Attributes
    ----------
    sample_rate : int
        Hz, as stored.
    fingerprint : str
        BLAKE2b of the file's bytes, 16 bytes in hexadecimal.
    power : float32 array, shape (ceil(duration / LEVEL_BLOCK_S),)
        Mean square of each block of the channels' mean about its own mean: an offset is no sound.
    cancelled : int
        Blocks in which the channels cancel: one is the other inverted.
    """

    path: Path
    sample_rate: int
    frames: int
    channels: int
    fingerprint: str
    power: np.ndarray
    cancelled: int = 0

    @property
    def duration_s(self) -> float:
        return self.frames / self.sample_rate

    def rms(self, start_s: float, end_s: float) -> float:
        """Compute the RMS of the blocks inside a span, or of those it touches if none is inside."""
        low, high = span_blocks(start_s, end_s, len(self.power))
        blocks = self.power[low:high]
        return float(np.sqrt(blocks.mean())) if len(blocks) else 0.0

    def silent(self, start_s: float, end_s: float) -> bool:
        """Return whether a span holds no sound: see `negmine.audio.silence`."""
        return self.rms(start_s, end_s) < SILENCE_RMS

    @property
    def silent_throughout(self) -> bool:
        return self.silent(0.0, self.duration_s)

    @property
    def cancelled_s(self) -> float:
        """Seconds in which the channels cancel."""
        return min(self.cancelled * LEVEL_BLOCK_S, self.duration_s)


def probe(path: Path) -> AudioInfo:
    """Decode a whole file once, in blocks, and check that it is sound.

    Raises
    ------
    AudioError
        If the file is missing, not audio, empty, truncated, or holds NaN or infinite samples.
    """
    fingerprint = file_fingerprint(path)
    power, cancelled, frames, rate, channels = [], 0, 0, 1, 1
    for samples, rate in decoded_blocks(path):
        channels = samples.shape[1]
        _, levels, lost = mix_down(samples, level_block(rate))
        power.append(levels)
        cancelled += lost
        frames += len(samples)
    levels = np.concatenate(power).astype(np.float32)
    return AudioInfo(path, rate, frames, channels, fingerprint, levels, cancelled)


def promised_s(path: Path) -> float:
    """Return the length that a file's header promises, in seconds: see `promised`."""
    return promised(path)[0]


def promised(path: Path) -> tuple[float, int]:
    """Return the length, in seconds, and the rate, in Hz, that a file's header promises.

    A file whose header does not know is decoded, where its structure does not tell either.

    Raises
    ------
    AudioError
        If the file is missing or not audio, or holds more than its header counts.
    """
    with opened(path) as (file, extent):
        rate = int(file.samplerate)
        return promised_frames(path, file, extent) / rate, rate


def is_mono_at(path: Path, sample_rate: int) -> bool:
    """Return whether a file is mono and of this rate: decoded, it is what it stores."""
    with opened(path) as (file, _):
        return bool(file.channels == 1 and file.samplerate == sample_rate)


def stream(path: Path, sample_rate: int) -> Iterator[np.ndarray]:
    """Yield a whole file as mono at another rate, in blocks, decoded and checked on the way.

    However long the file, memory holds one block.

    Yields
    ------
    float32 array, shape (n,)
        The mean of the channels, zeros where they cancel; some seconds of it, perhaps none.

    Raises
    ------
    AudioError
        As `probe` does, where the fault is met: what was given before it then counts for nothing.
    """
    resampler: soxr.ResampleStream | None = None
    frames = given = 0
    for samples, rate in decoded_blocks(path):
        mono, _, _ = mix_down(samples, level_block(rate))
        frames += len(mono)
        if rate != sample_rate:
            resampler = resampler or soxr.ResampleStream(rate, sample_rate, 1, quality="HQ")
            mono = resampler.resample_chunk(mono)
        given += len(mono)
        yield mono
    if resampler:
        rest = resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        yield rest[: max(0, to_samples(frames / rate, sample_rate) - given)]


def probe_all(
    paths: Iterable[Path],
    *,
    skip_bad: bool = False,
    on_done: Callable[[], object] = lambda: None,
) -> tuple[dict[Path, AudioInfo], list[str]]:
    """Probe many files in threads (decoding releases the interpreter lock).

    Parameters
    ----------
    skip_bad : bool
        Report unreadable files instead of failing on the first of them.
    on_done : callable
        Called once a file, for a progress bar.

    Returns
    -------
    infos : dict of Path to AudioInfo, in the order of ``paths``
    skipped : list of str
        One line for each unreadable file.

    Raises
    ------
    AudioError
        If a file is unreadable and ``skip_bad`` is off, or if all are.
    """
    listed = list(paths)
    infos: dict[Path, AudioInfo] = {}
    bad: list[str] = []

    def attempt(path: Path) -> AudioInfo | AudioError:
        try:
            return probe(path)
        except AudioError as error:
            return error

    with ThreadPoolExecutor() as threads:
        for path, result in zip(listed, threads.map(attempt, listed), strict=True):
            on_done()
            if isinstance(result, AudioInfo):
                infos[path] = result
            else:
                bad.append(str(result))
    if bad and not infos:
        raise AudioError(f"none of {len(bad)} files is readable; the first: {bad[0]}")
    if bad and not skip_bad:
        more = f" ({len(bad) - 1} more like it)" if len(bad) > 1 else ""
        raise AudioError(f"{bad[0]}{more}; repair or remove it, or pass --skip-bad")
    return infos, bad


def read_span(path: Path, start_s: float, duration_s: float, sample_rate: int) -> np.ndarray:
    """Read one span of a file as mono at another rate.

    The span is read with a margin on both sides, so that the resampler's edges fall outside it, and
    padded with zeros where it reaches beyond the file.

    Returns
    -------
    float32 array, shape (to_samples(duration_s, sample_rate),)
        The mean of the channels.

    Raises
    ------
    AudioError
        If the file cannot be read there.
    """
    length = to_samples(duration_s, sample_rate)
    try:
        with StreamedFile(path) as file:
            rate = file.samplerate
            frames = file.frames
            if frames >= UNKNOWN_FRAMES:
                frames = to_samples(promised_s(path), rate)
            # the margin is a whole number of samples at both rates
            unit = math.gcd(rate, sample_rate)
            blocks = math.ceil(0.02 * unit) if rate != sample_rate else 0
            margin_in, margin_out = blocks * rate // unit, blocks * sample_rate // unit
            wanted = to_samples(duration_s, rate) + 2 * margin_in
            start = to_samples(start_s, rate) - margin_in
            head, first = min(max(0, -start), wanted), min(max(start, 0), frames)
            if first == frames:  # a seek to the end fails in some files
                samples = np.zeros((0, file.channels), dtype=np.float32)
            else:
                file.seek(first)
                samples = file.read(wanted - head, dtype="float32", always_2d=True)
    except (sf.LibsndfileError, OSError) as error:
        end_s = start_s + duration_s
        why = reason_of(error) if isinstance(error, sf.LibsndfileError) else error.strerror
        raise AudioError(f"{path}: cannot be read in [{start_s:g}, {end_s:g}) s: {why}") from error
    mono = samples.mean(axis=1, dtype=np.float32)
    mono = np.pad(mono, (head, wanted - head - len(mono)))
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, quality="HQ")[margin_out:]
    mono = mono[:length]
    return np.ascontiguousarray(np.pad(mono, (0, length - len(mono))), dtype=np.float32)


def read_all(path: Path, sample_rate: int) -> np.ndarray:
    """Read a whole file as mono at another rate: float32 array, shape (T,)."""
    with opened(path, whole=True) as (file, extent):
        duration_s = promised_frames(path, file, extent) / file.samplerate
    return read_span(path, 0.0, duration_s, sample_rate)
