"""Verdicts on whole files: where they end, and where in a file a call is that has no times.

A rejection of a whole file holds for all of it. A confirmed call does not call all through it: its
box is where the file's energy is, so that no other crop is taken for a call.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from negmine.annotations.schema import END_TOLERANCE_S, Annotation, Annotations
from negmine.audio.read import AudioInfo
from negmine.audio.silence import LEVEL_BLOCK_S
from negmine.audio.windows import Span, to_microseconds
from negmine.errors import shorten

# Sound from its first to its last loud block is one call up to this length; in what is longer, the
# stretch with most energy is.
LONGEST_S = 10.0
# A block is loud above this many times the power of the file's quietest tenth,
_ABOVE_FLOOR = 4.0
# and above this share of that of its loudest block.
_BELOW_PEAK = 1e-3
# Loud blocks with less than this between them are one stretch.
_GAP_S = 0.5
# What is kept before and after the loud blocks.
_MARGIN_S = 0.1


@dataclass(frozen=True)
class Trimmed:
    """A confirmed call of a whole file, and where its box is now."""

    box: Annotation
    duration_s: float


def is_open(box: Annotation) -> bool:
    """Return whether a box ends with its file, in time or in frequency."""
    return math.isinf(box.span.end_s) or math.isinf(box.f_max_hz)


def closed(
    annotations: Annotations, infos: Mapping[str, AudioInfo]
) -> tuple[Annotations, tuple[str, ...]]:
    """End all boxes where their files do; put those of whole-file calls where the energy is.

    Parameters
    ----------
    infos : mapping of str to AudioInfo
        Of all annotated recordings.

    Returns
    -------
    annotations : Annotations
    notes : tuple of str
        A line on the calls that were trimmed, and one on boxes that were cut at the end.
    """
    boxes, trimmed, cut = [], [], []
    for box in annotations.boxes:
        info = infos[box.recording]
        made = _closed(box, info, annotations.past_end_s)
        boxes.append(made)
        if made.span != box.span and not math.isinf(box.span.end_s):
            cut.append(made)
        elif box.present and math.isinf(box.span.end_s) and made.span.duration_s < info.duration_s:
            trimmed.append(Trimmed(made, info.duration_s))
    calls = sum(box.present and math.isinf(box.span.end_s) for box in annotations.boxes)
    notes = (_of_trimmed(trimmed, calls), _of_cut(cut))
    made_of = replace(annotations, boxes=tuple(boxes))
    return made_of, tuple(line for line in notes if line)


def _closed(box: Annotation, info: AudioInfo, past_end_s: float) -> Annotation:
    span = box.span
    past_s = span.end_s - info.duration_s
    if END_TOLERANCE_S < past_s <= past_end_s and span.start_s < info.duration_s:
        # a detector's last window is often filled up with zeros
        span = Span(span.start_s, info.duration_s)
    elif math.isinf(span.end_s):
        # an absence may begin behind a call; a call without times is of the whole file
        span = loud_span(info) if box.present else Span(span.start_s, info.duration_s)
    top = info.sample_rate / 2 if math.isinf(box.f_max_hz) else box.f_max_hz
    # `negmine.annotations.rates` checks that a band is in the file's
    top = top if top > box.f_min_hz else box.f_min_hz + 1.0
    return replace(box, span=span, f_max_hz=top)


def loud_span(info: AudioInfo) -> Span:
    """Return where a file's energy is: all of it, where it sounds alike all through.

    From its first to its last loud block, with a margin; where that is longer than `LONGEST_S`, the
    stretch of loud blocks that has most energy, cut to that length round its loudest part.

    Examples
    --------
    >>> power = np.full(100, 1e-6)
    >>> power[30:35] = 1e-2
    >>> from pathlib import Path
    >>> loud_span(AudioInfo(Path("a.wav"), 8000, 80_000, 1, "", power))
    Span(start_s=2.9, end_s=3.6)
    """
    power = np.asarray(info.power, dtype=np.float64)
    whole = Span(0.0, info.duration_s)
    if not len(power) or not power.max() > 0:
        return whole
    # of what sounds alike all through, no part is louder than the floor by that much
    loud = power > max(_ABOVE_FLOOR * np.quantile(power, 0.1), _BELOW_PEAK * power.max())
    places = np.flatnonzero(loud)
    if not len(places):
        return whole if whole.duration_s <= LONGEST_S else _around(power, 0, len(power), info)
    first, last = int(places[0]), int(places[-1]) + 1
    if (last - first) * LEVEL_BLOCK_S > LONGEST_S:
        breaks = np.flatnonzero(np.diff(places) * LEVEL_BLOCK_S > _GAP_S)
        starts = places[np.append(0, breaks + 1)]
        ends = places[np.append(breaks, len(places) - 1)] + 1
        energy = [power[a:b].sum() for a, b in zip(starts, ends, strict=True)]
        best = int(np.argmax(energy))
        first, last = int(starts[best]), int(ends[best])
    if (last - first) * LEVEL_BLOCK_S > LONGEST_S:
        return _around(power, first, last, info)
    return _span(first * LEVEL_BLOCK_S - _MARGIN_S, last * LEVEL_BLOCK_S + _MARGIN_S, info)


def _around(power: np.ndarray, first: int, last: int, info: AudioInfo) -> Span:
    """Return the part of some blocks, as long as a call may be, that has most energy."""
    count = min(round(LONGEST_S / LEVEL_BLOCK_S), last - first)
    total = np.concatenate([[0.0], np.cumsum(power[first:last])])
    start = first + int(np.argmax(total[count:] - total[:-count]))
    return _span(start * LEVEL_BLOCK_S, (start + count) * LEVEL_BLOCK_S, info)


def _span(start_s: float, end_s: float, info: AudioInfo) -> Span:
    start_s, end_s = max(0.0, start_s), min(end_s, info.duration_s)
    return Span(to_microseconds(start_s), to_microseconds(end_s))


def _of_trimmed(trimmed: list[Trimmed], calls: int) -> str:
    if not trimmed:
        return ""
    long = [one for one in trimmed if one.duration_s > LONGEST_S]
    first = trimmed[0]
    line = (
        f"{len(trimmed)} of {calls} calls of whole files are taken to be where the energy is; the "
        f"first: {first.box.recording}, {first.box.span.start_s:g} to {first.box.span.end_s:g} s "
        f"of {first.duration_s:.2f} s"
    )
    if long:
        names = shorten([one.box.recording for one in long], 3)
        line += (
            f"; {len(long)} of these files are longer than {LONGEST_S:g} s ({names}): what is "
            "loudest there may be something else; rows with times are safer"
        )
    return line


def _of_cut(cut: list[Annotation]) -> str:
    if not cut:
        return ""
    return (
        f"{len(cut)} rows reach past the end of their recording, as a detector's last window does, "
        f"and are cut there; the first: {cut[0].where}"
    )
