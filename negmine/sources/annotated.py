"""``fp``: clips round rejected detections; ``tp``: round confirmed calls, to compare with."""

from __future__ import annotations

from collections.abc import Iterator

from negmine.annotations import Annotations
from negmine.labels import BEYOND_BOX_PER_S, label_clip
from negmine.recipe import Layer, Recipe
from negmine.recordings import Recordings
from negmine.windows import centred_window


def annotated_clips(
    annotations: Annotations,
    recordings: Recordings,
    *,
    present: bool,
    clip_s: float,
    sample_rate: int,
    beyond_per_s: float = BEYOND_BOX_PER_S,
) -> Iterator[Recipe]:
    """One clip a box, centred on it as far as the recording's ends allow.

    The labels are what *all* boxes of the recording say about the clip, not only the one it is
    centred on. A clip in which the rejected class is not certified absent (a call of it is near, or
    the verdict does not reach that far) is left out.

    Parameters
    ----------
    annotations, recordings
    present : bool
        True: clips of confirmed calls, of kind ``tp``. False: rejected detections, ``fp``.
    clip_s : float
    sample_rate : int
    beyond_per_s : float
        See `negmine.labels.label_clip`.
    """
    for box in annotations.confirmed if present else annotations.rejected:
        source = recordings.source(box.recording)
        clip = centred_window(box.span, clip_s, source.duration_s)
        boxes = annotations.by_recording[box.recording]
        labels = label_clip(boxes, clip, beyond_per_s=beyond_per_s)
        if box.label in (labels.present if present else labels.absent):
            kind = "tp" if present else "fp"
            yield Recipe(kind, (Layer(source, clip.start_s),), clip_s, sample_rate, labels)
