"""Clips as a page plays and shows them: sound at one loudness, a spectrogram with axes."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import soxr
from scipy.signal import butter, sosfiltfilt

from negmine.annotations.class_bands import Band
from negmine.audio.fingerprint import VerifiedFiles
from negmine.audio.read import promised, read_span
from negmine.audio.spectrogram import (
    draw_levels,
    frequency_ticks,
    hz_to_mel,
    level_range,
    mel_levels,
    time_ticks,
)
from negmine.audio.windows import Span, to_microseconds, to_samples
from negmine.audio.write import encode_wav
from negmine.errors import AudioError, InputError
from negmine.pool import Pool
from negmine.report.clips import listening_gain_db
from negmine.review.review_clips import ReviewClip

# Decoded clips that are kept: the one heard, those before and behind it.
_KEPT = 8

# Cells of a picture, and the highest rate that every browser plays.
_BANDS, _FRAMES = 192, 640
_MOST_PLAYED_HZ = 48_000

SLOWER = (1, 2, 4, 8)


@dataclass(frozen=True)
class HeardClip:
    """A clip's sound with what is round it.

    Attributes
    ----------
    samples : float32 array, shape (T,)
        Of ``shown``, as they are.
    shown : Span
        Seconds of the recording.
    window : Span
        Those of the clip, inside the file.
    gain_db : float
        For listening: of the window alone.
    """

    samples: np.ndarray
    sample_rate: int
    shown: Span
    window: Span
    gain_db: float

    def cut(self, span: Span) -> np.ndarray:
        first, last = (
            to_samples(at - self.shown.start_s, self.sample_rate)
            for at in (span.start_s, span.end_s)
        )
        return self.samples[first:last]


class ClipSounds:
    """Renders clips; thread-safe.

    Parameters
    ----------
    bands : mapping of str to (float, float)
        Lowest and highest frequency of a class, in Hz, where it is known.
    context_s : float
        Seconds on each side.
    pool : Pool, optional
        That of the confirmed calls which clips name as nearest.
    """

    def __init__(self, bands: dict[str, Band], context_s: float, pool: Pool | None = None) -> None:
        self._bands, self._context_s, self._pool = bands, context_s, pool
        self._verified = VerifiedFiles()
        self.hear: Callable[[ReviewClip], HeardClip] = lru_cache(_KEPT)(self._hear)
        self.picture: Callable[[ReviewClip], bytes] = lru_cache(_KEPT)(self._picture)

    def _hear(self, clip: ReviewClip) -> HeardClip:
        """Read a clip.

        Raises
        ------
        AudioError
            If its file is missing, unreadable, changed since the pool was built, or ends before it.
        """
        if clip.fingerprint:
            self._verified.check(clip.path, clip.fingerprint)
        duration_s, rate = promised(clip.path)
        start_s, end_s = clip.span.start_s, min(clip.span.end_s, duration_s)
        if end_s <= start_s:
            raise AudioError(
                f"{clip.path}: ends at {duration_s:g} s, before the clip from {start_s:g} s"
            )
        shown = Span(
            to_microseconds(max(0.0, start_s - self._context_s)),
            to_microseconds(min(duration_s, end_s + self._context_s)),
        )
        samples = read_span(clip.path, shown.start_s, shown.duration_s, rate)
        heard = HeardClip(samples, rate, shown, Span(start_s, end_s), 0.0)
        gain_db = listening_gain_db(heard.cut(heard.window), rate)
        return HeardClip(samples, rate, shown, heard.window, gain_db)

    def wav(self, clip: ReviewClip, *, whole: bool, slower: int, banded: bool) -> bytes:
        """Return a clip as WAV, brought to one loudness.

        Parameters
        ----------
        whole : bool
            With the seconds round it.
        slower : int
            One of `SLOWER`; the pitch falls with the speed.
        banded : bool
            The class's band alone, where it is known.
        """
        heard = self.hear(clip)
        samples, rate = heard.cut(heard.shown if whole else heard.window), heard.sample_rate
        band = self._bands.get(clip.label)
        gain_db = heard.gain_db
        if banded and band is not None:
            samples = band_passed(samples, rate, band)
            gain_db = listening_gain_db(samples, rate)
        peak = float(np.abs(samples).max(initial=0.0))
        # what is round the clip may be louder than it: not clipped
        gain = min(10 ** (gain_db / 20), 0.99 / peak) if peak else 1.0
        samples, rate = samples * np.float32(gain), rate // slower
        if rate > _MOST_PLAYED_HZ:
            samples = soxr.resample(samples, rate, _MOST_PLAYED_HZ, quality="HQ")
            rate = _MOST_PLAYED_HZ
        return encode_wav(samples, rate)

    def _picture(self, clip: ReviewClip) -> bytes:
        heard = self.hear(clip)
        levels = mel_levels(heard.samples, heard.sample_rate, _BANDS, _FRAMES)
        return draw_levels(levels, *level_range(levels))

    def has_call(self, clip: ReviewClip) -> bool:
        """Return whether a confirmed call is known to play beside a clip."""
        return clip.example is not None or (self._pool is not None and bool(clip.nearest_call))

    def _call(self, clip: ReviewClip) -> tuple[np.ndarray, int]:
        """Render the confirmed call nearest to a clip: samples, and their rate in Hz."""
        if clip.example is not None:
            duration_s, rate = promised(clip.example)
            return read_span(clip.example, 0.0, duration_s, rate), rate
        if self._pool is None or not clip.nearest_call:
            raise InputError("no confirmed call is known to be nearest to this clip")
        calls = self._pool.calls
        recipe = calls[calls.row_of(clip.nearest_call)]
        return recipe.render(), recipe.sample_rate

    def call_wav(self, clip: ReviewClip) -> bytes:
        """Return the confirmed call nearest to a clip as WAV, at the same loudness."""
        samples, rate = self._call(clip)
        gain = np.float32(10 ** (listening_gain_db(samples, rate) / 20))
        return encode_wav(samples * gain, rate)

    def call_picture(self, clip: ReviewClip) -> bytes:
        """Return the spectrogram of the confirmed call nearest to a clip, as PNG."""
        levels = mel_levels(*self._call(clip))
        return draw_levels(levels, *level_range(levels))

    def axes(self, clip: ReviewClip) -> dict[str, Any]:
        """Return what is written round the picture; places are from 0 to 1, from the lower left."""
        heard = self.hear(clip)
        shown, top = heard.shown, float(hz_to_mel(heard.sample_rate / 2))
        band = self._bands.get(clip.label)
        edges = [min(1.0, float(hz_to_mel(hz)) / top) for hz in band or ()]
        return {
            "shown": [shown.start_s, shown.end_s],
            "window": [
                (at - shown.start_s) / shown.duration_s
                for at in (heard.window.start_s, heard.window.end_s)
            ],
            "band": edges,
            "band_hz": list(band or ()),
            "hz": frequency_ticks(heard.sample_rate),
            "seconds": _seconds(shown),
            "top_hz": heard.sample_rate / 2,
        }


def _seconds(shown: Span) -> list[tuple[str, float]]:
    """Label the time axis by seconds of the recording, at round ones."""
    (_, first), (_, second), *_ = time_ticks(shown.duration_s)
    step = (second - first) * shown.duration_s
    count = range(math.ceil(shown.start_s / step - 1e-9), math.floor(shown.end_s / step + 1e-9) + 1)
    return [(f"{i * step:.10g}", (i * step - shown.start_s) / shown.duration_s) for i in count]


def band_passed(samples: np.ndarray, sample_rate: int, band: Band) -> np.ndarray:
    """Keep a band: a Butterworth filter of order 4, forwards and backwards, without delay.

    Parameters
    ----------
    samples : float array, shape (T,)
    band : (float, float)
        Hz; an edge outside the sound's range is none.
    """
    nyquist = sample_rate / 2
    low, high = band[0] / nyquist, band[1] / nyquist
    if low >= 1 or (low <= 0 and high >= 1):
        return samples
    if low <= 0:
        sos = butter(4, high, "lowpass", output="sos")
    elif high >= 1:
        sos = butter(4, low, "highpass", output="sos")
    else:
        sos = butter(4, (low, high), "bandpass", output="sos")
    pad = min(len(samples) - 1, 3 * (2 * len(sos) + 1))
    return np.asarray(sosfiltfilt(sos, samples, padlen=pad), dtype=np.float32)
