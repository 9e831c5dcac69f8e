"""What files hold against what their headers count: no part is taken for the whole."""

from __future__ import annotations

import struct
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from negmine.audio.read import probe, promised_s, read_all, read_span, stream
from negmine.errors import AudioError
from negmine.recipes.cache_items import sounds_of_folder

RATE = 8000
SECONDS = 6


def samples(seconds: float = SECONDS, seed: int = 5) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.normal(0, 0.1, round(seconds * RATE)).clip(-0.9, 0.9).astype(np.float32)


def written(path: Path, form: str, subtype: str | None = None) -> Path:
    sf.write(path, samples(), RATE, format=form, subtype=subtype)
    return path


def patched(path: Path, after: bytes, skip: int, form: str, value: int) -> Path:
    """The file with one number of its header changed, some bytes after a name."""
    content = bytearray(path.read_bytes())
    struct.pack_into(form, content, content.index(after) + len(after) + skip, value)
    path.write_bytes(content)
    return path


def flac_of(path: Path, total: int) -> Path:
    written(path, "FLAC")
    content = bytearray(path.read_bytes())
    content[21] = content[21] & 0xF0 | total >> 32
    content[22:26] = struct.pack(">I", total & 0xFFFFFFFF)
    path.write_bytes(content)
    return path


def xing_of(path: Path, share: float) -> Path:
    written(path, "MP3")
    content = path.read_bytes()
    name = b"Xing" if b"Xing" in content else b"Info"
    (frames,) = struct.unpack_from(">I", content, content.index(name) + 8)
    return patched(path, name, 4, ">I", int(frames * share))


def twice(path: Path, form: str, subtype: str | None = None) -> Path:
    path.write_bytes(2 * written(path, form, subtype).read_bytes())
    return path


PART, WHOLE = 2 * RATE, 2 * SECONDS * RATE  # bytes of 16 bits

TOO_LITTLE: dict[str, Callable[[Path], Path]] = {
    "a.wav": lambda p: patched(written(p, "WAV"), b"data", 0, "<I", PART),
    "never-written.wav": lambda p: patched(written(p, "WAV"), b"data", 0, "<I", 0),
    "a.rf64": lambda p: patched(written(p, "RF64"), b"ds64", 12, "<Q", PART),
    "a.aiff": lambda p: patched(written(p, "AIFF"), b"SSND", 0, ">I", PART + 8),
    "a.caf": lambda p: patched(written(p, "CAF", "PCM_16"), b"data", 0, ">Q", PART + 4),
    "unknown.caf": lambda p: patched(written(p, "CAF", "PCM_16"), b"data", 0, ">q", -1),
    "a.au": lambda p: patched(written(p, "AU", "PCM_16"), b".snd", 4, ">I", PART),
    "never-written.au": lambda p: patched(written(p, "AU", "PCM_16"), b".snd", 4, ">I", 0),
    "a.flac": lambda p: flac_of(p, RATE),
    "a.mp3": lambda p: xing_of(p, 0.4),
    "joined.mp3": lambda p: twice(p, "MP3"),
    "joined.flac": lambda p: twice(p, "FLAC"),
    "chain.ogg": lambda p: twice(p, "OGG"),
    "chain.opus": lambda p: twice(p, "OGG", "OPUS"),
}


@pytest.mark.parametrize("name", TOO_LITTLE)
def test_a_header_that_counts_too_little_is_one_clear_line(tmp_path: Path, name: str) -> None:
    path = TOO_LITTLE[name](tmp_path / name)
    for read in (probe, lambda p: list(stream(p, RATE)), lambda p: read_all(p, RATE)):
        with pytest.raises(AudioError, match=r"header|chain|one after the other") as raised:
            read(path)
        line = str(raised.value)
        assert line.startswith(str(path))
        assert "\n" not in line
        assert "sox" in line or "ffmpeg" in line
        assert "libsndfile" not in line


def test_a_wav_whose_32_bit_size_wrapped_says_so(tmp_path: Path) -> None:
    path = written(tmp_path / "night.wav", "WAV")
    with path.open("r+b") as file:
        file.truncate((1 << 32) + WHOLE)  # sparse
    patched_size = struct.pack("<I", 2 * PART)
    with path.open("r+b") as file:
        file.seek(file.read(100).index(b"data") + 4)
        file.write(patched_size)
    with pytest.raises(AudioError, match=r"counts 2\.00 s .* holds 2684\d\d\.\d\d s .* at 4 GiB"):
        promised_s(path)


UNKNOWN: dict[str, Callable[[Path], Path]] = {
    "piped.flac": lambda p: flac_of(p, 0),
    "piped.au": lambda p: patched(written(p, "AU", "PCM_16"), b".snd", 4, ">I", 0xFFFFFFFF),
    "piped.wav": lambda p: patched(written(p, "WAV"), b"data", 0, "<I", 0xFFFFFFFF),
    "sox.wav": lambda p: patched(written(p, "WAV"), b"data", 0, "<I", 0x7FFFF000),
    "zero.aiff": lambda p: patched(written(p, "AIFF"), b"SSND", 0, ">I", 0),
}


