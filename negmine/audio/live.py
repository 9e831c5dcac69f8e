"""Sound as it comes: from a pipe, as WAV or raw samples, or from a microphone."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import soxr

from negmine.audio.silence import level_block, mix_down
from negmine.audio.sound_file import StreamedFile, open_pipe
from negmine.audio.windows import to_samples
from negmine.errors import AudioError

Encoding = Literal["s16le", "s24le", "s32le", "f32le"]
_SUBTYPES: dict[Encoding, str] = {
    "s16le": "PCM_16",
    "s24le": "PCM_24",
    "s32le": "PCM_32",
    "f32le": "FLOAT",
}

# Blocks of a tenth of a second that wait while a model scores: two minutes of them.
_WAITING = 1200
# Blocks of a pipe that wait: it waits itself for what it writes.
_READ_AHEAD = 10


@dataclass(frozen=True)
class RawSamples:
    """How raw samples are to be read: interleaved, without any header."""

    sample_rate: int
    channels: int = 1
    encoding: Encoding = "s16le"


def piped_blocks(
    descriptor: int, sample_rate: int, raw: RawSamples | None = None, name: str = "-"
) -> Iterator[np.ndarray]:
    """Yield the sound of a pipe as mono at another rate, block by block as it comes.

    Parameters
    ----------
    descriptor : int
        Of the open file.
    raw : RawSamples, optional
        By default a WAV is expected; its header need not know its length.
    name : str
        For messages.

    Yields
    ------
    float32 array, shape (n,)

    Raises
    ------
    AudioError
        If it is neither, is empty, or holds NaN.
    """
    # libsndfile goes on waiting when a signal comes: read there, Ctrl-C would not end a pipe that
    # is silent
    waiting: queue.Queue[Any] = queue.Queue(_READ_AHEAD)
    left = threading.Event()

    def hand_over(item: object) -> None:
        while not left.is_set():
            try:
                return waiting.put(item, timeout=0.2)
            except queue.Full:
                continue

    def fill() -> None:
        try:
            with _opened(descriptor, raw, name) as file:
                hand_over(file.samplerate)
                size = level_block(file.samplerate)
                while not left.is_set():
                    samples = file.read(size, dtype="float32", always_2d=True)
                    if not len(samples):
                        break
                    hand_over(samples)
            hand_over(None)
        except BaseException as error:
            hand_over(error)

    def read() -> Any:
        item = waiting.get()
        if isinstance(item, BaseException):
            raise item
        return item

    threading.Thread(target=fill, daemon=True).start()
    try:
        rate: int = read()
        yield from _as_mono(read, rate, sample_rate, name)
    finally:
        left.set()


def _opened(descriptor: int, raw: RawSamples | None, name: str) -> StreamedFile:
    """Open a pipe, and check that its header counts some sound, or does not know how much."""
    how: dict[str, Any] = {}
    if raw is not None:
        how = {
            "samplerate": raw.sample_rate, "channels": raw.channels, "format": "RAW",
            "endian": "LITTLE", "subtype": _SUBTYPES[raw.encoding],
        }  # fmt: skip
    try:
        file = open_pipe(descriptor, **how)
    except AudioError as error:
        raise AudioError(
            f"{name}: {error}; for raw samples say --rate, or convert: ffmpeg -i IN -f wav -"
        ) from error
    if not file.frames:
        file.close()
        raise AudioError(
            f"{name}: its header counts no sound; let it be written with an unknown length "
            "(ffmpeg -i IN -f wav -), or as raw samples, and say --rate"
        )
    return file


def microphone_blocks(
    sample_rate: int, device: str | None = None, warn: Callable[[str], None] = lambda line: None
) -> Iterator[np.ndarray]:
    """Yield the sound of a microphone as mono at another rate, without end.

    Parameters
    ----------
    device : str, optional
        Name or number of an input of `sounddevice`; by default the system's.
    warn : callable
        Is given a line where sound was lost.

    Raises
    ------
    AudioError
        If there is no such device, or it fails.
    """
    try:
        import sounddevice as sd
    except OSError as error:  # installed, without the library it needs
        raise AudioError(
            f"microphone: {error}; install PortAudio (Debian and Ubuntu: libportaudio2)"
        ) from error
    waiting: queue.Queue[np.ndarray] = queue.Queue(_WAITING)
    lost = 0

    def take(samples: np.ndarray, frames: int, time: Any, status: Any) -> None:
        nonlocal lost
        try:
            waiting.put_nowait(samples.copy())
        except queue.Full:
            lost += frames
        if status.input_overflow:
            lost += 1

    chosen = int(device) if device is not None and device.isdecimal() else device
    try:
        rate = round(sd.query_devices(chosen, "input")["default_samplerate"])
        stream = sd.InputStream(
            samplerate=rate, blocksize=level_block(rate), device=chosen, dtype="float32",
            callback=take,
        )  # fmt: skip
    except (sd.PortAudioError, ValueError) as error:
        raise AudioError(f"microphone: {error}; choose one by --input-device") from error

    def read() -> np.ndarray | None:
        nonlocal lost
        while True:
            try:
                samples = waiting.get(timeout=1.0)
                break
            except queue.Empty:
                if not stream.active:
                    raise AudioError("microphone: the device stopped") from None
        if lost:
            lost = 0
            warn("microphone: sound was lost: this machine scores slower than sound comes")
        return samples

    with stream:
        yield from _as_mono(read, rate, sample_rate, "microphone")


def _as_mono(
    read: Callable[[], np.ndarray | None], rate: int, wanted: int, name: str
) -> Iterator[np.ndarray]:
    """Yield what `negmine.audio.read.stream` would of the same samples."""
    block = level_block(rate)
    resampler = soxr.ResampleStream(rate, wanted, 1, quality="HQ") if rate != wanted else None
    frames = given = 0
    while (samples := read()) is not None:
        if not np.isfinite(samples).all():
            raise AudioError(f"{name}: NaN or infinite samples from {frames / rate:.2f} s")
        mono, _, _ = mix_down(samples, block)
        frames += len(mono)
        if resampler:
            mono = resampler.resample_chunk(mono)
        given += len(mono)
        if len(mono):
            yield mono
    if not frames:
        raise AudioError(f"{name}: no samples came (0.0 s)")
    if resampler:
        rest = resampler.resample_chunk(np.zeros(0, dtype=np.float32), last=True)
        yield rest[: max(0, to_samples(frames / rate, wanted) - given)]
