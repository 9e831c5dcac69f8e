"""Reading sound: what is refused, and that spans are what the whole file says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
from conftest import SAMPLE_RATE, tone

from negmine.audio.read import (
    probe,
    probe_all,
    read_all,
    read_span,
    stream,
)
from negmine.audio.silence import LEVEL_BLOCK_S
from negmine.errors import AudioError


def noise(seconds: float, rate: int = SAMPLE_RATE, level: float = 0.1) -> np.ndarray:
    rng = np.random.default_rng(5)
    return (level * rng.standard_normal(round(seconds * rate))).clip(-0.9, 0.9).astype(np.float32)


def write(path: Path, samples: np.ndarray, rate: int = SAMPLE_RATE, **options: str) -> Path:
    sf.write(path, samples, rate, **options)
    return path


def slow_sine(hz: float, seconds: float, rate: int) -> np.ndarray:
    return np.sin(2 * np.pi * hz * np.arange(round(seconds * rate)) / rate)


# ---- probe


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff"])
def test_a_sound_file_is_measured_whole(tmp_path: Path, suffix: str) -> None:
    samples = noise(1.75)
    info = probe(write(tmp_path / f"a.{suffix}", samples))
    assert (info.sample_rate, info.frames, info.channels) == (SAMPLE_RATE, len(samples), 1)
    assert info.duration_s == 1.75
    assert len(info.power) == 18
    decoded, _ = sf.read(info.path)
    whole_blocks = decoded[: round(1.7 * SAMPLE_RATE)]
    of_blocks = whole_blocks.reshape(17, -1).std(axis=1)
    assert info.rms(0.0, 1.75) == pytest.approx(np.sqrt(np.mean(of_blocks**2)), rel=1e-4)


def test_the_levels_are_those_of_each_block_of_the_channels_mean(tmp_path: Path) -> None:
    left, right = noise(0.95), tone(500.0, 0.95)
    info = probe(write(tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT"))
    assert info.channels == 2
    mono, block = (left + right) / 2, round(LEVEL_BLOCK_S * SAMPLE_RATE)
    expected = [np.var(mono[i : i + block]) for i in range(0, len(mono), block)]
    np.testing.assert_allclose(info.power, expected, rtol=1e-5)


@pytest.mark.parametrize(
    ("start_s", "end_s", "silent"),
    [
        (0.0, 1.0, False),
        (0.95, 2.0, False),
        (1.0, 2.0, True),
        # the block from 1.0 s to 1.1 s is loud, but not where the span is
        (1.05, 2.0, True),
        (1.2, 1.25, True),
        (5.0, 6.0, True),
    ],
)
def test_a_span_is_silent_where_its_samples_are(
    tmp_path: Path, start_s: float, end_s: float, silent: bool
) -> None:
    samples = np.zeros(2 * SAMPLE_RATE, dtype=np.float32)
    samples[: round(1.04 * SAMPLE_RATE)] = noise(1.04)
    if start_s == 1.0:
        samples[SAMPLE_RATE:] = 0
    info = probe(write(tmp_path / "a.wav", samples))
    assert (info.rms(start_s, end_s) == 0.0) is silent


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match=r"gone\.wav: cannot be read: No such file"):
        probe(tmp_path / "gone.wav")


def test_a_folder_is_no_sound_file(tmp_path: Path) -> None:
    with pytest.raises(AudioError, match="cannot be read: Is a directory"):
        probe(tmp_path)


def test_a_file_of_0_bytes_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioError, match=r"a\.wav: the file is empty \(0 bytes\)"):
        probe(tmp_path / "a.wav")


def test_a_file_without_samples_is_named(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", np.zeros(0, dtype=np.float32))
    with pytest.raises(AudioError, match=r"a\.wav: the file holds no samples"):
        probe(path)


def test_a_file_that_is_not_audio_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.flac").write_text("recording_id,species_id\n" * 50)
    with pytest.raises(AudioError, match=r"a\.flac: not readable as audio, or truncated"):
        probe(tmp_path / "a.flac")


@pytest.mark.parametrize("suffix", ["wav", "flac", "mp3", "aiff", "ogg"])
@pytest.mark.parametrize("kept", [0.3, 0.8])
def test_a_truncated_file_is_named(tmp_path: Path, suffix: str, kept: float) -> None:
    path = write(tmp_path / f"a.{suffix}", noise(6.0))
    content = path.read_bytes()
    path.write_bytes(content[: int(kept * len(content))])
    with pytest.raises(AudioError, match=rf"a\.{suffix}: .*truncated"):
        probe(path)


def test_a_wav_file_of_unknown_length_is_read_to_its_end(tmp_path: Path) -> None:
    path = write(tmp_path / "streamed.wav", noise(1.0))
    content = bytearray(path.read_bytes())
    at = content.index(b"data") + 4
    content[at : at + 4] = b"\xff\xff\xff\xff"
    path.write_bytes(content)
    assert probe(path).frames == SAMPLE_RATE


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_sample_that_is_no_number_is_placed(tmp_path: Path, value: float) -> None:
    samples = np.stack([noise(8.0)] * 2, axis=1)
    samples[60_000, 1] = value  # beyond the first block that is decoded
    path = write(tmp_path / "a.wav", samples, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"a\.wav: NaN or infinite samples from 7\.50 s"):
        probe(path)


def test_one_bad_file_fails_the_others_unless_it_may_be_skipped(tmp_path: Path) -> None:
    good = [write(tmp_path / f"{i}.wav", noise(0.5)) for i in range(3)]
    bad = [tmp_path / "bad.wav", tmp_path / "gone.wav"]
    bad[0].touch()
    paths = [good[2], bad[0], good[0], bad[1], good[1]]
    with pytest.raises(AudioError, match=r"bad\.wav: .*\(1 more like it\).*--skip-bad"):
        probe_all(paths)
    done: list[None] = []
    infos, skipped = probe_all(paths, skip_bad=True, on_done=lambda: done.append(None))
    assert list(infos) == [good[2], good[0], good[1]]
    assert [line.split(": ")[0] for line in skipped] == [str(p) for p in bad]
    assert len(done) == 5


def test_skipping_every_file_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "a.wav").touch()
    with pytest.raises(AudioError, match="none of 1 files is readable"):
        probe_all([tmp_path / "a.wav"], skip_bad=True)


def test_no_files_are_no_error() -> None:
    assert probe_all([]) == ({}, [])


# ---- read


@pytest.mark.parametrize(("start_s", "duration_s"), [(0.0, 1.0), (0.37, 0.5), (1.5, 0.5)])
def test_a_span_at_the_files_own_rate_is_a_slice_of_it(
    tmp_path: Path, start_s: float, duration_s: float
) -> None:
    path = write(tmp_path / "a.flac", noise(2.0))
    whole, _ = sf.read(path, dtype="float32")
    first = round(start_s * SAMPLE_RATE)
    span = read_span(path, start_s, duration_s, SAMPLE_RATE)
    assert span.dtype == np.float32
    np.testing.assert_array_equal(span, whole[first : first + round(duration_s * SAMPLE_RATE)])


@pytest.mark.parametrize("suffix", ["ogg", "mp3"])
def test_a_span_of_a_lossy_file_is_a_slice_of_it(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", noise(3.0))
    whole, _ = sf.read(path, dtype="float32")
    span = read_span(path, 1.25, 0.5, SAMPLE_RATE)
    np.testing.assert_allclose(span, whole[10_000:14_000], atol=1e-3)


def test_channels_are_averaged(tmp_path: Path) -> None:
    left, right = noise(0.5), tone(700.0, 0.5)
    path = write(tmp_path / "a.wav", np.stack([left, right], axis=1), subtype="FLOAT")
    np.testing.assert_allclose(
        read_span(path, 0.0, 0.5, SAMPLE_RATE), (left + right) / 2, atol=1e-7
    )


@pytest.mark.parametrize("rate", [8000, 11_025, 16_000])
def test_beyond_both_ends_there_are_zeros(tmp_path: Path, rate: int) -> None:
    path = write(tmp_path / "a.wav", np.full(SAMPLE_RATE, 0.5, dtype=np.float32))
    span = read_span(path, -0.5, 2.0, rate)
    assert len(span) == 2 * rate
    edge = 0 if rate == SAMPLE_RATE else rate // 50  # where a resampled step rings
    half = rate // 2
    np.testing.assert_allclose(span[: half - edge], 0, atol=1e-6)
    np.testing.assert_allclose(span[half + edge : half + rate - edge], 0.5, atol=1e-3)
    np.testing.assert_allclose(span[half + rate + edge :], 0, atol=1e-6)


@pytest.mark.parametrize("start_s", [-7.0, 1.0, 50.0])
@pytest.mark.parametrize("rate", [8000, 11_025])
def test_a_span_wholly_outside_is_zeros(tmp_path: Path, start_s: float, rate: int) -> None:
    path = write(tmp_path / "a.wav", np.zeros(SAMPLE_RATE, dtype=np.float32) + 0.5)
    span = read_span(path, start_s, 1.0, rate)
    assert len(span) == rate
    edge = 0 if rate == SAMPLE_RATE else rate // 50  # where a resampled step rings
    np.testing.assert_allclose(span[edge:], 0, atol=1e-6)


@pytest.mark.parametrize(
    ("stored", "asked"), [(11_025, 8000), (44_100, 32_000), (8000, 32_000), (48_000, 22_050)]
)
def test_a_sine_stays_that_sine_at_another_rate(tmp_path: Path, stored: int, asked: int) -> None:
    hz = 1234.0
    samples = 0.5 * slow_sine(hz, 3.0, stored)
    path = write(tmp_path / "a.wav", samples, stored, subtype="FLOAT")
    span = read_span(path, 1.0, 1.0, asked)
    expected = 0.5 * slow_sine(hz, 3.0, asked)[asked : 2 * asked]
    np.testing.assert_allclose(span, expected, atol=2e-4)
    spectrum = np.abs(np.fft.rfft(span))
    assert np.argmax(spectrum) == hz
    assert np.sqrt(np.mean(span**2)) == pytest.approx(0.5 / np.sqrt(2), rel=1e-3)


def test_what_lies_above_the_new_nyquist_frequency_does_not_fold_back(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", 0.5 * slow_sine(7000.0, 2.0, 32_000), 32_000)
    assert np.abs(read_span(path, 0.5, 1.0, 8000)).max() < 1e-3


@pytest.mark.parametrize("stored", [11_025, 16_000, 44_100])
def test_adjacent_spans_join_into_the_long_one(tmp_path: Path, stored: int) -> None:
    path = write(tmp_path / "a.wav", noise(3.0, stored), stored, subtype="FLOAT")
    long = read_span(path, 0.0, 3.0, SAMPLE_RATE)
    parts = [read_span(path, float(i), 1.0, SAMPLE_RATE) for i in range(3)]
    np.testing.assert_allclose(np.concatenate(parts), long, atol=1e-3)


def test_a_whole_file_is_read_at_another_rate(tmp_path: Path) -> None:
    path = write(tmp_path / "a.wav", noise(1.3, 16_000), 16_000)
    assert len(read_all(path, SAMPLE_RATE)) == round(1.3 * SAMPLE_RATE)
    np.testing.assert_array_equal(
        read_all(path, SAMPLE_RATE), read_span(path, 0.0, 1.3, SAMPLE_RATE)
    )


@pytest.mark.parametrize("seconds", [0.01, 6.4, 21.37])
@pytest.mark.parametrize("stored", [SAMPLE_RATE, 22_050, 48_000, 4000])
def test_a_stream_is_the_whole_file_in_blocks(tmp_path: Path, stored: int, seconds: float) -> None:
    channels = np.stack([noise(seconds, stored), np.zeros(round(seconds * stored))], axis=1)
    path = write(tmp_path / "a.wav", channels, stored, subtype="FLOAT")
    blocks = list(stream(path, SAMPLE_RATE))
    want = read_all(path, SAMPLE_RATE)
    # its own blocks of 6.4 s, and what the resampler held back
    assert all(len(block) <= 7.0 * SAMPLE_RATE for block in blocks)
    got = np.concatenate(blocks)
    assert got.dtype == np.float32
    assert len(got) == len(want)
    edge = 0 if stored == SAMPLE_RATE else 200  # where a resampler rings against silence
    np.testing.assert_allclose(got, want, atol=5e-3 if edge else 0)
    inner = slice(edge, len(want) - edge)
    np.testing.assert_allclose(got[inner], want[inner], atol=1e-6 if edge else 0)


def test_a_stream_fails_where_the_fault_is_met(tmp_path: Path) -> None:
    samples = noise(20.0)
    samples[15 * SAMPLE_RATE] = np.nan
    blocks = stream(write(tmp_path / "a.wav", samples, subtype="FLOAT"), SAMPLE_RATE)
    np.testing.assert_array_equal(next(blocks), samples[: round(6.4 * SAMPLE_RATE)])
    with pytest.raises(AudioError, match=r"a\.wav: NaN or infinite samples from 15\.00 s"):
        list(blocks)


def test_an_unreadable_span_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(b"nothing")
    with pytest.raises(AudioError, match=r"a\.wav: cannot be read in \[1, 3\) s"):
        read_span(tmp_path / "a.wav", 1.0, 2.0, SAMPLE_RATE)
    with pytest.raises(AudioError, match=r"a\.wav: not readable as audio"):
        read_all(tmp_path / "a.wav", SAMPLE_RATE)
