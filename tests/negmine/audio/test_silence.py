"""What counts as silence, and levels without an offset."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile as sf

from negmine.annotations.recordings import silence_notes
from negmine.audio.read import AudioInfo, probe, stream
from negmine.audio.silence import SILENCE_RMS, is_silent, mix_down, rms
from negmine.recipes.render import mix_at_snr

RATE = 8000


def noise(seconds: float = 1.0, level: float = 0.01) -> np.ndarray:
    rng = np.random.default_rng(0)
    return (level * rng.standard_normal(round(seconds * RATE))).astype(np.float32)


def probed(path: Path, samples: np.ndarray, subtype: str = "FLOAT") -> AudioInfo:
    sf.write(path, samples, RATE, subtype=subtype)
    return probe(path)


def dithered() -> np.ndarray:
    """Silence of 16 bits with triangular dither."""
    rng = np.random.default_rng(0)
    steps = np.rint(rng.uniform(-0.5, 0.5, (2, 2 * RATE)).sum(axis=0))
    return np.asarray(steps / 2**15, dtype=np.float32)


@pytest.mark.parametrize("offset", [0.0, 0.02, -0.7])
@pytest.mark.parametrize("sound", [np.zeros(RATE, np.float32), dithered()])
def test_zeros_an_offset_and_dither_are_silence(
    tmp_path: Path, sound: np.ndarray, offset: float
) -> None:
    assert is_silent(sound + np.float32(offset))
    assert probed(tmp_path / "a.wav", sound + np.float32(offset)).silent_throughout


def test_the_faintest_sound_of_16_bits_is_none() -> None:
    assert not is_silent(noise(level=2 * SILENCE_RMS))


def test_levels_are_without_an_offset(tmp_path: Path) -> None:
    sound = noise()
    assert rms(sound + np.float32(0.5)) == pytest.approx(np.std(sound, dtype=np.float64), rel=1e-4)
    plain, offset = (probed(tmp_path / "a.wav", sound + np.float32(dc)) for dc in (0.0, 0.5))
    np.testing.assert_allclose(offset.power, plain.power, rtol=1e-3)


@pytest.mark.parametrize("offset", [0.0, 0.1, -0.3])
def test_the_ratio_of_a_mix_is_that_of_the_sounds(offset: float) -> None:
    signal, other = noise() + np.float32(offset), noise(level=0.003)[::-1] + np.float32(0.2)
    added = mix_at_snr(signal, other, 6.0) - signal
    assert 20 * np.log10(np.std(signal) / np.std(added)) == pytest.approx(6.0, abs=0.01)


def test_channels_that_cancel_are_silence_and_are_told(tmp_path: Path) -> None:
    sound, faint = noise(), noise(level=1e-4)[::-1]
    for other in (-sound, -sound + faint):
        info = probed(tmp_path / "inverted.wav", np.stack([sound, other], axis=1))
        assert info.silent_throughout
        assert info.cancelled == len(info.power) == 10
        assert not np.concatenate(list(stream(info.path, RATE))).any()
    (note,) = silence_notes([info])
    assert "inverted.wav" in note
    assert "cancel" in note
    half = np.where(np.arange(RATE) < RATE // 2, sound, -sound)
    assert probed(tmp_path / "half.wav", np.stack([sound, half], axis=1)).cancelled == 5


@pytest.mark.parametrize("share", [1.0, 0.0, -0.9])
def test_channels_of_sound_do_not_cancel(share: float) -> None:
    left, right = noise(), noise()[::-1]
    both = np.stack([left, share * left + np.sqrt(1 - share**2) * right], axis=1)
    mono, power, cancelled = mix_down(both.astype(np.float32), 800)
    assert cancelled == 0
    np.testing.assert_allclose(mono, both.mean(axis=1), atol=1e-7)
    assert (power > SILENCE_RMS**2).all()


def test_silent_files_are_named_in_one_line(tmp_path: Path) -> None:
    infos = [probed(tmp_path / f"{i}.wav", np.zeros(RATE)) for i in range(5)]
    assert silence_notes(infos) == (
        "no sound in 5 files (0.wav, 1.wav, 2.wav and 2 more): below -90 dBFS throughout",
    )
    assert silence_notes([probed(tmp_path / "sound.wav", noise())]) == ()
