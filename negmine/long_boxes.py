"""Boxes longer than a clip: which part of them to cut."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import numpy as np

from negmine.annotations import Annotation, Annotations
from negmine.audio import AudioInfo, read_span
from negmine.windows import Span, to_microseconds

_FRAME_S = 0.05
_FRAMES_AT_A_TIME = 600


def told_long(annotations: Annotations, clip_s: float) -> str | None:
    """What to say of confirmed calls that a clip does not hold whole; None where it holds all."""
    lengths = [box.span.duration_s for box in annotations.confirmed]
    longer = [length for length in lengths if length > clip_s + 1e-6]
    if not longer:
        return None
    return (
        f"{len(longer)} of {len(lengths)} confirmed calls have boxes longer than --clip-s "
        f"{clip_s:g}, up to {max(longer):.2f} s: clips hold the loudest part of each; --clip-s "
        f"{math.ceil(max(longer) * 10) / 10:g} holds all of them whole"
    )


def loudest_part(box: Annotation, info: AudioInfo, length_s: float) -> Span:
    """The part of a box that holds most of its sound, in the box's own band.

    What stays the same through the box is its background, and counts as nothing. A box of
    background alone gives its middle.

    Parameters
    ----------
    box : Annotation
        Longer than ``length_s``.
    info : AudioInfo
        Of its recording.
    length_s : float

    Raises
    ------
    AudioError
        If the recording cannot be read there.
    """
    span = Span(max(0.0, box.span.start_s), min(box.span.end_s, info.duration_s))
    if span.duration_s <= length_s:
        return span
    band = box.f_min_hz, box.f_max_hz
    levels = np.array(_levels(info.path, info.fingerprint, info.sample_rate, span, band))
    rest = span.duration_s - length_s
    above = np.concatenate([[0.0], np.cumsum(np.maximum(levels - np.median(levels), 0.0))])
    frames = max(1, round(length_s / _FRAME_S))
    sums = above[frames:] - above[:-frames] if len(above) > frames else np.zeros(0)
    if not len(sums) or sums.max() <= 0:
        offset_s = rest / 2
    else:
        offset_s = min(int(np.argmax(sums)) * _FRAME_S, rest)
    start_s = to_microseconds(span.start_s + offset_s)
    return Span(start_s, start_s + length_s)


@lru_cache(maxsize=10_000)
def _levels(
    path: Path, fingerprint: str, sample_rate: int, span: Span, band: tuple[float, float]
) -> tuple[float, ...]:
    """The power of each frame of a span in a band; kept, as folds and seeds ask for it again."""
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
