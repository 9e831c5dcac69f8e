"""Sound made from numbers: noises of given spectra, rain, wind, tones, hum.

The same name, seed, length and rate give the same samples anywhere. At another rate the sound is of
the same kind, with the same tones, rates and spectrum up to its own Nyquist frequency, but the
noise in it is another draw.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy import fft

# Root mean square of what is generated: -26 dBFS, as field recordings are apt to have.
RMS = 10 ** (-26 / 20)

# Below this, power no longer rises: a recorder's microphone has no less.
_LOWEST_HZ = 20.0

# Near drops of one rain ring at this many pitches.
_PITCHES = 12


def generate(name: str, seed: int, samples: int, sample_rate: int) -> np.ndarray:
    """Generate sound.

    Parameters
    ----------
    name : str
        One of `GENERATORS`.
    seed : int
        0 or more.
    sample_rate : int
        Hz.

    Returns
    -------
    float32 array, shape (samples,)
        Its RMS is -26 dBFS.

    Raises
    ------
    ValueError
        If there is no such generator.
    """
    if name not in GENERATORS:
        raise ValueError(f"no generator '{name}'; there are {', '.join(GENERATORS)}")
    if samples == 0:
        return np.zeros(0, dtype=np.float32)
    rng = np.random.default_rng([list(GENERATORS).index(name), seed])
    made = GENERATORS[name](rng, samples, sample_rate)
    level = np.sqrt(np.mean(np.square(made)))
    return np.asarray(made * (RMS / max(level, 1e-12)), dtype=np.float32)


def _coloured(
    rng: np.random.Generator, samples: int, sample_rate: int, exponent: float
) -> np.ndarray:
    """Draw noise whose power falls with frequency to this exponent, above `_LOWEST_HZ`.

    White noise, its spectrum multiplied by f^(-exponent/2).
    """
    # cut from more: the end of a spectrum's noise goes over into its beginning
    size = fft.next_fast_len(samples + sample_rate // 10, real=True)
    spectrum = fft.rfft(rng.standard_normal(size))
    frequencies = fft.rfftfreq(size, 1 / sample_rate)
    spectrum *= np.maximum(frequencies, _LOWEST_HZ) ** (-exponent / 2)
    spectrum[0] = 0.0
    return np.asarray(fft.irfft(spectrum, size)[:samples])


def _white(rng: np.random.Generator, samples: int, sample_rate: int) -> np.ndarray:
    return rng.standard_normal(samples)


def _pink(rng: np.random.Generator, samples: int, sample_rate: int) -> np.ndarray:
    return _coloured(rng, samples, sample_rate, 1.0)


def _brown(rng: np.random.Generator, samples: int, sample_rate: int) -> np.ndarray:
    return _coloured(rng, samples, sample_rate, 2.0)


def _rain(rng: np.random.Generator, samples: int, sample_rate: int) -> np.ndarray:
    """Draw many far drops, a hiss that falls gently with frequency, and some near ones.

    A near drop is a ring that dies within milliseconds, at a pitch of its own: the bubble that it
    closes in (Minnaert, 1933: about 3 kHz for a radius of 1 mm).
    """
    hiss = _coloured(rng, samples, sample_rate, rng.uniform(0.2, 0.8))
    hiss /= np.sqrt(np.mean(np.square(hiss)))
    per_s = np.exp(rng.uniform(np.log(20), np.log(400)))
    count = rng.poisson(per_s * samples / sample_rate)
    pitches = np.exp(rng.uniform(np.log(800), np.log(10_000), _PITCHES))
    time_s = np.arange(round(0.03 * sample_rate)) / sample_rate
    rings = np.stack(
        [
            np.sin(2 * np.pi * _below_nyquist(pitch, sample_rate) * time_s)
            * np.exp(-time_s * rng.uniform(200, 800))
            for pitch in pitches
        ]
    )
    rings = rings[rng.integers(0, _PITCHES, count)] * rng.lognormal(0.0, 0.6, (count, 1))
    at = rng.integers(0, samples, (count, 1)) + np.arange(len(time_s))
    drops = np.bincount(at.ravel(), rings.ravel(), minlength=samples)[:samples]
    return np.asarray(hiss + drops * rng.uniform(1, 4))


def _wind(rng: np.random.Generator, samples: int, sample_rate: int) -> np.ndarray:
    """Draw turbulence at a microphone, in gusts.

    Its power falls with f^(-5/3) (Kolmogorov, 1941); gusts come and go within seconds.
    """
    sound = _coloured(rng, samples, sample_rate, 5 / 3)
    knots = np.arange(0.0, samples / sample_rate + 1.0, 0.5)
    gusts = np.exp(np.cumsum(rng.normal(0, 0.6, len(knots)) - 0.1))
    swell = np.interp(np.arange(samples) / sample_rate, knots, gusts / gusts.max())
    return np.asarray(sound * swell)


def _tones(rng: np.random.Generator, samples: int, sample_rate: int) -> np.ndarray:
    """Draw one to five steady tones."""
    time_s = np.arange(samples) / sample_rate
    sound = np.zeros(samples)
    for _ in range(rng.integers(1, 6)):
        pitch = _below_nyquist(np.exp(rng.uniform(np.log(100), np.log(12_000))), sample_rate)
        phase, level = rng.uniform(0, 2 * np.pi), rng.uniform(0.2, 1)
        sound += level * np.sin(2 * np.pi * pitch * time_s + phase)
    return sound


def _hum(rng: np.random.Generator, samples: int, sample_rate: int) -> np.ndarray:
    """Draw mains hum: 50 or 60 Hz and its harmonics, falling with their number."""
    base = rng.choice([50.0, 60.0])
    fall = rng.uniform(0.5, 1.5)
    turn = np.exp(2j * np.pi * base * np.arange(samples) / sample_rate)
    sound, harmonic_turn = np.zeros(samples), np.ones(samples, dtype=complex)
    for harmonic in range(1, 41):
        harmonic_turn *= turn
        phase, level = rng.uniform(0, 2 * np.pi), rng.uniform(0.3, 1)
        if harmonic * base < sample_rate / 2:
            sound += (level * harmonic**-fall * np.exp(1j * phase) * harmonic_turn).imag
    return sound


def _below_nyquist(pitch_hz: float, sample_rate: int) -> float:
    """Lower a pitch by octaves until the rate can hold it."""
    while pitch_hz >= 0.45 * sample_rate:
        pitch_hz /= 2
    return float(pitch_hz)


# In this order: a generator's place is part of its seed. Never reorder, only add.
GENERATORS: dict[str, Callable[[np.random.Generator, int, int], np.ndarray]] = {
    "white": _white,
    "pink": _pink,
    "brown": _brown,
    "rain": _rain,
    "wind": _wind,
    "tones": _tones,
    "hum": _hum,
}
