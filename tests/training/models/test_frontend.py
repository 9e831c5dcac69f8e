"""The log-mel front end: shapes, pitch, scale, and no dependence on the batch."""

from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
import torch
from torch import Tensor

from training.config import TrainConfig
from training.models import frontend
from training.models.frontend import FrontEndSettings, LogMel

pytestmark = pytest.mark.usefixtures("one_thread")


def sine(hz: float, sample_rate: int, seconds: float = 1.0, level: float = 0.5) -> Tensor:
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    wave = level * np.sin(2 * np.pi * hz * times)
    return torch.from_numpy(wave.astype(np.float32)).unsqueeze(0)


def mel(hz: float) -> float:
    return 2595 * math.log10(1 + hz / 700)


def band_edges_hz(settings: FrontEndSettings, band: int) -> tuple[float, float]:
    """Edges of a triangular band: HTK's mel scale, n_mels + 2 points evenly spaced."""
    low, high = mel(settings.f_min_hz), mel(settings.sample_rate / 2)
    step = (high - low) / (settings.n_mels + 1)
    low_hz, high_hz = (700 * (10 ** ((low + step * i) / 2595) - 1) for i in (band, band + 2))
    return low_hz, high_hz


@pytest.mark.parametrize("sample_rate", [8000, 16_000, 32_000, 48_000])
@pytest.mark.parametrize("seconds", [0.5, 1.0, 2.345])
def test_shape(sample_rate: int, seconds: float) -> None:
    settings = FrontEndSettings.for_mels(sample_rate, 32)
    waveforms = torch.zeros(3, round(seconds * sample_rate))
    out = LogMel(settings)(waveforms)
    assert out.shape == (3, 32, waveforms.shape[1] // settings.hop + 1)
    assert out.dtype == torch.float32


@pytest.mark.parametrize("sample_rate", [16_000, 32_000, 48_000])
@pytest.mark.parametrize("n_mels", [32, 64, 128])
@pytest.mark.parametrize("hz", [300.0, 1000.0, 3100.0, 7000.0])
def test_sine_is_loudest_in_a_mel_band_that_holds_it(
    sample_rate: int, n_mels: int, hz: float
) -> None:
    settings = FrontEndSettings.for_mels(sample_rate, n_mels)
    out = LogMel(settings)(sine(hz, sample_rate))[0]
    low, high = band_edges_hz(settings, int(out.mean(dim=1).argmax()))
    # a frame cannot tell frequencies apart that are closer than its bins
    bin_hz = 1 / settings.frame_s
    assert low - bin_hz <= hz <= high + bin_hz


@pytest.mark.parametrize("sample_rate", [16_000, 48_000])
def test_frame_is_loudest_when_the_sound_is_there(sample_rate: int) -> None:
    settings = FrontEndSettings.for_mels(sample_rate, 64)
    waveform = torch.zeros(1, 2 * sample_rate)
    first = round(1.2 * sample_rate)
    waveform[:, first : first + 64] = 0.5
    loudest = int(LogMel(settings)(waveform)[0].sum(dim=0).argmax())
    assert loudest * settings.hop_s == pytest.approx(1.2, abs=settings.hop_s)


def test_twenty_decibels_are_half_a_unit() -> None:
    settings = FrontEndSettings.for_mels(16_000, 64)
    loud = LogMel(settings)(sine(1000, 16_000, level=0.5)).amax()
    quiet = LogMel(settings)(sine(1000, 16_000, level=0.05)).amax()
    assert float(loud - quiet) == pytest.approx(0.5, abs=1e-3)


def test_silence_is_the_floor_and_finite() -> None:
    out = LogMel(FrontEndSettings.for_mels(16_000, 64))(torch.zeros(1, 16_000))
    torch.testing.assert_close(out, torch.full_like(out, -1.75))


@pytest.mark.parametrize("chunk", [1, 3, 8, 100])
def test_chunks_do_not_change_the_result(chunk: int, monkeypatch: pytest.MonkeyPatch) -> None:
    front_end = LogMel(FrontEndSettings.for_mels(8000, 16))
    waveforms = torch.randn(11, 4000, generator=torch.Generator().manual_seed(1))
    alone = torch.cat([front_end(row.unsqueeze(0)) for row in waveforms])
    monkeypatch.setattr(frontend, "_CPU_CHUNK", chunk)
    torch.testing.assert_close(front_end(waveforms), alone, rtol=0, atol=1e-5)


def test_the_spectrogram_is_torchaudios() -> None:
    for n_mels in (16, 128):
        front_end = LogMel(FrontEndSettings.for_mels(16_000, n_mels))
        waveforms = torch.randn(3, 9001, generator=torch.Generator().manual_seed(2))
        power = front_end.mel(waveforms)
        expected = (10 * torch.log10(power + 1e-10) + 30) / 40
        torch.testing.assert_close(front_end(waveforms), expected, rtol=0, atol=1e-5)


def test_autocast_does_not_reach_the_spectrogram() -> None:
    front_end = LogMel(FrontEndSettings.for_mels(8000, 16))
    waveform = sine(1000, 8000)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = front_end(waveform)
    assert inside.dtype == torch.float32
    assert torch.equal(inside, front_end(waveform))


@pytest.mark.parametrize("n_mels", [64, 128])
def test_no_mel_band_is_empty_at_the_default_rate(n_mels: int) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        front_end = LogMel(FrontEndSettings.for_mels(TrainConfig().sample_rate, n_mels))
    bank = front_end.mel.mel_scale.fb
    assert bank.shape[1] == n_mels
    assert (bank.amax(dim=0) > 0).all()


def test_settings_survive_a_dictionary() -> None:
    settings = FrontEndSettings.for_mels(22_050, 80)
    assert FrontEndSettings(**settings.to_dict()) == settings
    assert settings.hop == round(0.016 * 22_050)
