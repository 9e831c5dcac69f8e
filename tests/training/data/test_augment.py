"""Changes of sound: what was asked for, the same in any order, and no trace left behind."""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from negmine.audio.windows import Span
from negmine.recipes.labels import PartialLabels
from training.augmentation import AUGMENT_PRESETS, AugmentSettings
from training.data.augment import Augmenter, change_sound
from training.data.augment_labels import Change
from training.data.rows import Call, Row, RowKind

RATE = 16_000
SECONDS = 1.0
BANDS = {"frog": (1900.0, 2100.0)}


def beep(start_s: float = 0.3, end_s: float = 0.5, hz: float = 2000.0) -> Row:
    """A tone in a row that is else nearly silent."""
    times = np.arange(round(SECONDS * RATE)) / RATE
    on = (times >= start_s) & (times < end_s)
    rng = np.random.default_rng(0)
    sound = 0.2 * np.sin(2 * np.pi * hz * times) * on + rng.normal(0, 1e-4, len(times))
    call = Call("frog", Span(start_s, end_s), hz - 50, hz + 50)
    labels = PartialLabels(frozenset({"frog"}))
    return Row(sound.astype(np.float32), labels, RowKind.TP, calls=(call,))


def changed(row: Row, seed: int = 1, roll: bool = True, **change: float) -> np.ndarray:
    return change_sound(row, Change(**change), RATE, seed, roll).waveform


def loud_s(waveform: np.ndarray) -> tuple[float, float]:
    at = np.flatnonzero(np.abs(waveform) > 0.05) / RATE
    return float(at[0]), float(at[-1])


def rms(waveform: np.ndarray) -> float:
    return float(np.sqrt(np.mean(waveform.astype(np.float64) ** 2)))


@pytest.mark.parametrize("semitones", [-2.0, 1.0, 7.0])
def test_pitch_shift_moves_a_tone_by_its_ratio_and_not_in_time(semitones: float) -> None:
    got = changed(beep(), semitones=semitones)
    # the window of the tone resolves 5 Hz; a semitone here is 119
    peak = np.argmax(np.abs(np.fft.rfft(got))) / SECONDS
    assert peak == pytest.approx(2000 * 2 ** (semitones / 12), abs=15)
    assert loud_s(got) == pytest.approx((0.3, 0.5), abs=0.02)


@pytest.mark.parametrize("rate", [0.8, 1.1, 1.25])
def test_stretch_puts_a_tone_where_relabelling_says(rate: float) -> None:
    got = changed(beep(), rate=rate)
    assert np.argmax(np.abs(np.fft.rfft(got))) == pytest.approx(2000, abs=15)
    assert loud_s(got) == pytest.approx((0.3 / rate, 0.5 / rate), abs=0.02)
    assert len(got) == len(beep().waveform)


@pytest.mark.parametrize(
    ("shift_s", "roll", "want"),
    [
        (0.2, True, (0.5, 0.7)),
        (0.2, False, (0.5, 0.7)),
        (-0.2, True, (0.1, 0.3)),
        (0.8, True, (0.1, 0.3)),
        (-0.4, False, (0.0, 0.1)),
    ],
)
def test_shift_moves_a_tone(shift_s: float, roll: bool, want: tuple[float, float]) -> None:
    got = changed(beep(), shift_s=shift_s, roll=roll)
    assert loud_s(got) == pytest.approx(want, abs=0.01)
    left = got[: round(shift_s * RATE)] if shift_s > 0 else got[round(shift_s * RATE) :]
    # what a shift leaves holds the noise of the other end, or nothing at all
    assert left.any() == roll


def test_gain_is_a_factor() -> None:
    np.testing.assert_allclose(changed(beep(), gain_db=-6.0206), beep().waveform / 2, rtol=1e-4)


@pytest.mark.parametrize(
    "change",
    [
        {"semitones": 1.0},
        {"rate": 1.1},
        {"shift_s": 0.2},
        {"noise_snr_db": 3.0},
        {"pink_snr_db": 3.0},
        {"gain_db": 6.0},
    ],
)
def test_nothing_is_clipped_beyond_full_scale(change: dict[str, Any]) -> None:
    row = beep()
    loud = changed(replace(row, waveform=row.waveform * np.float32(64)), **change)
    assert np.abs(loud).max() > 8
    assert rms(loud) == pytest.approx(64 * rms(changed(row, **change)), rel=0.01)


