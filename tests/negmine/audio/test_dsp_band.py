"""Bands removed and replaced: depth, what stays, the ends, the level."""

from __future__ import annotations

import numpy as np
import pytest

from negmine.audio.dsp.band import (
    MAX_GAIN_DB,
    TRANSITION_HZ,
    erase_band,
    quiet_level,
    transplant_band,
)

RATE = 32_000
BANDS = [(2000.0, 3000.0), (800.0, 7500.0), (4062.0, 4500.0), (0.0, 900.0), (9000.0, 16_000.0)]


def tone(hz: float, seconds: float = 2.0, phase: float = 0.3, rate: int = RATE) -> np.ndarray:
    at = np.arange(round(seconds * rate)) / rate
    return (0.1 * np.sin(2 * np.pi * hz * at + phase)).astype(np.float32)


def chirp(low: float, high: float, seconds: float = 2.0) -> np.ndarray:
    at = np.arange(round(seconds * RATE)) / RATE
    sweep = 2 * np.pi * (low * at + (high - low) / (2 * seconds) * at**2)
    return (0.1 * np.sin(sweep)).astype(np.float32)


def noise(seconds: float = 2.0, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return (0.05 * rng.standard_normal(round(seconds * RATE))).astype(np.float32)


def in_band(samples: np.ndarray, low: float, high: float, rate: int = RATE) -> float:
    """Energy between two frequencies, in dB. The clip's ends count in full: no window."""
    power = np.abs(np.fft.rfft(samples.astype(np.float64))) ** 2
    at = np.fft.rfftfreq(len(samples), 1 / rate)
    return float(10 * np.log10(power[(at >= low) & (at <= high)].sum() + 1e-20))


@pytest.mark.parametrize(("low", "high"), BANDS)
def test_tones_in_the_band_are_40_db_down_up_to_the_clips_ends(low: float, high: float) -> None:
    for hz in np.linspace(max(low, 5), min(high, RATE / 2 - 5), 9):
        for phase in (0.0, 1.0, np.pi / 2):
            before = tone(float(hz), phase=phase)
            after = erase_band(before, RATE, low, high)
            assert in_band(after, low, high) < in_band(before, low, high) - 40
            inside = slice(RATE // 20, -RATE // 20)
            assert np.abs(after[inside]).max() < 0.1 * 10 ** (-60 / 20)


@pytest.mark.parametrize(("low", "high"), BANDS)
@pytest.mark.parametrize("kind", ["noise", "chirp"])
def test_noise_and_sweeps_in_the_band_are_40_db_down(kind: str, low: float, high: float) -> None:
    before = noise() if kind == "noise" else chirp(low + 5, high - 5)
    after = erase_band(before, RATE, low, high)
    if kind == "noise":
        # what is left at noise's cut ends is their own spread, not the band: looked at through a
        # window it is gone
        window = np.hanning(len(before))
        before, after = before * window, after * window
    assert in_band(after, low, high) < in_band(before, low, high) - 40


@pytest.mark.parametrize(("low", "high"), BANDS)
def test_tones_outside_the_band_stay_within_a_tenth_of_a_db_and_in_phase(
    low: float, high: float
) -> None:
    below = np.linspace(30, low - TRANSITION_HZ, 6) if low > 2 * TRANSITION_HZ else np.empty(0)
    above = np.linspace(high + TRANSITION_HZ, RATE / 2 - 30, 6)
    for hz in [*below, *(above if high < RATE / 2 - 2 * TRANSITION_HZ else [])]:
        before = tone(float(hz))
        inside = slice(RATE // 20, -RATE // 20)
        # one sample's delay of a high tone would be an error of its own size
        error = erase_band(before, RATE, low, high)[inside] - before[inside]
        assert np.abs(error).max() < 0.1 * (10 ** (0.1 / 20) - 1)


def test_an_impulse_comes_out_symmetric() -> None:
    impulse = np.zeros(4001, dtype=np.float32)
    impulse[2000] = 1.0
    out = erase_band(impulse, RATE, 2000, 3000)
    np.testing.assert_allclose(out, out[::-1], atol=1e-6)
    # the kernel is short: nothing is heard 40 ms away
    assert np.abs(out[: 2000 - RATE // 25]).max() < 1e-6


def test_a_sample_does_not_depend_on_how_long_the_clip_is() -> None:
    whole = noise(3.0)
    long = erase_band(whole, RATE, 2000, 3000)
    short = erase_band(whole[RATE // 2 : 2 * RATE], RATE, 2000, 3000)
    inside = slice(RATE // 10, -RATE // 10)
    np.testing.assert_allclose(long[RATE // 2 : 2 * RATE][inside], short[inside], atol=1e-6)


@pytest.mark.parametrize("length", [500, 2300, 2330, 7000, 7100, 20_000])
def test_blocks_join_to_one_convolution_and_a_second_at_the_ends(length: int) -> None:
    impulse = np.zeros(8001, dtype=np.float32)
    impulse[4000] = 1.0
    kernel = erase_band(impulse, RATE, 2000, 3000)[3000:5001].astype(np.float64)
    before = noise()[:length]
    once = np.convolve(before.astype(np.float64), kernel)[1000:-1000]
    twice = np.convolve(once, kernel)[1000:-1000]
    out = erase_band(before, RATE, 2000, 3000)
    # 1,162 taps or so: up to there the cut end is heard
    np.testing.assert_allclose(out[:1100], twice[:1100], atol=1e-6)
    np.testing.assert_allclose(out[-1100:], twice[-1100:], atol=1e-6)
    np.testing.assert_allclose(out[1200:-1200], once[1200:-1200], atol=1e-6)


@pytest.mark.parametrize("length", [0, 1, 7, 500])
def test_clips_shorter_than_the_kernel(length: int) -> None:
    out = erase_band(noise()[:length], RATE, 2000, 3000)
    assert out.shape == (length,)
    assert out.dtype == np.float32
    assert np.isfinite(out).all()


def test_the_input_is_left_alone_and_the_same_comes_out_twice() -> None:
    before = noise()
    copy = before.copy()
    first, second = (erase_band(before, RATE, 2000, 3000) for _ in range(2))
    np.testing.assert_array_equal(before, copy)
    assert first.tobytes() == second.tobytes()


def test_the_whole_spectrum_leaves_silence_and_a_band_above_nyquist_leaves_all() -> None:
    before = noise(0.5)
    assert not erase_band(before, RATE, 0, RATE).any()
    np.testing.assert_array_equal(erase_band(before, RATE, 17_000, 18_000), before)


@pytest.mark.parametrize(("low", "high"), [(3.0, 3.0), (5.0, 2.0), (-1.0, 2.0)])
def test_no_band_is_refused(low: float, high: float) -> None:
    with pytest.raises(ValueError, match="no band from"):
        erase_band(noise(0.1), RATE, low, high)


def test_a_clip_given_its_own_band_comes_back() -> None:
    clip = noise()
    np.testing.assert_allclose(transplant_band(clip, clip, RATE, 2000, 3000), clip, atol=1e-6)


def test_a_transplant_has_the_donors_band_and_the_recipients_context() -> None:
    # tones that tell whose sound is where; steady ones, so that every frame is quiet
    recipient, donor = tone(1000) + tone(2500), tone(2200) + tone(9000)
    out = transplant_band(recipient, donor, RATE, 2000, 3000)
    inside = slice(RATE // 20, -RATE // 20)
    np.testing.assert_allclose(out[inside], (tone(1000) + tone(2200))[inside], atol=1e-3)


def test_the_donors_background_is_as_loud_as_the_recipients_whatever_calls() -> None:
    recipient, donor = noise(seed=1), 0.3 * noise(seed=2)
    call = tone(2500, 0.5) * 5
    loud = recipient.copy()
    loud[RATE // 2 : RATE // 2 + len(call)] += call
    for clip in (recipient, loud):
        out = transplant_band(clip, donor, RATE, 2000, 3000)
        found = in_band(out, 2100, 2900) - in_band(recipient, 2100, 2900)
        assert abs(found) < 1.0


def test_an_empty_donor_is_not_turned_up_without_end() -> None:
    recipient = noise(seed=1)
    donor = erase_band(noise(seed=2), RATE, 1800, 3200) + 1e-2 * noise(seed=3)
    out = transplant_band(recipient, donor, RATE, 2000, 3000)
    gained = in_band(out, 2200, 2800) - in_band(donor, 2200, 2800)
    assert gained == pytest.approx(MAX_GAIN_DB, abs=1.0)
    silent = transplant_band(recipient, np.zeros_like(recipient), RATE, 2000, 3000)
    np.testing.assert_array_equal(silent, erase_band(recipient, RATE, 2000, 3000))


def test_the_padding_of_a_short_recording_does_not_count_as_background() -> None:
    clip = noise()
    padded = np.concatenate([clip, np.zeros_like(clip)])
    assert quiet_level(padded, RATE) == pytest.approx(quiet_level(clip, RATE), rel=0.01)


def test_a_transplant_from_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="cannot transplant"):
        transplant_band(noise(0.5), noise(0.4), RATE, 2000, 3000)
