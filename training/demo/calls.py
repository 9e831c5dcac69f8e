"""The demo's sounds: six classes of call, and look-alikes that are none of them.

A `CallKind` is a shape (sweep, trill, croak, warble, whistle) and a range for each of the shape's
parameters; a rendition draws new parameters. A look-alike is the shape of a class with one
range moved out of the class's: the other slope, another pulse rate, one note more. So what tells
it from the class is known, and is never the loudness or the background.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import product

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]
Curve = NDArray[np.float64]

FADE_S = 0.012
# A faded tone is not a line in the spectrum: what its box leaves free above and below it.
MARGIN_HZ = 60.0


@dataclass(frozen=True, slots=True, eq=False)
class Rendition:
    """One rendition.

    Attributes
    ----------
    samples : float32 array, shape (T,)
        At an RMS of 1 over the whole of it.
    f_min_hz, f_max_hz : float
        The band that holds it.
    """

    samples: Samples
    f_min_hz: float
    f_max_hz: float


# A shape turns a sample rate and its parameters into a waveform of any level and its band.
Shape = Callable[..., tuple[Curve, float, float]]


@dataclass(frozen=True, eq=False)
class CallKind:
    """A kind of sound: a shape, and the range of each of its parameters.

    Attributes
    ----------
    shape : callable
        ``shape(sample_rate, **parameters) -> (waveform, f_min_hz, f_max_hz)``.
    ranges : mapping of str to (float, float)
        Each parameter is drawn uniformly from its range.
    """

    name: str
    shape: Shape
    ranges: Mapping[str, tuple[float, float]]

    def render(self, rng: np.random.Generator, sample_rate: int) -> Rendition:
        """Draw one rendition; the rate is at least twice the top of the band."""
        parameters = {name: rng.uniform(low, high) for name, (low, high) in self.ranges.items()}
        wave, f_min_hz, f_max_hz = self.shape(sample_rate, **parameters)
        # No animal keeps one loudness through a call, so loudness must not tell a class.
        wave = wave * (1.0 + rng.uniform(-0.5, 0.5) * np.linspace(-1.0, 1.0, len(wave)))
        wave = wave / np.sqrt(np.mean(wave**2))
        return Rendition(wave.astype(np.float32), f_min_hz, f_max_hz)

    def band_hz(self, sample_rate: int) -> tuple[float, float]:
        """Return the band that holds every rendition.

        Every shape's band moves one way with each parameter, so the extremes are at the corners
        of the ranges.
        """
        corners = [
            self.shape(sample_rate, **dict(zip(self.ranges, corner, strict=True)))
            for corner in product(*self.ranges.values())
        ]
        return min(low for _, low, _ in corners), max(high for _, _, high in corners)


def _unit_time(duration_s: float, sample_rate: int) -> Curve:
    """Time within the sound, from 0 to 1: shape (T,)."""
    return np.linspace(0.0, 1.0, round(duration_s * sample_rate))


def _faded(wave: Curve, sample_rate: int) -> Curve:
    """Give a wave raised-cosine ends, so that it begins and stops without a click."""
    count = min(round(FADE_S * sample_rate), len(wave) // 2)
    ramp = 0.5 - 0.5 * np.cos(np.pi * (np.arange(count) + 0.5) / count)
    envelope = np.ones(len(wave))
    envelope[:count] = ramp
    envelope[len(wave) - count :] = ramp[::-1]
    return wave * envelope


def _tone(frequency_hz: Curve, sample_rate: int) -> Curve:
    """Make a sine of varying frequency: the phase is the integral of the frequency."""
    return np.sin(2.0 * np.pi * np.cumsum(frequency_hz) / sample_rate)


def sweep(
    sample_rate: int, *, start_hz: float, end_hz: float, duration_s: float, curve: float
) -> tuple[Curve, float, float]:
    """Make a tone that glides once; `curve` above 1 stays near its start for longer."""
    frequency = start_hz + (end_hz - start_hz) * _unit_time(duration_s, sample_rate) ** curve
    low, high = sorted((start_hz, end_hz))
    wave = _faded(_tone(frequency, sample_rate), sample_rate)
    return wave, low - MARGIN_HZ, high + MARGIN_HZ


def trill(
    sample_rate: int, *, pitch_hz: float, rate_hz: float, duration_s: float
) -> tuple[Curve, float, float]:
    """Make short pulses of one tone, half of each period silent."""
    time = _unit_time(duration_s, sample_rate) * duration_s
    pulses = np.maximum(np.sin(2.0 * np.pi * rate_hz * time), 0.0)
    wave = _faded(pulses * _tone(np.full(len(time), pitch_hz), sample_rate), sample_rate)
    # Pulses at a rate r put sidebands at the pitch +-r, +-2r; beyond those is next to nothing.
    margin = MARGIN_HZ + 2.0 * rate_hz
    return wave, pitch_hz - margin, pitch_hz + margin


def croak(
    sample_rate: int, *, pitch_hz: float, formant_hz: float, glide: float, duration_s: float
) -> tuple[Curve, float, float]:
    """Make harmonics under one formant; the pitch moves by the share `glide`."""
    width_hz = 350.0
    pitch = pitch_hz * (1.0 + glide * (_unit_time(duration_s, sample_rate) - 0.5))
    wave = np.zeros(len(pitch))
    for harmonic in range(1, int((formant_hz + 3.0 * width_hz) / pitch_hz) + 1):
        frequency = harmonic * pitch
        gain = np.exp(-0.5 * ((frequency - formant_hz) / width_hz) ** 2)
        wave += gain * _tone(frequency, sample_rate)
    return _faded(wave, sample_rate), formant_hz - 2.0 * width_hz, formant_hz + 2.0 * width_hz


def warble(
    sample_rate: int, *, centre_hz: float, depth_hz: float, rate_hz: float, duration_s: float
) -> tuple[Curve, float, float]:
    """Make a tone that swings by `depth_hz` to either side, `rate_hz` times a second."""
    time = _unit_time(duration_s, sample_rate) * duration_s
    frequency = centre_hz + depth_hz * np.sin(2.0 * np.pi * rate_hz * time)
    wave = _faded(_tone(frequency, sample_rate), sample_rate)
    margin = depth_hz + MARGIN_HZ
    return wave, centre_hz - margin, centre_hz + margin


def whistle(
    sample_rate: int, *, notes: int, pitch_hz: float, step: float, note_s: float, gap_s: float
) -> tuple[Curve, float, float]:
    """Level notes, each `step` times as high as the one before."""
    pitches = [pitch_hz * step**note for note in range(notes)]
    gap = np.zeros(round(gap_s * sample_rate))
    parts: list[Curve] = []
    for pitch in pitches:
        note = _tone(np.full(round(note_s * sample_rate), pitch), sample_rate)
        parts += [_faded(note, sample_rate), gap]
    return np.concatenate(parts[:-1]), min(pitches) - MARGIN_HZ, max(pitches) + MARGIN_HZ


_EVEN = (0.8, 1.25)

CLASSES = (
    CallKind(
        "rising sweep",
        sweep,
        {
            "start_hz": (1500, 1800),
            "end_hz": (2700, 3100),
            "duration_s": (0.28, 0.45),
            "curve": _EVEN,
        },
    ),
    CallKind(
        "falling sweep",
        sweep,
        {
            "start_hz": (4200, 4700),
            "end_hz": (2600, 3000),
            "duration_s": (0.22, 0.38),
            "curve": _EVEN,
        },
    ),
    CallKind(
        "trill",
        trill,
        {"pitch_hz": (3300, 4000), "rate_hz": (15, 19), "duration_s": (0.5, 0.9)},
    ),
    CallKind(
        "croak",
        croak,
        {
            "pitch_hz": (130, 165),
            "formant_hz": (1000, 1250),
            "glide": (-0.3, -0.1),
            "duration_s": (0.25, 0.4),
        },
    ),
    CallKind(
        "warble",
        warble,
        {
            "centre_hz": (2300, 2800),
            "depth_hz": (250, 400),
            "rate_hz": (10, 14),
            "duration_s": (0.5, 0.8),
        },
    ),
    CallKind(
        "two-note whistle",
        partial(whistle, notes=2),
        {
            "pitch_hz": (2500, 2900),
            "step": (0.76, 0.82),
            "note_s": (0.16, 0.24),
            "gap_s": (0.04, 0.09),
        },
    ),
)


def _like(
    model: CallKind, name: str, shape: Shape | None = None, **moved: tuple[float, float]
) -> CallKind:
    """Make a kind that differs from a class only in its shape, or in the ranges in `moved`."""
    return CallKind(name, shape or model.shape, {**model.ranges, **moved})


_RISE, _FALL, _TRILL, _CROAK, _WARBLE, _WHISTLE = CLASSES

# Every range moved here is clear of the class's own, with room between: no rendition of a
# look-alike could pass for the class by the numbers.
LOOKALIKES = (
    _like(_RISE, "sweep falling through the rise", start_hz=(2700, 3100), end_hz=(1500, 1800)),
    _like(_RISE, "slow rise", duration_s=(0.8, 1.1)),
    _like(_FALL, "sweep rising through the fall", start_hz=(2600, 3000), end_hz=(4200, 4700)),
    _like(_FALL, "shallow fall", end_hz=(3500, 3800)),
    _like(_TRILL, "slow trill", rate_hz=(8, 10.5)),
    _like(_TRILL, "fast trill", rate_hz=(26, 32)),
    _like(_CROAK, "bark", pitch_hz=(260, 310)),
    _like(_CROAK, "rising croak", glide=(0.3, 0.5)),
    _like(_WARBLE, "slow warble", rate_hz=(4.5, 6.5)),
    _like(_WARBLE, "fast warble", rate_hz=(21, 26)),
    _like(_WHISTLE, "three-note whistle", partial(whistle, notes=3)),
    _like(_WHISTLE, "whistle going up", pitch_hz=(2000, 2300), step=(1.22, 1.32)),
)
