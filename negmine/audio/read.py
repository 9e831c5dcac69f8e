"""Reading sound files: whole, in spans, or block by block. `negmine.audio.write` writes them."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile as sf
import soxr

from negmine.audio.extent import find_extent
from negmine.audio.file_structure import Extent
from negmine.audio.fingerprint import file_fingerprint
from negmine.audio.silence import SILENCE_RMS, mix_down
from negmine.audio.windows import to_samples
from negmine.errors import AudioError

# Levels are kept for blocks of this length, so that silence can be found without decoding again.
LEVEL_BLOCK_S = 0.1

# MP3 encoders pad by up to two frames of 1,152 samples, so a header may promise that much more.
_MP3_PADDING = 2 * 1152

# Samples a second in all channels; no recorder comes near. More would not fit into memory.
_FASTEST = 100_000_000

# As many frames and more are libsndfile's way to say that it does not know.
_UNKNOWN = 1 << 62


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
        first, last = start_s / LEVEL_BLOCK_S, end_s / LEVEL_BLOCK_S
        inside = slice(max(0, math.ceil(first - 1e-6)), max(0, math.floor(last + 1e-6)))
        blocks = self.power[inside]
        if not len(blocks):
            blocks = self.power[max(0, math.floor(first)) : max(0, math.ceil(last))]
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
    for samples, rate in _blocks(path):
        channels = samples.shape[1]
        _, levels, lost = mix_down(samples, _level_block(rate))
        power.append(levels)
        cancelled += lost
        frames += len(samples)
    levels = np.concatenate(power).astype(np.float32)
    return AudioInfo(path, rate, frames, channels, fingerprint, levels, cancelled)


def _level_block(rate: int) -> int:
    return max(1, to_samples(LEVEL_BLOCK_S, rate))


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
    with _opened(path) as (file, extent):
        rate = int(file.samplerate)
        return _promised_frames(path, file, extent) / rate, rate


def is_mono_at(path: Path, sample_rate: int) -> bool:
    """Return whether a file is mono and of this rate: decoded, it is what it stores."""
    with _opened(path) as (file, _):
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
    for samples, rate in _blocks(path):
        mono, _, _ = mix_down(samples, _level_block(rate))
        frames += len(mono)
        if rate != sample_rate:
            resampler = resampler or soxr.ResampleStream(rate, sample_rate, 1, quality="HQ")
            mono = resampler.resample_chunk(mono)
        given += len(mono)
        yield mono
    if resampler:
        rest = resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        yield rest[: max(0, to_samples(frames / rate, sample_rate) - given)]


def _blocks(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Yield a file's samples, shape (n, channels), in blocks of seconds, and its rate in Hz."""
    frames = 0
    with _opened(path, whole=True) as (file, extent):
        rate, promised, container = file.samplerate, _counted_frames(file, extent), file.format
        size = 64 * _level_block(rate)
        # not file.blocks(): where a read falls short, that repeats what was read before
        while len(samples := file.read(size, dtype="float32", always_2d=True)):
            if not np.isfinite(samples).all():
                bad = frames + int(np.argmax(~np.isfinite(samples).all(axis=1)))
                raise AudioError(f"{path}: NaN or infinite samples from {bad / rate:.2f} s")
            frames += len(samples)
            yield samples, rate
    if frames == 0:
        raise AudioError(f"{path}: the file holds no samples (0.0 s)")
    padding = _MP3_PADDING if container == "MP3" else 0
    if promised is not None and frames < promised - padding:
        found, expected = frames / rate, promised / rate
        raise AudioError(
            f"{path}: truncated: {found:.2f} s decoded of {expected:.2f} s in its header"
        )


class _SoundFile(sf.SoundFile):  # type: ignore[misc]
    """A sound file that is read on from where it is.

    soundfile seeks to where it has read, which fails at the end of a file of unknown length, and
    the last block is then lost.
    """

    def seekable(self) -> bool:
        return False


@contextmanager
def _opened(path: Path, *, whole: bool = False) -> Iterator[tuple[sf.SoundFile, Extent | None]]:
    """Open a file to decode, whose header was found to count all that it holds.

    Parameters
    ----------
    whole : bool
        See `negmine.audio.extent.find_extent`.
    """
    try:
        if path.stat().st_size == 0:
            raise AudioError(f"{path}: the file is empty (0 bytes)")
        extent = find_extent(path, whole=whole)
        try:
            file = _SoundFile(path)
        except sf.LibsndfileError as error:
            raise AudioError(_why_unreadable(path, error, extent)) from error
        with file:
            if file.samplerate * file.channels > _FASTEST:
                raise AudioError(
                    f"{path}: its header counts {file.samplerate} Hz and {file.channels} channels; "
                    "is it damaged?"
                )
            if extent:
                extent.check(path, file.frames, file.samplerate)
            yield file, extent
    except sf.LibsndfileError as error:
        reason = _reason(error)
        raise AudioError(f"{path}: not readable as audio, or truncated: {reason}") from error
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror}") from error


def _reason(error: sf.LibsndfileError) -> str:
    """Return what libsndfile says, which may be nothing."""
    return str(error.error_string).strip().rstrip(".") or "the decoder stops in it"


def _why_unreadable(path: Path, error: sf.LibsndfileError, extent: Extent | None) -> str:
    if extent and extent.cut > 1:
        return f"{path}: truncated: {extent.held} bytes of sound of {extent.counted} in its header"
    if extent and extent.counted is None:
        return f"{path}: its header does not count its sound, and no decoder here reads it so; " + (
            extent.remedy
        )
    return f"{path}: not readable as audio, or truncated: {_reason(error)}"


def _counted_frames(file: sf.SoundFile, extent: Extent | None) -> int | None:
    """Return the number of frames that the header promises; None where it does not know."""
    if file.frames >= _UNKNOWN:
        return extent.held if extent and extent.rate else None
    return round(file.frames * extent.cut) if extent and not extent.rate else int(file.frames)


def _promised_frames(path: Path, file: sf.SoundFile, extent: Extent | None) -> int:
    """Return the frames that the header promises; those that are there, where it does not."""
    counted = _counted_frames(file, extent)
    return sum(len(samples) for samples, _ in _blocks(path)) if counted is None else counted


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
        with _SoundFile(path) as file:
            rate = file.samplerate
            frames = file.frames
            if frames >= _UNKNOWN:
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
        why = _reason(error) if isinstance(error, sf.LibsndfileError) else error.strerror
        raise AudioError(f"{path}: cannot be read in [{start_s:g}, {end_s:g}) s: {why}") from error
    mono = samples.mean(axis=1, dtype=np.float32)
    mono = np.pad(mono, (head, wanted - head - len(mono)))
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, quality="HQ")[margin_out:]
    mono = mono[:length]
    return np.ascontiguousarray(np.pad(mono, (0, length - len(mono))), dtype=np.float32)


def read_all(path: Path, sample_rate: int) -> np.ndarray:
    """Read a whole file as mono at another rate: float32 array, shape (T,)."""
    with _opened(path, whole=True) as (file, extent):
        duration_s = _promised_frames(path, file, extent) / file.samplerate
    return read_span(path, 0.0, duration_s, sample_rate)