@pytest.mark.parametrize("kind", ["noise_snr_db", "pink_snr_db"])
@pytest.mark.parametrize("snr_db", [-3.0, 10.0])
@pytest.mark.parametrize("offset", [0.0, 0.4])
def test_noise_is_added_at_its_ratio(kind: str, snr_db: float, offset: float) -> None:
    row = beep()
    shifted = replace(row, waveform=row.waveform + np.float32(offset))
    change: dict[str, Any] = {kind: snr_db}
    noise = changed(shifted, **change) - shifted.waveform
    got = 20 * np.log10(rms(row.waveform) / rms(noise))
    # the RMS of 16,000 normal numbers varies by 0.05 dB
    assert got == pytest.approx(snr_db, abs=0.3)


@pytest.mark.parametrize(("kind", "slope_db"), [("noise_snr_db", 0.0), ("pink_snr_db", -3.01)])
def test_noise_has_its_slope_per_octave(kind: str, slope_db: float) -> None:
    row, levels = beep(), []
    change: dict[str, Any] = {kind: 0.0}
    noise = np.concatenate([changed(row, seed=s, **change) - row.waveform for s in range(8)])
    power = np.abs(np.fft.rfft(noise)) ** 2
    hz = np.fft.rfftfreq(len(noise), 1 / RATE)
    for low in (500, 1000, 2000, 4000):
        levels.append(10 * np.log10(power[(hz >= low) & (hz < 2 * low)].mean()))
    assert np.polyfit(range(4), levels, 1)[0] == pytest.approx(slope_db, abs=0.6)


@pytest.mark.parametrize("name", ["light", "full"])
def test_same_draws_are_the_same_sound_in_any_order(name: str) -> None:
    augmenter = Augmenter(AUGMENT_PRESETS[name], RATE, BANDS)
    rows = [beep(0.1 * i, 0.1 * i + 0.2) for i in range(6)]

    def run(order: list[int]) -> dict[int, Row]:
        return {i: augmenter(rows[i], np.random.default_rng([3, i])) for i in order}

    first = run([0, 1, 2, 3, 4, 5])
    np.random.rand(7)  # noqa: NPY002
    random.random()
    second = run([4, 2, 0, 5, 3, 1])
    for i in range(6):
        np.testing.assert_array_equal(first[i].waveform, second[i].waveform)
        assert first[i].labels == second[i].labels
    assert any(not np.array_equal(first[i].waveform, rows[i].waveform) for i in range(6))


def test_generators_of_the_process_stay_as_they_were() -> None:
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    want = random.random(), np.random.rand()  # noqa: NPY002
    random.seed(5)
    np.random.seed(5)  # noqa: NPY002
    changed(beep(), noise_snr_db=3.0, pink_snr_db=3.0)
    assert (random.random(), np.random.rand()) == want  # noqa: NPY002


def test_row_of_whole_silence_stays_finite() -> None:
    silent = Row(np.zeros(RATE, np.float32), PartialLabels(), RowKind.FP)
    got = changed(silent, semitones=1.0, rate=1.1, noise_snr_db=3.0, pink_snr_db=3.0, gain_db=3.0)
    assert np.isfinite(got).all()


def test_nothing_drawn_is_the_row_itself() -> None:
    row = beep()
    assert Augmenter(AugmentSettings(), RATE, BANDS)(row, np.random.default_rng(0)) is row


def test_sound_and_labels_are_changed_by_the_same_draws() -> None:
    augmenter = Augmenter(AugmentSettings(pitch=1.0, pitch_semitones=4.0), RATE, BANDS)
    seen = set()
    for seed in range(12):
        row = augmenter(beep(), np.random.default_rng(seed))
        peak = np.argmax(np.abs(np.fft.rfft(row.waveform))) / SECONDS
        # its box reaches 50 Hz to either side of the tone: half of it is in the band up to 2100
        if abs(abs(peak - 2000) - 100) > 20:
            assert ("frog" in row.labels.present) == (abs(peak - 2000) < 100)
            seen.add("frog" in row.labels.present)
    assert seen == {True, False}
