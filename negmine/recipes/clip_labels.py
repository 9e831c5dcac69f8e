"""What the verdicts on a recording say of one clip of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from typing import Protocol

from negmine.audio.windows import Span, covered_s
from negmine.recipes.certificates import MIN_CONFIDENCE, Absence, Certificate
from negmine.recipes.confidence import BEYOND_BOX_PER_S
from negmine.recipes.labels import PartialLabels

# A confirmed call counts as present in a clip that holds this share of it (or is filled by it).
MIN_CALL_SHARE = 0.5


class Box(Protocol):
    """A verdict on one class in one span of a recording: confirmed (TP) or rejected (FP)."""

    @property
    def label(self) -> str: ...
    @property
    def present(self) -> bool: ...
    @property
    def span(self) -> Span: ...
    @property
    def confidence(self) -> float: ...


def label_clip(
    boxes: Iterable[Box],
    clip: Span,
    *,
    beyond_per_s: float = BEYOND_BOX_PER_S,
    min_call_share: float = MIN_CALL_SHARE,
) -> PartialLabels:
    """Label one clip of a recording by the recording's boxes.

    A class is present if the clip holds ``min_call_share`` of a confirmed call, or is itself that
    full of one. A class whose call is only grazed is unknown, whatever else was rejected. A class
    is absent if the clip touches a box in which it was rejected: with the lowest confidence of such
    boxes inside them, times ``beyond_per_s`` for each second of the clip outside them.

    Parameters
    ----------
    boxes : iterable of Box
        All verdicts on the recording, in any order.
    clip : Span
    beyond_per_s : float
        In [0, 1]; 0 certifies only clips that are inside rejected boxes.
    min_call_share : float
        In (0, 1].

    Raises
    ------
    ValueError
        If ``beyond_per_s`` is outside [0, 1].
    """
    present, grazed = set(), set()
    rejected: defaultdict[str, list[Box]] = defaultdict(list)
    start_s, end_s = clip.start_s, clip.end_s
    for box in boxes:
        span = box.span
        # most boxes of a long recording are elsewhere
        if span.end_s <= start_s or span.start_s >= end_s:
            continue
        shared = clip.overlap_s(span)
        if shared <= 0:
            continue
        if not box.present:
            rejected[box.label].append(box)
        elif shared >= min_call_share * min(box.span.duration_s, clip.duration_s):
            present.add(box.label)
        else:
            grazed.add(box.label)
    absent = {}
    for name, found in rejected.items():
        if name in present or name in grazed:
            continue
        outside = max(0.0, clip.duration_s - covered_s(clip, [box.span for box in found]))
        # nanoseconds of rounding are not a second thought about the verdict
        confidence = _beyond(outside if outside > 1e-9 else 0.0, beyond_per_s)
        confidence *= min(box.confidence for box in found)
        if confidence >= MIN_CONFIDENCE:
            absent[name] = Absence(Certificate.VERIFIED, confidence)
    return PartialLabels(frozenset(present), absent)


def _beyond(seconds: float, beyond_per_s: float) -> float:
    if not 0.0 <= beyond_per_s <= 1.0:
        raise ValueError(f"beyond_per_s {beyond_per_s} is outside [0, 1]")
    return float(beyond_per_s**seconds)
