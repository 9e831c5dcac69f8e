"""Spectrograms, held against what is known of noise and tones."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from negmine.audio.spectrogram import (
    draw_levels,
    frequency_ticks,
    hz_to_mel,
    level_range,
    mel_levels,
    mel_to_hz,
    time_ticks,
)


@pytest.mark.parametrize("rate", [8000, 24_000, 44_100])
@pytest.mark.parametrize("seconds", [0.01, 1.0, 20.0])
def test_white_noise_has_its_density_in_every_band(rate: int, seconds: float) -> None:
    samples = np.random.default_rng(0).normal(0, 0.1, round(seconds * rate))
    power = 10 ** (mel_levels(samples, rate, bands=40, frames=32).astype(np.float64) / 10)
    if seconds < 1:  # shorter than the window: mostly silence around it
        assert np.isfinite(power).all()
        return
    expected = 2 * 0.1**2 / rate
    assert power.mean() == pytest.approx(expected, rel=0.05)
    # the first and last band hold the ends of the spectrum, which count half
    assert power.mean(axis=1)[2:-1] == pytest.approx(np.full(37, expected), rel=0.4)


@pytest.mark.parametrize("hz", [300.0, 1000.0, 3100.0])
def test_a_tone_stands_in_its_row_and_its_time(hz: float) -> None:
    rate, times = 8000, np.arange(16_000) / 8000
    samples = np.where(times >= 1.0, np.sin(2 * np.pi * hz * times), 0.0)
    levels = mel_levels(samples, rate, bands=60, frames=100)
    row, column = np.unravel_index(levels.argmax(), levels.shape)
    edges = mel_to_hz(np.linspace(0, hz_to_mel(4000.0), 61))
    assert edges[row] - 20 <= hz <= edges[row + 1] + 20
    assert column >= 50
    assert (levels[:, 53:].max(axis=0) - levels[:, :47].max(axis=0).max()).min() > 60


def test_all_of_a_long_clip_is_looked_at() -> None:
    # a click shorter than a column, anywhere in it
    for at in range(100, 80_000, 7919):
        samples = np.zeros(80_000)
        samples[at] = 1.0
        levels = mel_levels(samples, 8000, frames=10)
        assert levels.max(axis=0).argmax() == at // 8000
        assert levels.max() > -100


def test_the_mel_scale_goes_there_and_back() -> None:
    hz = np.array([0.0, 20.0, 1000.0, 24_000.0])
    assert mel_to_hz(hz_to_mel(hz)) == pytest.approx(hz)
    assert float(hz_to_mel(1000.0)) == pytest.approx(1000.0, abs=0.1)


def test_a_picture_has_low_frequencies_at_the_bottom_and_one_scale() -> None:
    levels = np.full((4, 6), -100.0)
    levels[0, 5] = -40.0
    loud, quiet = (
        np.asarray(Image.open(io.BytesIO(draw_levels(one, -100, -40))).convert("L"))
        for one in (levels, levels - 30)
    )
    assert loud.shape == (4, 6)
    assert tuple(map(int, np.unravel_index(loud.argmax(), loud.shape))) == (3, 5)
    assert loud[3, 5] > quiet[3, 5] > quiet[0, 0] == loud[0, 0]


def test_a_range_holds_the_loudest_and_is_never_empty() -> None:
    silence = np.full((3, 3), -150.0)
    assert level_range(silence) == (-190.0, -150.0)
    loud = silence.copy()
    loud[1, 1] = -20.0
    assert level_range(silence, loud) == (-90.0, -20.0)
    assert level_range(np.linspace(-80, -20, 100)) == pytest.approx((-74.0, -20.0), abs=0.1)


@pytest.mark.parametrize("rate", [4000, 8000, 48_000, 384_000])
def test_frequency_ticks_stand_where_their_frequency_is(rate: int) -> None:
    ticks = frequency_ticks(rate)
    assert len(ticks) >= 2
    for text, at in ticks:
        number, unit = text.split()
        hz = float(number) * (1000 if unit == "kHz" else 1)
        assert at == pytest.approx(np.log(1 + hz / 700) / np.log(1 + rate / 2 / 700))
    assert np.diff([at for _, at in ticks]).min(initial=1.0) > 0.1


@pytest.mark.parametrize("seconds", [0.3, 1.0, 2.0, 5.0, 7.3, 60.0, 3600.0])
def test_time_ticks_are_few_and_in_place(seconds: float) -> None:
    ticks = time_ticks(seconds)
    assert 3 <= len(ticks) <= 6
    for text, at in ticks:
        assert float(text.removesuffix(" s")) == pytest.approx(at * seconds)
        assert at <= 1 + 1e-9
