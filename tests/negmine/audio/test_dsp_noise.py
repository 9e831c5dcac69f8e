"""Generated sound: spectra, levels, what a seed decides."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import welch

from negmine.audio.dsp.generators import GENERATORS, RMS, generate

RATE = 32_000


@pytest.mark.parametrize("name", GENERATORS)
def test_a_seed_decides_the_samples(name: str) -> None:
    first, again = (generate(name, 5, 8000, RATE) for _ in range(2))
    assert first.tobytes() == again.tobytes()
    assert first.dtype == np.float32
    assert first.shape == (8000,)
    other = generate(name, 6, 8000, RATE)
    assert abs(np.corrcoef(first, other)[0, 1]) < 0.9


@pytest.mark.parametrize("name", GENERATORS)
@pytest.mark.parametrize("rate", [1000, 8000, 48_000])
def test_levels_are_minus_26_dbfs_and_peaks_fit(name: str, rate: int) -> None:
    for seed in range(8):
        made = generate(name, seed, 2 * rate, rate)
        assert np.sqrt(np.mean(np.square(made, dtype=np.float64))) == pytest.approx(RMS, rel=1e-4)
        assert np.abs(made).max() < 1.0
        assert abs(made.mean()) < RMS / 2


@pytest.mark.parametrize(
    ("name", "slope"), [("white", 0.0), ("pink", -1.0), ("brown", -2.0), ("wind", -5 / 3)]
)
def test_power_falls_with_frequency_as_the_name_says(name: str, slope: float) -> None:
    at, power = welch(generate(name, 1, 60 * RATE, RATE).astype(np.float64), RATE, nperseg=8192)
    kept = (at > 100) & (at < 12_000)
    fitted, _ = np.polyfit(np.log(at[kept]), np.log(power[kept]), 1)
    assert fitted == pytest.approx(slope, abs=0.07)


def frame_levels(samples: np.ndarray) -> np.ndarray:
    frames = samples[: len(samples) // 3200 * 3200].reshape(-1, 3200)
    return np.asarray(10 * np.log10(np.square(frames, dtype=np.float64).mean(axis=1) + 1e-12))


def test_wind_comes_in_gusts_and_brown_noise_does_not() -> None:
    spread = {n: np.std(frame_levels(generate(n, 3, 20 * RATE, RATE))) for n in ("wind", "brown")}
    assert spread["wind"] > spread["brown"] + 2


def test_rain_is_drops_on_a_hiss() -> None:
    def kurtosis(x: np.ndarray) -> float:
        return float(np.mean(x**4) / np.mean(x**2) ** 2)

    found = [kurtosis(generate("rain", seed, 2 * RATE, RATE).astype(float)) for seed in range(6)]
    # Gaussian noise has 3
    assert kurtosis(generate("white", 0, 2 * RATE, RATE).astype(float)) == pytest.approx(3, abs=0.1)
    assert np.median(found) > 4


@pytest.mark.parametrize("name", ["tones", "hum"])
def test_tones_and_hum_are_lines_at_the_same_pitch_at_any_rate(name: str) -> None:
    def lines(rate: int) -> np.ndarray:
        at, power = welch(generate(name, 4, 4 * rate, rate).astype(float), rate, nperseg=rate)
        return np.asarray(at[power > power.max() * 1e-2])

    low, high = lines(32_000), lines(48_000)
    assert 0 < len(low) < 200
    np.testing.assert_array_equal(low, high)
    if name == "hum":
        assert low[np.argmax(low > 0)] % 10 in (0, 1, 9)


def test_tones_that_a_rate_cannot_hold_come_octaves_lower() -> None:
    made = generate("tones", 0, 4000, 1000)
    at = np.fft.rfftfreq(4000, 1 / 1000)[np.argmax(np.abs(np.fft.rfft(made)))]
    assert 50 <= at < 450


def test_an_unknown_generator_is_refused() -> None:
    with pytest.raises(ValueError, match="no generator 'snow'; there are white, pink"):
        generate("snow", 0, 10, RATE)
    assert generate("rain", 0, 0, RATE).shape == (0,)
