"""``fp``: clips round rejected detections; ``tp``: round confirmed calls, to compare with."""

from __future__ import annotations

from collections.abc import Iterator

from negmine.annotations import Annotation, Annotations
from negmine.annotations.long_boxes import loud_starts
from negmine.annotations.recordings import Recordings
from negmine.audio.windows import Span, centred_window, to_microseconds
from negmine.recipes.clip_labels import label_clip
from negmine.recipes.confidence import BEYOND_BOX_PER_S
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import Layer
from negmine.recipes.recipe import Recipe


def annotated_clips(
    annotations: Annotations,
    recordings: Recordings,
    *,
    present: bool,
    clip_s: float,
    sample_rate: int,
    beyond_per_s: float = BEYOND_BOX_PER_S,
    placements: int = 1,
    missed: list[Annotation] | None = None,
) -> Iterator[Recipe]:
    """Yield clips round boxes: one, centred, or several, evenly placed along the box.

    The labels are what *all* boxes of the recording say about the clip, not only the one it is
    centred on. A call longer than the clip gives its loudest part; a rejected box gives a clip for
    each clip's length of it, once for all classes rejected there. A clip in which the rejected
    class is not certified absent (a call of it is near, or the verdict does not reach that far) is
    left out.

    Parameters
    ----------
    annotations, recordings
    present : bool
        True: clips of confirmed calls, of kind ``tp``. False: rejected detections, ``fp``.
    clip_s : float
    sample_rate : int
    beyond_per_s : float
        See `negmine.recipes.clip_labels.label_clip`.
    placements : int
        Clips a box, as far as the recording's ends leave them apart.
    missed : list, optional
        Filled with the boxes that gave no clip.
    """
    kind = "tp" if present else "fp"
    # of clips of long boxes: what they say, and those that are yielded
    known: dict[tuple[str, float], PartialLabels] = {}
    yielded: set[tuple[str, float]] = set()
    for box in annotations.confirmed if present else annotations.rejected:
        source = recordings.source(box.recording)
        boxes = annotations.by_recording[box.recording]
        found = 0
        span, count = box.span, placements
        if present and span.duration_s > clip_s:
            starts = loud_starts(box, recordings.infos[box.recording], clip_s)
            span = Span(starts.start_s, starts.end_s + clip_s)
        elif not present:
            count = max(placements, int(span.duration_s / clip_s + 1e-6))
        for clip in placed_windows(span, clip_s, source.duration_s, count):
            place = box.recording, clip.start_s
            labels = known.get(place) or label_clip(boxes, clip, beyond_per_s=beyond_per_s)
            if count > placements:
                known[place] = labels
            if box.label not in (labels.present if present else labels.absent):
                continue
            found += 1
            if place in yielded:
                continue
            if count > placements:
                yielded.add(place)
            yield Recipe(kind, (Layer(source, clip.start_s),), clip_s, sample_rate, labels)
        if missed is not None and not found:
            missed.append(box)


def placed_windows(box: Span, clip_s: float, recording_s: float, placements: int) -> list[Span]:
    """Place windows of a recording that hold a box, or are in it where it is the longer.

    One is centred; several are from one end of the box to the other, both included. All are moved
    as little as needed to be inside the recording; those that then coincide count once.
    """
    if placements == 1:
        return [centred_window(box, clip_s, recording_s)]
    first, last = sorted((box.end_s - clip_s, box.start_s))
    latest = max(0.0, recording_s - clip_s)
    steps = (first + (last - first) * i / (placements - 1) for i in range(placements))
    starts = dict.fromkeys(to_microseconds(min(max(0.0, step), latest)) for step in steps)
    return [Span(start, start + clip_s) for start in starts]
