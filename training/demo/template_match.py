"""Template matching: a simple detector of calls, which errs where such detectors err.

A template is the spectrogram of one rendition. Its score at a moment is the correlation
coefficient with the recording's spectrogram there, over the template's band. It finds calls, and
whatever has their shape: hence its rejected detections make false-positive annotations like the
ones a person makes when going through a detector's list.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray
from scipy import fft
from scipy.ndimage import uniform_filter1d
from scipy.signal import find_peaks, oaconvolve

from training.demo.calls import CallKind, Samples

Spectrogram = NDArray[np.float32]

WINDOW_S, HOP_S = 0.016, 0.008
# In bins of about 62.5 Hz. Smoothed power forgives a call its pitch; what a template takes in above
# and below its call tells the call from a gust or a drop, which has no edges there.
SMOOTH_BINS = 3
CONTEXT_BINS = 6


@dataclass(frozen=True, slots=True)
class TemplateMatch:
    """A detection of one class: its score, and its box as a detector would draw it."""

    species_id: int
    score: float
    t_min: float
    t_max: float
    f_min: float
    f_max: float

    def overlaps(self, t_min: float, t_max: float, margin_s: float = 0.0) -> bool:
        """Return whether it comes within `margin_s` of a span of time."""
        return t_min < self.t_max + margin_s and t_max > self.t_min - margin_s


@dataclass(frozen=True, slots=True, eq=False)
class _Template:
    """One rendition's spectrogram in its band, with mean 0 and norm 1: shape (F, W)."""

    species_id: int
    values: Spectrogram
    rows: slice
    duration_s: float
    f_min: float
    f_max: float


class TemplateMatcher:
    """Finds the classes in recordings by the spectrograms of a few renditions of each.

    Parameters
    ----------
    kinds : sequence of CallKind
        The classes; their positions are the species ids.
    rng : numpy.random.Generator
        Draws the renditions.
    per_class : int
        Templates of each class.
    """

    def __init__(
        self,
        kinds: Sequence[CallKind],
        sample_rate: int,
        rng: np.random.Generator,
        per_class: int = 6,
    ) -> None:
        self._sample_rate = sample_rate
        self._window = round(WINDOW_S * sample_rate)
        self._hop = round(HOP_S * sample_rate)
        self._templates = [
            self._template(species_id, kind, rng)
            for species_id, kind in enumerate(kinds)
            for _ in range(per_class)
        ]

    def __call__(self, samples: Samples, *, min_score: float = 0.2) -> list[TemplateMatch]:
        """Detect every class in one recording.

        Parameters
        ----------
        samples : float32 array, shape (T,)
        min_score : float
            Detections below this correlation are not worth a person's time.

        Returns
        -------
        list of TemplateMatch, the best first. No two of one class overlap.
        """
        spectrogram = self._spectrogram(samples)
        # A steady sound, such as an insect's band, is no detection however loud it is.
        spectrogram -= np.median(spectrogram, axis=1, keepdims=True)
        found: list[TemplateMatch] = []
        for template in self._templates:
            width = template.values.shape[1]
            if width > spectrogram.shape[1]:
                continue
            score = _correlation(spectrogram[template.rows], template.values)
            for frame in find_peaks(score, height=min_score, distance=width)[0].tolist():
                start_s = frame * self._hop / self._sample_rate
                match = TemplateMatch(
                    template.species_id,
                    float(score[frame]),
                    round(start_s, 4),
                    round(start_s + template.duration_s, 4),
                    template.f_min,
                    template.f_max,
                )
                if match.t_max <= len(samples) / self._sample_rate:
                    found.append(match)
        kept: list[TemplateMatch] = []
        for match in sorted(found, key=lambda match: -match.score):
            rivals = (other for other in kept if other.species_id == match.species_id)
            if not any(other.overlaps(match.t_min, match.t_max) for other in rivals):
                kept.append(match)
        return kept

    def _template(self, species_id: int, kind: CallKind, rng: np.random.Generator) -> _Template:
        sound = kind.render(rng, self._sample_rate)
        # Over faint noise, since the logarithm of silence would outweigh the call.
        noise = 0.05 * rng.standard_normal(len(sound.samples))
        spectrogram = self._spectrogram((sound.samples + noise).astype(np.float32))
        bin_hz = self._sample_rate / self._window
        low = int(sound.f_min_hz / bin_hz) - CONTEXT_BINS
        high = int(np.ceil(sound.f_max_hz / bin_hz)) + CONTEXT_BINS
        rows = slice(max(low, 0), high + 1)
        values = spectrogram[rows] - spectrogram[rows].mean()
        return _Template(
            species_id,
            values / np.linalg.norm(values),
            rows,
            len(sound.samples) / self._sample_rate,
            round(sound.f_min_hz, 1),
            round(sound.f_max_hz, 1),
        )

    def _spectrogram(self, samples: Samples) -> Spectrogram:
        """Compute log power, shape (F, frames); frame k begins at sample k * hop."""
        spans = sliding_window_view(samples, self._window)[:: self._hop]
        frames = spans * np.hanning(self._window)
        power = np.abs(fft.rfft(frames.astype(np.float32), axis=1)) ** 2
        smooth = uniform_filter1d(power, SMOOTH_BINS, axis=1)
        return np.ascontiguousarray(np.log(smooth + 1e-9).T)


def _correlation(spectrogram: Spectrogram, template: Spectrogram) -> NDArray[np.float64]:
    """Compute the correlation coefficient at every frame where a template fits whole.

    The template t has mean 0 and norm 1, so that with a span x of N values the coefficient is
    sum(x t) / sqrt(sum(x^2) - sum(x)^2 / N).

    Returns
    -------
    float64 array, shape (frames - W + 1,)
    """
    product = oaconvolve(spectrogram, template[:, ::-1], mode="valid", axes=1).sum(axis=0)
    moving = np.ones(template.shape[1])
    total = np.convolve(spectrogram.sum(axis=0), moving, "valid")
    power = np.convolve(np.square(spectrogram).sum(axis=0), moving, "valid")
    return np.asarray(product / np.sqrt(np.maximum(power - total**2 / template.size, 1e-6)))
