"""Confirmed calls cut out of their recordings, and what is known of each cutting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from negmine.annotations import Annotation
from negmine.audio.silence import LEAST_RMS
from negmine.audio.windows import Span, to_microseconds
from negmine.building.sources.context import BuildContext
from negmine.recipes.certificates import Absence, Certificate
from negmine.recipes.clip_labels import label_clip
from negmine.recipes.labels import PartialLabels
from negmine.recipes.source import Source


@dataclass(frozen=True)
class Cutting:
    """A confirmed call with its surroundings.

    Attributes
    ----------
    label : str
        The class of the call.
    source : Source
    span : Span
        Of the recording.
    labels : PartialLabels
        What the recording's boxes say of the span, and, of classes of which no box says anything,
        that they are absent: see `cut_calls`.
    """

    label: str
    source: Source
    span: Span
    labels: PartialLabels


def widened(box: Span, margin_s: float, least_s: float, most_s: float, recording_s: float) -> Span:
    """Widen a call's box on both sides, as far as the recording and the clip allow.

    Parameters
    ----------
    box : Span
        Not longer than ``most_s``.
    margin_s : float
        Added before and after.
    least_s, most_s : float
        Shortest and longest result; the box stays in its middle where the recording allows.
    recording_s : float
    """
    length = min(max(box.duration_s + 2 * margin_s, least_s), most_s, recording_s)
    start = (box.start_s + box.end_s - length) / 2
    start = to_microseconds(max(0.0, min(start, recording_s - length)))
    return Span(start, to_microseconds(start + length))


def unmarked_rates(
    boxes: Sequence[Sequence[Annotation]],
    spans: Sequence[Span],
    labels: Sequence[str],
    classes: Sequence[str],
    marked: float,
) -> np.ndarray:
    """Estimate how often a cutting of another class holds a call of a class that no box marks.

    Of the n cuttings of other classes, k hold a confirmed call of the class. If a share ``m`` of
    all calls is marked, the others occur in ``(k + 1/2) / (n + 1) * (1 - m) / m`` of them: the
    Jeffreys estimate of the marked rate, scaled to the unmarked one.

    Parameters
    ----------
    boxes : sequence of sequence of Annotation
        All boxes of each cutting's recording.
    spans : sequence of Span, of length N
    labels : sequence of str, of length N
        The class of each cutting.
    classes : sequence of str, of length C
    marked : float
        In (0, 1].

    Returns
    -------
    float64 array, shape (C,), at most 1
    """
    column = {name: i for i, name in enumerate(classes)}
    held, own = np.zeros(len(classes)), np.zeros(len(classes))
    for found, span, label in zip(boxes, spans, labels, strict=True):
        inside = {b.label for b in found if b.present and span.overlap_s(b.span) > 0} - {label}
        held[[column[name] for name in inside]] += 1
        own[column[label]] += 1
    rate = (held + 0.5) / (len(spans) - own + 1)
    return np.asarray(np.minimum(1.0, rate * (1 - marked) / marked))


def cut_calls(
    context: BuildContext, margin_s: float, least_s: float, marked: float
) -> list[Cutting]:
    """Cut out the confirmed calls that a clip holds whole and that may enter the pool.

    A class that no box touches is certified absent, with the confidence that `unmarked_rates`
    leaves. A class that is only grazed by a box stays unknown.

    Parameters
    ----------
    context : BuildContext
    margin_s, least_s : float
        See `widened`.
    marked : float
        Share of all calls in the recordings that is marked.
    """
    clip_s, annotations = context.settings.clip_s, context.annotations
    kept: list[Annotation] = []
    spans: list[Span] = []
    for box in annotations.confirmed:
        info = context.recordings.infos[box.recording]
        if info.fingerprint in context.held_out:
            continue
        if box.span.duration_s > clip_s:
            context.left_out.of(box.recording, "calls longer than a clip, for scenes")
            continue
        span = widened(box.span, margin_s, least_s, clip_s, info.duration_s)
        if info.rms(span.start_s, span.end_s) < LEAST_RMS:
            context.left_out.of(box.recording, "silent calls, for scenes")
            continue
        kept.append(box)
        spans.append(span)
    boxes = [annotations.by_recording[box.recording] for box in kept]
    named = [box.label for box in kept]
    rates = unmarked_rates(boxes, spans, named, context.classes, marked)
    unmarked = {
        name: Absence(Certificate.UNMARKED, 1 - rate)
        for name, rate in zip(context.classes, rates.tolist(), strict=True)
        if rate < 1
    }
    return [
        Cutting(
            box.label,
            context.recordings.source(box.recording),
            span,
            _labels(found, span, unmarked),
        )
        for box, found, span in zip(kept, boxes, spans, strict=True)
    ]


def _labels(boxes: Sequence[Annotation], span: Span, unmarked: dict[str, Absence]) -> PartialLabels:
    """Label a cutting: by its boxes, and absent where none touches it."""
    said = label_clip(boxes, span)
    touched = {box.label for box in boxes if box.present and span.overlap_s(box.span) > 0}
    free = {name: absence for name, absence in unmarked.items() if name not in touched}
    return PartialLabels(said.present, {**free, **said.absent})