@pytest.mark.parametrize("name", UNKNOWN)
def test_a_stream_of_unknown_length_is_read_to_its_end(tmp_path: Path, name: str) -> None:
    path = UNKNOWN[name](tmp_path / name)
    assert probe(path).frames == SECONDS * RATE
    assert promised_s(path) == SECONDS
    assert sounds_of_folder([path])[0].duration_s == SECONDS
    want = np.rint(samples() * 32767)
    np.testing.assert_allclose(read_all(path, RATE) * 32768, want, atol=1.01)
    # the last block, half in the file, and a span beyond it
    half = read_span(path, SECONDS - 0.5, 1.0, RATE)
    np.testing.assert_allclose(half[: RATE // 2] * 32768, want[-RATE // 2 :], atol=1.01)
    assert not half[RATE // 2 :].any()
    assert not read_span(path, SECONDS + 3.0, 1.0, RATE).any()


@pytest.mark.parametrize("form", ["W64", "RF64", "CAF", "AU", "OGG"])
def test_a_truncated_file_of_any_container_is_named(tmp_path: Path, form: str) -> None:
    path = written(tmp_path / "a", form, "PCM_16" if form not in ("OGG",) else None)
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    with pytest.raises(AudioError, match="truncated"):
        probe(path)


def _chunk(name: bytes, size: int, *, pad: bool = True) -> bytes:
    return name + struct.pack("<I", size) + b"\1" * (size + (size & 1 if pad else 0))


@pytest.mark.parametrize(
    "tail",
    [
        _chunk(b"LIST", 26) + _chunk(b"id3 ", 9001),
        _chunk(b"guan", 777) + _chunk(b"iXML", 20_000),
        _chunk(b"bext", 603, pad=False) + b"TAG" + bytes(125),
        _chunk(b"wamd", 30_000)[:20_000],  # metadata that is cut short itself
        bytes(512),
    ],
    ids=["list-id3", "guano-ixml", "no-padding-tag", "cut-metadata", "sector"],
)
def test_metadata_after_the_sound_are_no_sound(tmp_path: Path, tail: bytes) -> None:
    path = written(tmp_path / "a.wav", "WAV")
    path.write_bytes(path.read_bytes() + tail)
    assert probe(path).frames == SECONDS * RATE


@pytest.mark.parametrize("form", ["WAV", "RF64", "W64", "AIFF", "CAF", "AU", "FLAC", "OGG", "MP3"])
@pytest.mark.parametrize("seconds", [0.01, 0.6, 9.0])
def test_no_sound_file_is_refused(tmp_path: Path, form: str, seconds: float) -> None:
    for channels, rate in ((1, 8000), (2, 44_100)):
        sound = np.stack([samples(seconds)] * channels, axis=1)
        sf.write(tmp_path / "a", sound, rate, format=form)
        info = probe(tmp_path / "a")
        assert info.frames == pytest.approx(len(sound), abs=1)
        assert promised_s(tmp_path / "a") == pytest.approx(info.duration_s, abs=1e-3)


@pytest.mark.parametrize("form", ["WAV", "RF64", "W64", "AIFF", "CAF", "AU", "FLAC", "OGG", "MP3"])
def test_damaged_headers_give_one_line_or_sound(tmp_path: Path, form: str) -> None:
    rng = np.random.default_rng(3)
    content = written(tmp_path / "a", form).read_bytes()
    for _ in range(25):
        damaged = bytearray(content[: rng.integers(1, len(content))])
        for place in rng.integers(0, min(80, len(damaged)), 3):
            damaged[place] = rng.integers(256)
        (tmp_path / "a").write_bytes(damaged)
        # anything but this error fails
        with suppress(AudioError):
            probe(tmp_path / "a")


@pytest.mark.parametrize("lost", [2, 100, 4000])
def test_no_sample_of_a_file_that_counts_them_may_be_missing(tmp_path: Path, lost: int) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, np.random.default_rng(0).normal(0, 0.1, 16_000), 8000)
    content = path.read_bytes()
    path.write_bytes(content[:-lost])
    with pytest.raises(AudioError, match="truncated"):
        probe(path)


def test_an_mp3_that_does_not_say_its_length_is_not_read_in_part(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    sf.write(path, np.random.default_rng(0).normal(0, 0.1, 32_000), 16_000)
    content = bytearray(path.read_bytes())
    assert b"Xing" in content[:200]
    content[4:64] = bytes(60)  # frames are of several sizes: no guess of the length holds
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"nothing counts its sound; decoded are .* file holds"):
        probe(path)
    path.write_bytes(b"\x7f" + content[1:])
    with pytest.raises(AudioError, match=r"nothing counts its sound; decoded are .* file holds"):
        probe(path)


def test_what_follows_the_sound_of_a_w64_file_is_no_sound(tmp_path: Path) -> None:
    path = tmp_path / "a.w64"
    sf.write(path, np.random.default_rng(0).normal(0, 0.1, 8000), 8000)
    path.write_bytes(path.read_bytes() + bytes(100))
    with pytest.raises(AudioError, match="100 bytes follow its 16000 bytes of sound"):
        probe(path)


def test_a_rate_that_no_recorder_has_is_no_reason_to_run_out_of_memory(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    sf.write(path, np.zeros(8000), 8000)
    content = bytearray(path.read_bytes())
    content[27] = 0x60  # the highest byte of the rate
    path.write_bytes(content)
    with pytest.raises(AudioError, match=r"1610620736 Hz and 1 channels; is it damaged\?"):
        probe(path)
