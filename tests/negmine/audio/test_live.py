"""Pipes and microphones give what the same sound in a file gives."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import soundfile as sf

from negmine.audio.live import RawSamples, microphone_blocks, piped_blocks
from negmine.audio.read import stream
from negmine.errors import AudioError

RATE = 11025


@pytest.fixture
def file(tmp_path: Path) -> Path:
    rng = np.random.default_rng(0)
    samples = rng.normal(0, 0.1, (3 * RATE + 77, 2))
    samples[RATE : 2 * RATE, 1] = -samples[RATE : 2 * RATE, 0]  # the channels cancel
    sf.write(tmp_path / "a.wav", samples, RATE, subtype="PCM_16")
    return tmp_path / "a.wav"


def through_a_pipe(content: bytes, rate: int, raw: RawSamples | None = None) -> np.ndarray:
    ours, theirs = os.pipe()

    def write() -> None:
        with os.fdopen(theirs, "wb") as pipe:
            for first in range(0, len(content), 5001):
                pipe.write(content[first : first + 5001])

    writer = threading.Thread(target=write)
    writer.start()
    try:
        return np.concatenate(list(piped_blocks(ours, rate, raw)))
    finally:
        os.close(ours)
        writer.join()


def unknown_length(content: bytes) -> bytes:
    """What ffmpeg writes into a pipe: sizes of 0xFFFFFFFF."""
    at = content.index(b"data") + 4
    most = b"\xff" * 4
    return content[:4] + most + content[8:at] + most + content[at + 4 :]


@pytest.mark.parametrize("rate", [RATE, 8000])
@pytest.mark.parametrize("kind", ["wav", "unknown length", "raw"])
def test_a_pipe_gives_what_a_file_gives(file: Path, rate: int, kind: str) -> None:
    content, raw = file.read_bytes(), None
    if kind == "raw":
        raw = RawSamples(RATE, 2)
        content = content[content.index(b"data") + 8 :]
    if kind == "unknown length":
        content = unknown_length(content)
    want = np.concatenate(list(stream(file, rate)))
    got = through_a_pipe(content, rate, raw)
    assert len(got) == len(want)
    np.testing.assert_allclose(got, want, atol=1e-6)


@pytest.mark.parametrize("encoding", ["s24le", "s32le", "f32le"])
def test_raw_samples_of_each_kind(file: Path, encoding: Any) -> None:
    samples, _ = sf.read(file, dtype="float32", always_2d=True)
    whole = (samples * 2.0**31).clip(-(2.0**31), 2.0**31 - 128).astype("<i4")
    content = {
        "s24le": whole.view(np.uint8).reshape(-1, 4)[:, 1:].tobytes(),
        "s32le": whole.tobytes(),
        "f32le": samples.astype("<f4").tobytes(),
    }[encoding]
    want = np.concatenate(list(stream(file, RATE)))
    got = through_a_pipe(content, RATE, RawSamples(RATE, 2, encoding))
    np.testing.assert_allclose(got, want, atol=1e-5)


@pytest.mark.parametrize(
    ("content", "raw", "message"),
    [
        (b"", None, "not a WAV"),
        (b"no sound at all, " * 100, None, "say --rate"),
        (b"", RawSamples(RATE), "no samples came"),
        (np.full(4000, np.nan, "<f4").tobytes(), RawSamples(RATE, 1, "f32le"), "NaN"),
    ],
)
def test_what_is_no_sound_is_one_line(content: bytes, raw: RawSamples | None, message: str) -> None:
    with pytest.raises(AudioError, match=message):
        through_a_pipe(content, RATE, raw)


class _Input:
    """A microphone that gives a file's sound, and then stops."""

    def __init__(self, samples: np.ndarray, blocksize: int, callback: Any) -> None:
        self.samples, self.size, self.callback, self.active = samples, blocksize, callback, True

    def __enter__(self) -> _Input:
        for first in range(0, len(self.samples), self.size):
            block = self.samples[first : first + self.size]
            overflow = SimpleNamespace(input_overflow=first == 10 * self.size)
            self.callback(block, len(block), None, overflow)
        self.active = False
        return self

    def __exit__(self, *_: object) -> None:
        pass


def test_a_microphone_gives_what_a_file_gives_and_says_what_it_lost(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    samples, _ = sf.read(file, dtype="float32", always_2d=True)
    fake = SimpleNamespace(
        PortAudioError=RuntimeError,
        query_devices=lambda device, kind: {"default_samplerate": float(RATE)},
        InputStream=lambda **how: _Input(samples, how["blocksize"], how["callback"]),
    )
    monkeypatch.setitem(sys.modules, "sounddevice", fake)
    said: list[str] = []
    found: list[np.ndarray] = []

    def listen() -> Iterator[np.ndarray]:
        yield from microphone_blocks(RATE, warn=said.append)

    with pytest.raises(AudioError, match="the device stopped"):
        found.extend(listen())
    want = np.concatenate(list(stream(file, RATE)))
    np.testing.assert_allclose(np.concatenate(found), want, atol=1e-6)
    assert len(said) == 1
    assert "sound was lost" in said[0]
