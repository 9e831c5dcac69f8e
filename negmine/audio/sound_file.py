"""Opening a sound file to decode it: what its header promises is held against what it holds."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import soundfile as sf

from negmine.audio.extent import find_extent
from negmine.audio.file_structure import Extent
from negmine.audio.silence import level_block
from negmine.errors import AudioError

# MP3 encoders pad by up to two frames of 1,152 samples, so a header may promise that much more.
_MP3_PADDING = 2 * 1152

# Samples a second in all channels; no recorder comes near. More would not fit into memory.
_FASTEST = 100_000_000

# As many frames and more are libsndfile's way to say that it does not know.
UNKNOWN_FRAMES = 1 << 62


class StreamedFile(sf.SoundFile):  # type: ignore[misc]
    """A sound file that is read on from where it is.

    soundfile seeks to where it has read, which fails at the end of a file of unknown length, and
    the last block is then lost.
    """

    def seekable(self) -> bool:
        return False


def open_pipe(descriptor: int, **raw: Any) -> StreamedFile:
    """Open a pipe to decode: a WAV, or samples that keywords of soundfile describe.

    Raises
    ------
    AudioError
        If it is neither.
    """
    try:
        return StreamedFile(descriptor, closefd=False, **raw)
    except sf.LibsndfileError as error:
        raise AudioError(f"not a WAV: {reason_of(error)}") from error


@contextmanager
def opened(path: Path, *, whole: bool = False) -> Iterator[tuple[sf.SoundFile, Extent | None]]:
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
            file = StreamedFile(path)
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
        why = reason_of(error)
        raise AudioError(f"{path}: not readable as audio, or truncated: {why}") from error
    except OSError as error:
        raise AudioError(f"{path}: cannot be read: {error.strerror}") from error


def reason_of(error: sf.LibsndfileError) -> str:
    """Return what libsndfile says, which may be nothing."""
    return str(error.error_string).strip().rstrip(".") or "the decoder stops in it"


def _why_unreadable(path: Path, error: sf.LibsndfileError, extent: Extent | None) -> str:
    if extent and extent.cut > 1:
        return f"{path}: truncated: {extent.held} bytes of sound of {extent.counted} in its header"
    if extent and extent.counted is None:
        return f"{path}: its header does not count its sound, and no decoder here reads it so; " + (
            extent.remedy
        )
    return f"{path}: not readable as audio, or truncated: {reason_of(error)}"


def _counted_frames(file: sf.SoundFile, extent: Extent | None) -> int | None:
    """Return the number of frames that the header promises; None where it does not know."""
    if file.frames >= UNKNOWN_FRAMES:
        return extent.held if extent and extent.rate else None
    return round(file.frames * extent.cut) if extent and not extent.rate else int(file.frames)


def decoded_blocks(path: Path) -> Iterator[tuple[np.ndarray, int]]:
    """Yield a file's samples, shape (n, channels), in blocks of seconds, and its rate in Hz."""
    frames = 0
    with opened(path, whole=True) as (file, extent):
        rate, promised, container = file.samplerate, _counted_frames(file, extent), file.format
        size = 64 * level_block(rate)
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


def promised_frames(path: Path, file: sf.SoundFile, extent: Extent | None) -> int:
    """Return the frames that the header promises; those that are there, where it does not."""
    counted = _counted_frames(file, extent)
    return sum(len(samples) for samples, _ in decoded_blocks(path)) if counted is None else counted
