"""Writing sound: what is read again, and what is refused."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
import soundfile as sf
import soxr
from conftest import SAMPLE_RATE

from negmine.audio.read import read_all
from negmine.audio.write import encode_mp3, write_flac
from negmine.errors import AudioError, OutputError


def noise(seconds: float) -> np.ndarray:
    samples = 0.1 * np.random.default_rng(5).standard_normal(round(seconds * SAMPLE_RATE))
    return samples.clip(-0.9, 0.9).astype(np.float32)


def test_written_samples_are_read_again_to_16_bits(tmp_path: Path) -> None:
    samples = noise(0.5)
    write_flac(tmp_path / "a.flac", samples, SAMPLE_RATE)
    found = read_all(tmp_path / "a.flac", SAMPLE_RATE)
    np.testing.assert_allclose(found, samples, atol=2**-15)


def test_samples_that_would_be_clipped_are_refused(tmp_path: Path) -> None:
    samples = noise(0.5)
    samples[7] = -1.5
    with pytest.raises(AudioError, match=r"a peak of 1\.50 would be clipped; scale"):
        write_flac(tmp_path / "a.flac", samples, SAMPLE_RATE)
    assert not (tmp_path / "a.flac").exists()


def test_an_unwritable_place_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match=r"a\.flac: cannot be written"):
        write_flac(tmp_path / "file" / "a.flac", noise(0.1), SAMPLE_RATE)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no device that is always full")
def test_a_full_disk_is_called_so() -> None:
    with pytest.raises(OutputError, match="cannot be written: No space left on device"):
        write_flac(Path("/dev/full"), noise(0.1), SAMPLE_RATE)


@pytest.mark.parametrize(
    ("rate", "encoded"),
    [(4000, 8000), (8000, 8000), (10_000, 11_025), (22_050, 22_050), (48_000, 22_050)],
)
def test_an_mp3_is_small_as_long_and_sounds_the_same(rate: int, encoded: int) -> None:
    times = np.arange(2 * rate) / rate
    samples = (0.5 * np.sin(2 * np.pi * 1000 * times)).astype(np.float32)
    content = encode_mp3(samples, rate)
    assert content == encode_mp3(samples, rate)
    assert len(content) < 2 * 5000
    found, at = sf.read(io.BytesIO(content))
    assert (at, len(found)) == (encoded, 2 * encoded)
    power = np.abs(np.fft.rfft(found * np.hanning(len(found)))) ** 2
    assert power.argmax() / 2 == pytest.approx(1000, abs=1)
    assert power[1990:2010].sum() > 0.99 * power.sum()


def test_what_resampling_brings_beyond_full_scale_is_quieter_and_not_clipped() -> None:
    square = 0.99 * np.sign(np.sin(2 * np.pi * 1000 * (np.arange(64_000) + 0.5) / 32_000))
    resampled = soxr.resample(square.astype(np.float32), 32_000, 22_050, quality="HQ")
    peak = np.abs(resampled).max()
    assert peak > 1.05
    found, _ = sf.read(io.BytesIO(encode_mp3(square.astype(np.float32), 32_000)))
    assert np.std(found) == pytest.approx(np.std(resampled) / peak, rel=0.01)


def test_no_mp3_without_an_encoder_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise ValueError("Unknown format: 'MP3'")

    monkeypatch.setattr("negmine.audio.write.sf.SoundFile", refuse)
    with pytest.raises(OutputError, match="writes no MP3: Unknown format"):
        encode_mp3(np.zeros(8000, np.float32), 8000)
