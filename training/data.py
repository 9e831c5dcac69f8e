"""Training rows: crops round confirmed calls and rejected detections."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from negmine.annotations import Annotation, Annotations
from negmine.audio import read_span
from negmine.labels import PartialLabels, label_clip
from negmine.recordings import Recordings
from negmine.windows import Span, to_microseconds, to_samples
from training.clips import ClipStore, Progress
from training.config import TrainConfig
from training.rows import Batch, RowKind, make_batch


def split_recordings(names: Sequence[str], folds: int, fold: int, seed: int) -> frozenset[str]:
    """The recordings of one fold: shuffled by the seed, then dealt out.

    With one fold nothing is held out.
    """
    if folds == 1:
        return frozenset()
    ordered = sorted(names)
    shuffled = np.random.default_rng([seed, folds]).permutation(len(ordered))
    return frozenset(ordered[i] for i in shuffled[fold::folds])


def crop_starts(box: Span, clip_s: float, recording_s: float) -> Span:
    """Where a crop may start: it holds the whole box, or lies inside it where that is longer.

    Moved as little as needed to keep the crop inside the recording.
    """
    latest = max(0.0, recording_s - clip_s)
    low, high = sorted((box.end_s - clip_s, box.start_s))
    return Span(min(max(low, 0.0), latest), min(max(high, 0.0), latest))


class BoxRows:
    """Draws crops of boxes, classes evenly: a class with few boxes trains as often as others.

    Parameters
    ----------
    annotations : Annotations
        Of the training recordings. Labels of a crop come from all of its recording's boxes.
    recordings : Recordings
    config : TrainConfig
    cache : Path
        Folder for the decoded clips.
    progress : callable
        Given a title and a number of boxes to decode, returns what to call after each.
    """

    def __init__(
        self,
        annotations: Annotations,
        recordings: Recordings,
        config: TrainConfig,
        cache: Path,
        progress: Progress = lambda title, total: lambda: None,
    ) -> None:
        self._annotations = annotations
        self._config = config
        self._boxes = annotations.boxes
        self._starts = [
            crop_starts(box.span, config.clip_s, recordings.infos[box.recording].duration_s)
            for box in self._boxes
        ]
        self._rows: dict[RowKind, list[np.ndarray]] = {
            RowKind.TP: _rows_by_class(self._boxes, present=True),
            RowKind.FP: _rows_by_class(self._boxes, present=False),
        }
        rate = config.sample_rate
        spans = [(s.start_s, s.duration_s + config.clip_s) for s in self._starts]
        sources = [recordings.source(box.recording) for box in self._boxes]
        self._store = ClipStore.open(
            cache,
            [(s.fingerprint, start, rate) for s, (start, _) in zip(sources, spans, strict=True)],
            [to_samples(duration, rate) for _, duration in spans],
            lambda i: read_span(sources[i].path, *spans[i], rate),
            lambda total: progress("decoding clips", total),
        )

    def batch(self, step: int) -> Batch:
        """The rows of a step: the same for the same step, whatever was drawn before."""
        config = self._config
        rng = np.random.default_rng([config.seed, step])
        drawn = [(RowKind.TP, config.tp_per_step), (RowKind.FP, config.fp_per_step)]
        kinds = [kind for kind, count in drawn for _ in range(count) if self._rows[kind]]
        waveforms, labels = [], []
        for kind in kinds:
            classes = self._rows[kind]
            rows = classes[rng.integers(len(classes))]
            index = int(rows[rng.integers(len(rows))])
            waveform, partial = self._crop(index, rng)
            waveforms.append(waveform)
            labels.append(partial)
        return make_batch(waveforms, labels, kinds, self._annotations.classes)

    def _crop(self, index: int, rng: np.random.Generator) -> tuple[np.ndarray, PartialLabels]:
        config, box, starts = self._config, self._boxes[index], self._starts[index]
        start_s = to_microseconds(rng.uniform(starts.start_s, starts.end_s))
        clip = Span(start_s, start_s + config.clip_s)
        boxes = self._annotations.by_recording[box.recording]
        labels = label_clip(boxes, clip, beyond_per_s=config.beyond_per_s)
        offset = to_samples(start_s - starts.start_s, config.sample_rate)
        length = to_samples(config.clip_s, config.sample_rate)
        return self._store.read(index, offset, length), labels


def _rows_by_class(boxes: Sequence[Annotation], present: bool) -> list[np.ndarray]:
    rows: defaultdict[str, list[int]] = defaultdict(list)
    for index, box in enumerate(boxes):
        if box.present == present:
            rows[box.label].append(index)
    return [np.array(rows[label]) for label in sorted(rows)]
