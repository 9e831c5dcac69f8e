"""Boxes longer than a clip: which part of them to cut."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from negmine.annotations import Annotation, Annotations
from negmine.audio.read import AudioInfo, read_span
from negmine.audio.windows import Span, to_microseconds

_FRAME_S = 0.05

# Of the sound in the clip that holds most: what another clip must hold, too.
_NEARLY = 0.8

# A box whose loudest clip has no more power than this over a middling one sounds alike all through.
_EVEN = 1.15

# Frames that are measured at a time, so that memory does not grow with the box.
_FRAMES_AT_A_TIME = 600


def long_note(annotations: Annotations, clip_s: float) -> str | None:
    """Describe confirmed calls that a clip does not hold whole; None where it holds all."""
    lengths = [box.span.duration_s for box in annotations.confirmed]
    longer = [length for length in lengths if length > clip_s + 1e-6]
    if not longer:
        return None
    return (
        f"{len(longer)} of {len(lengths)} confirmed calls have boxes longer than --clip-s "
        f"{clip_s:g}, up to {max(longer):.2f} s: clips hold the loudest part of each; --clip-s "
        f"{math.ceil(max(longer) * 10) / 10:g} holds all of them whole"
    )


def loud_starts(box: Annotation, info: AudioInfo, clip_s: float) -> Span:
    """Return where clips may start that are in a box longer than they are and hold its sound.

    They hold nearly as much sound, in the box's own band, as the clip that holds most, and are
    beside that one. What stays the same through the box is its background, and counts as nothing;
    in a box that sounds alike all through they may be anywhere.

    Parameters
    ----------
    info : AudioInfo
        Of its recording.

    Returns
    -------
    Span
        From the first start to the last; the middle has the sound in the middle of the clip.

    Raises
    ------
    AudioError
        If the recording cannot be read there.
    """
    span = Span(max(0.0, box.span.start_s), min(box.span.end_s, info.duration_s))
    latest_s = span.end_s - clip_s
    if latest_s <= span.start_s:
        return Span(span.start_s, span.start_s)
    band = box.f_min_hz, box.f_max_hz
    levels = np.array(_levels(info.path, info.fingerprint, info.sample_rate, span, band))
    frames = min(max(1, round(clip_s / _FRAME_S)), len(levels))
    held = _sums(np.maximum(levels - np.median(levels), 0.0), frames)
    best, power = int(np.argmax(held)), _sums(levels, frames)
    if power[best] <= _EVEN * np.median(power):
        return Span(span.start_s, to_microseconds(latest_s))
    less = np.flatnonzero(held < _NEARLY * held[best])
    first = int(max(less[less < best], default=-1)) + 1
    last = int(min(less[less > best], default=len(held))) - 1
    ends = (min(span.start_s + at * _FRAME_S, latest_s) for at in (first, last))
    return Span(*map(to_microseconds, ends))


def _sums(values: np.ndarray, count: int) -> np.ndarray:
    """Sum each run of this many consecutive values."""
    total = np.concatenate([[0.0], np.cumsum(values)])
    return np.asarray(total[count:] - total[:-count])


@lru_cache(maxsize=10_000)
def _levels(
    path: Path, fingerprint: str, sample_rate: int, span: Span, band: tuple[float, float]
) -> tuple[float, ...]:
    """Return a band's power in each frame of a span; cached for later folds and seeds."""
    return tuple(_measured(path, sample_rate, span, band))


def _measured(
    path: Path, sample_rate: int, span: Span, band: tuple[float, float]
) -> Iterator[float]:
    size = max(16, round(_FRAME_S * sample_rate))
    hz = np.fft.rfftfreq(size, 1 / sample_rate)
    inside = (hz >= band[0]) & (hz <= band[1])
    if not inside.any():
        inside[int(np.argmin(np.abs(hz - sum(band) / 2)))] = True
    total = max(1, int(span.duration_s / _FRAME_S))
    for first in range(0, total, _FRAMES_AT_A_TIME):
        count = min(_FRAMES_AT_A_TIME, total - first)
        samples = read_span(
            path, span.start_s + first * _FRAME_S, count * size / sample_rate, sample_rate
        )
        framed = samples[: count * size].reshape(count, size) * np.hanning(size)
        spectrum = np.abs(np.fft.rfft(framed, axis=1)[:, inside]) ** 2
        yield from spectrum.sum(axis=1).tolist()
