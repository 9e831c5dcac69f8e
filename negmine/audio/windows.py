"""Spans of time: the one place where seconds become samples."""

from __future__ import annotations

import math
from dataclasses import dataclass


def to_samples(seconds: float, sample_rate: int) -> int:
    """Convert seconds to a whole number of samples, halves rounded up.

    Every length and position in the project goes through here, so that a clip of 2 s has the same
    number of samples wherever it is cut.
    """
    return math.floor(seconds * sample_rate + 0.5)


def to_microseconds(seconds: float) -> float:
    """Round a time to whole microseconds, so that equal times compare and hash as equal."""
    return round(seconds, 6)


@dataclass(frozen=True, slots=True, order=True)
class Span:
    """A half-open span of a recording, in seconds."""

    start_s: float
    end_s: float

    @property
    def duration_s(self) -> float:
        return self.end_s - self.start_s

    def overlap_s(self, other: Span) -> float:
        """Return seconds that both spans share, never below 0."""
        return max(0.0, min(self.end_s, other.end_s) - max(self.start_s, other.start_s))


def covered_s(span: Span, parts: list[Span]) -> float:
    """Return seconds of ``span`` inside the union of ``parts``."""
    total, reached = 0.0, span.start_s
    for part in sorted(parts):
        start, end = max(part.start_s, reached), min(part.end_s, span.end_s)
        if end > start:
            total += end - start
            reached = end
    return total


def centred_window(box: Span, clip_s: float, recording_s: float) -> Span:
    """Centre a clip window on a box; move it only as needed to be inside the recording.

    Where the recording is shorter than the clip, the window starts at 0 and reaches past the end:
    rendering pads it with zeros.
    """
    start = (box.start_s + box.end_s - clip_s) / 2
    start = to_microseconds(max(0.0, min(start, recording_s - clip_s)))
    return Span(start, start + clip_s)
