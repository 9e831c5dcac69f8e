"""The demo's background sound: beds of wind, rain, insects and stream, and beds of other sound.

Every bed is noise shaped in frequency and modulated in time, drawn from the generator it is
given. A recording is on a blend of two of them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import fft
from scipy.signal import oaconvolve

# Single precision throughout: the ear and 16 bits ask for no more, and it halves the time.
Samples = NDArray[np.float32]

# A bed draws (samples,) at any level, given a generator, a length and a sample rate.
Bed = Callable[[np.random.Generator, int, int], Samples]


def _coloured(
    rng: np.random.Generator, length: int, sample_rate: int, gain: Callable[[Samples], Samples]
) -> Samples:
    """Draw Gaussian noise whose spectrum follows `gain`, a function of frequency in Hz."""
    # White noise is as white in frequency, so it is drawn there, and transformed only once.
    hz = fft.rfftfreq(length, 1.0 / sample_rate).astype(np.float32)
    pairs = rng.standard_normal((len(hz), 2), dtype=np.float32)
    return np.asarray(fft.irfft(pairs.view(np.complex64)[:, 0] * gain(hz), length))


def _band(low_hz: float, high_hz: float) -> Callable[[Samples], Samples]:
    """Pass what is between two frequencies; the gain falls off smoothly outside them."""

    def gain(hz: Samples) -> Samples:
        low, high = (low_hz / np.maximum(hz, 1.0)) ** 2, (hz / high_hz) ** 2
        return np.asarray(1.0 / np.sqrt(1.0 + low**2 + high**2))

    return gain


def _seconds(length: int, sample_rate: int) -> Samples:
    return np.arange(length, dtype=np.float32) / np.float32(sample_rate)


def _gusts(
    rng: np.random.Generator, length: int, sample_rate: int, *, period_s: float, strength: float
) -> Samples:
    """Make a gain about 1 that takes a new random course every `period_s`: shape (length,)."""
    step = period_s * sample_rate
    knots = np.arange(0.0, length + 2.0 * step, step)
    gains = np.exp(strength * rng.standard_normal(len(knots)))
    return np.interp(np.arange(length, dtype=np.float64), knots, gains).astype(np.float32)


def _drops(
    rng: np.random.Generator, length: int, sample_rate: int, per_second: float, decay_s: float
) -> Samples:
    """Draw short decaying bursts at random moments, most of them faint."""
    count = rng.poisson(per_second * length / sample_rate)
    hits = np.zeros(length, np.float32)
    hits[rng.integers(0, length, count)] = rng.exponential(1.0, count) ** 2
    time = _seconds(round(6.0 * decay_s * sample_rate), sample_rate)
    burst = rng.standard_normal(len(time), dtype=np.float32) * np.exp(-time / decay_s)
    return np.asarray(oaconvolve(hits, burst)[:length])


def wind(rng: np.random.Generator, length: int, sample_rate: int) -> Samples:
    """Make wind: low rumble in gusts."""
    gusts = _gusts(rng, length, sample_rate, period_s=1.5, strength=0.6)
    return gusts * _coloured(rng, length, sample_rate, lambda hz: 1.0 / (1.0 + hz / 120.0) ** 1.3)


def rain(rng: np.random.Generator, length: int, sample_rate: int) -> Samples:
    """Make rain: a broad hiss, and single drops."""
    hiss = _coloured(rng, length, sample_rate, _band(700.0, 6000.0))
    drops = _drops(rng, length, sample_rate, rng.uniform(5.0, 25.0), 0.003)
    return _level(hiss, 1.0) + _level(drops, rng.uniform(0.5, 1.2))


def insects(rng: np.random.Generator, length: int, sample_rate: int) -> Samples:
    """Make insects: a narrow band that buzzes, swelling and fading."""
    centre, width = rng.uniform(4300.0, 6000.0), rng.uniform(100.0, 300.0)
    band = _coloured(rng, length, sample_rate, lambda hz: np.exp(-(((hz - centre) / width) ** 2)))
    turns = rng.uniform(35.0, 70.0) * _seconds(length, sample_rate)
    buzz: Samples = 1.0 + np.sin(2.0 * np.pi * turns)
    return band * buzz * _gusts(rng, length, sample_rate, period_s=0.8, strength=0.5)


def stream(rng: np.random.Generator, length: int, sample_rate: int) -> Samples:
    """Make running water: a steady middle band that bubbles."""
    bubbles = _gusts(rng, length, sample_rate, period_s=0.06, strength=0.4)
    return bubbles * _coloured(rng, length, sample_rate, _band(300.0, 1500.0))


def surf(rng: np.random.Generator, length: int, sample_rate: int) -> Samples:
    """Make surf: waves that break every few seconds."""
    turns = _seconds(length, sample_rate) / rng.uniform(8.0, 16.0) + rng.uniform(0.0, 0.5)
    swell: Samples = np.sin(2.0 * np.pi * turns) ** 2
    return (0.15 + swell**2) * _coloured(rng, length, sample_rate, _band(100.0, 3000.0))


def engine(rng: np.random.Generator, length: int, sample_rate: int) -> Samples:
    """Make a motor: the harmonics of a low pitch that wavers, over rumble."""
    pitch = rng.uniform(40.0, 90.0) * _gusts(rng, length, sample_rate, period_s=1.0, strength=0.03)
    turns = np.cumsum(pitch, dtype=np.float64) / sample_rate
    phase = (2.0 * np.pi * (turns % 1.0)).astype(np.float32)
    hum = np.zeros(length, np.float32)
    for harmonic in range(1, 9):
        hum += np.sin(harmonic * phase) / harmonic
    rumble = _coloured(rng, length, sample_rate, _band(30.0, 400.0))
    return _level(hum, 1.0) + _level(rumble, 1.0)


def crackle(rng: np.random.Generator, length: int, sample_rate: int) -> Samples:
    """Make a fire: sharp cracks over a soft roar."""
    roar = _coloured(rng, length, sample_rate, _band(60.0, 800.0))
    cracks = _drops(rng, length, sample_rate, rng.uniform(10.0, 40.0), 0.002)
    return _level(roar, 1.0) + _level(cracks, 1.0)


FIELD: tuple[Bed, ...] = (wind, rain, insects, stream)
ELSEWHERE: tuple[Bed, ...] = (surf, engine, crackle)


def _level(samples: Samples, rms: float) -> Samples:
    """Set the RMS to `rms`; silence stays silent (a bed may draw no drop at all)."""
    now = float(np.sqrt(np.mean(np.square(samples))))
    return samples * np.float32(rms / now) if now > 0 else samples


def background(
    rng: np.random.Generator, length: int, sample_rate: int, beds: Sequence[Bed]
) -> Samples:
    """Blend two of the beds over a recorder's own hiss.

    Parameters
    ----------
    length : int
        In samples.
    beds : sequence of Bed
        At least two.

    Returns
    -------
    float32 array, shape (length,). Its RMS is between -38 and -28 dB of full scale.
    """
    blend = np.zeros(length, np.float32)
    for index in rng.choice(len(beds), size=2, replace=False):
        blend += _level(beds[index](rng, length, sample_rate), 10 ** (rng.uniform(-12, 0) / 20))
    blend += _level(rng.standard_normal(length, dtype=np.float32), 0.03)
    return _level(blend, 10 ** (rng.uniform(-38, -28) / 20))
