"""A run's own rows: crops round confirmed calls and rejected detections."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from negmine.annotations import Annotation, Annotations
from negmine.annotations.class_bands import class_bands
from negmine.annotations.long_boxes import loud_starts
from negmine.annotations.recordings import Recordings
from negmine.arrays import IntRows, WeightClasses
from negmine.audio.read import AudioInfo
from negmine.audio.windows import Span, to_microseconds, to_samples
from negmine.progress import Progress, no_progress
from negmine.recipes.cache_items import cache_spans
from negmine.recipes.clip_labels import label_clip
from training.config import TrainConfig
from training.data.rows import Call, Row, RowKind


class Soft(Protocol):
    """Pseudo labels of the training recordings."""

    @property
    def description(self) -> str:
        """Says which: a run resumes only with the same."""

    def __call__(self, recording: str, span: Span) -> WeightClasses | None:
        """Return the pseudo labels of a span of a recording: shape (C,); None where none are."""


def crop_starts(box: Span, clip_s: float, recording_s: float) -> Span:
    """Return where a crop may start: it holds the whole box, or is inside a longer one.

    Moved as little as needed to keep the crop inside the recording.
    """
    latest = max(0.0, recording_s - clip_s)
    low, high = sorted((box.end_s - clip_s, box.start_s))
    return Span(min(max(low, 0.0), latest), min(max(high, 0.0), latest))


def placed(start_s: float, starts: Span, config: TrainConfig) -> float:
    """Return where a crop starts that was drawn from a span: there, or in the nearest placement."""
    if config.placements and starts.duration_s > 0:
        share = (start_s - starts.start_s) / starts.duration_s * config.placements
        number = min(math.floor(share), config.placements - 1)
        start_s = starts.start_s + starts.duration_s * (number + 0.5) / config.placements
    return to_microseconds(start_s)


def _starts_of(box: Annotation, info: AudioInfo, clip_s: float) -> Span:
    """Return where a box's crops start; those of a call longer than they are hold its sound."""
    if box.present and box.span.duration_s > clip_s:
        return loud_starts(box, info, clip_s)
    return crop_starts(box.span, clip_s, info.duration_s)


@dataclass(frozen=True)
class Draw:
    """A row of a step: round which box, and where its crop starts in the recording."""

    kind: RowKind
    box: int
    start_s: float


class BoxRows:
    """Draws crops of boxes, classes evenly: a class with few boxes trains as often as others.

    Parameters
    ----------
    annotations : Annotations
        Of the training recordings. Labels of a crop come from all of its recording's boxes.
    cache : Path
        Folder for the decoded clips.
    progress : Progress
        Of the decoding.
    soft : callable, optional
        Given a recording and a span of it, the span's pseudo labels: shape (C,), or None.
    """

    def __init__(
        self,
        annotations: Annotations,
        recordings: Recordings,
        config: TrainConfig,
        cache: Path,
        progress: Progress = no_progress,
        soft: Soft | None = None,
    ) -> None:
        self.annotations = annotations
        self.classes = annotations.classes
        self._soft = soft
        self._config = config
        self._boxes = annotations.boxes
        self._starts = [
            _starts_of(box, recordings.infos[box.recording], config.clip_s) for box in self._boxes
        ]
        self._rows: dict[RowKind, list[IntRows]] = {
            RowKind.TP: _rows_by_class(self._boxes, present=True),
            RowKind.FP: _rows_by_class(self._boxes, present=False),
        }
        spans = [
            (recordings.source(box.recording), s.start_s, s.duration_s + config.clip_s)
            for box, s in zip(self._boxes, self._starts, strict=True)
        ]
        self._clips = cache_spans(cache, spans, config.sample_rate, progress)

    def draw(self, step: int) -> list[Draw]:
        """Draw the rows of a step: the same for the same step, whatever was drawn before."""
        rng = np.random.default_rng([self._config.seed, step])
        drawn = []
        for kind, box in draw_evenly(rng, self._rows, self._config):
            starts = self._starts[box]
            start_s = placed(rng.uniform(starts.start_s, starts.end_s), starts, self._config)
            drawn.append(Draw(kind, box, start_s))
        return drawn

    def row(self, draw: Draw) -> Row:
        """Draw a row: its sound, and what all of its recording's boxes say of it."""
        config, recording = self._config, self._boxes[draw.box].recording
        clip = Span(draw.start_s, draw.start_s + config.clip_s)
        boxes = self.annotations.touching(recording, clip)
        labels = label_clip(boxes, clip, beyond_per_s=config.beyond_per_s)
        offset = to_samples(draw.start_s - self._starts[draw.box].start_s, config.sample_rate)
        length = to_samples(config.clip_s, config.sample_rate)
        calls = tuple(
            Call(
                box.label,
                Span(box.span.start_s - clip.start_s, box.span.end_s - clip.start_s),
                box.f_min_hz,
                box.f_max_hz,
            )
            for box in boxes
            if box.present and box.label in labels.present
        )
        soft = self._soft(recording, clip) if self._soft else None
        return Row(self._clips.read(draw.box, offset, length), labels, draw.kind, soft, calls)

    def bands(self) -> Mapping[str, tuple[float, float]]:
        """Return those of the confirmed boxes."""
        return class_bands(self.annotations, margin=0)

    def rows(self, step: int) -> list[Row]:
        """Draw the rows of a step, as they were recorded."""
        return [self.row(draw) for draw in self.draw(step)]


def draw_evenly(
    rng: np.random.Generator,
    rows: Mapping[RowKind, list[IntRows]],
    config: TrainConfig,
) -> Iterator[tuple[RowKind, int]]:
    """Draw kinds and numbers of a step's rows, classes evenly; ``rows``: by kind and class.

    Each is drawn when it is asked for: what is drawn of it meanwhile comes in between.
    """
    for kind, count in ((RowKind.TP, config.tp_per_step), (RowKind.FP, config.fp_per_step)):
        classes = rows[kind]
        for _ in range(count if classes else 0):
            of_class = classes[rng.integers(len(classes))]
            yield kind, int(of_class[rng.integers(len(of_class))])


def _rows_by_class(boxes: Sequence[Annotation], present: bool) -> list[IntRows]:
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for index, box in enumerate(boxes):
        if box.present == present:
            rows[box.label].append(index)
    return [np.array(rows[label]) for label in sorted(rows)]
