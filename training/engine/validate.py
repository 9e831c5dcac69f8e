"""Validation on known labels: each verdict is scored where it was given, and nowhere else.

A rejected detection says nothing of the rest of its recording, so its cell is scored inside its own
span; so is a confirmed call's.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from negmine.annotations import Annotation, Annotations
from negmine.annotations.recordings import Recordings
from negmine.arrays import FloatSamples, WeightClasses
from negmine.audio.read import read_all
from negmine.audio.windows import Span
from negmine.recipes.cache import ExactReader
from training.config import TrainConfig
from training.engine.precision import autocast
from training.metrics import known_ap, neg_at_k, scores_matter
from training.models.model import FeatureMap, Model


class SpanScore(NamedTuple):
    """What a model says of a verdict's class in its own span, which is widened to a window."""

    row: int  # the recording
    column: int  # the class
    present: bool
    span: Span
    score: float  # logit


@dataclass(frozen=True)
class KnownScores:
    """Scores of the known cells of each validation recording.

    Attributes
    ----------
    truth, known : bool array, shape (R, C)
    scores : float32 array, shape (R, C)
        Logits; 0 where unknown.
    spans : tuple of SpanScore
        Of each verdict.
    """

    truth: NDArray[np.bool_]
    known: NDArray[np.bool_]
    scores: NDArray[np.float32]
    spans: tuple[SpanScore, ...] = ()

    def summary(self) -> dict[str, float]:
        """Average precision over the known cells, and how often a negative ranks above a call.

        ``known_ap``, ``neg@3`` and ``neg@5``, without those that are the same for any model.
        """
        found = {}
        if scores_matter(self.truth, self.known, "all"):
            found["known_ap"] = known_ap(self.truth, self.scores, self.known)
        if scores_matter(self.truth, self.known, "clip"):
            for k in (3, 5):
                found[f"neg@{k}"] = neg_at_k(self.truth, self.scores, k, self.known)
        return found


class ClipScorer:
    """Scores whole recordings in one pass each.

    Parameters
    ----------
    config : TrainConfig
        For the readout and its window.
    """

    def __init__(self, detector: Model, config: TrainConfig, device: torch.device) -> None:
        self._detector = detector.eval()
        self._config = config
        self._device = device
        self.grid = detector.grid
        self.frames_per_second = self.grid.per_second
        self.window_frames = self.grid.frames(config.window_s)
        self.frozen = detector.frozen

    @torch.inference_mode()
    def features(self, samples: FloatSamples) -> FeatureMap:
        """Compute the feature map of one recording, shape (T,)."""
        # a recording shorter than one analysis frame is filled up with silence
        front_end = self._detector.front_end
        missing = max(0, front_end.frame - len(samples)) if front_end else 0
        waveform = torch.from_numpy(np.pad(samples, (0, missing))).unsqueeze(0).to(self._device)
        with autocast(self._device, self._config.precision):
            return self._detector.features(waveform)

    @torch.inference_mode()
    def clip_logits(self, features: FeatureMap) -> WeightClasses:
        """Compute logits of the whole recording: float32, shape (C,)."""
        logits = self._detector.read_out(
            features,
            self._config.readout,
            self.window_frames,
            self._config.lse_sharpness,
        )
        return logits[0].cpu().numpy()

    def span_logits(self, features: FeatureMap, span: Span) -> WeightClasses:
        """Compute logits of a span of the recording, widened to at least one window: shape (C,)."""
        return self.clip_logits(features.window(*self._frames_of(span, features.length)))

    def _frames_of(self, span: Span, frames: int) -> tuple[int, int]:
        """Return the first and past-the-last frame of a span of a recording of so many."""
        rate = self.grid.per_second
        first = math.floor(span.start_s * rate)
        last = math.ceil((span.end_s - self.grid.beyond_s) * rate)
        missing = max(0, self.window_frames - (last - first))
        first = max(0, min(first - missing // 2, frames - self.window_frames))
        last = min(frames, max(last + missing - missing // 2, first + self.window_frames))
        return first, last

    def span_features(self, samples: FloatSamples, span: Span) -> FeatureMap:
        """Compute the frames of a span of a recording alone, where none depends on the others."""
        spacing = self._detector.spacing
        beyond = round(self.grid.beyond_s * self._config.sample_rate)
        frames = max(1, -(-(len(samples) - beyond) // spacing))
        first, last = self._frames_of(span, frames)
        return self.features(samples[first * spacing : last * spacing + beyond])


def read_recordings(
    recordings: Recordings, sample_rate: int, cache: Path | None = None
) -> Iterator[tuple[str, FloatSamples]]:
    """Yield each recording's name and samples, decoded in threads a few ahead.

    Those that a cache holds to the bit are read from it.
    """
    names = iter(recordings.infos)
    exact = ExactReader(*([cache] if cache else []))

    def read(name: str) -> FloatSamples:
        info, source = recordings.infos[name], recordings.source(name)
        if reader := exact.cache_of(source, sample_rate):
            return reader.read(source, 0.0, info.duration_s, sample_rate)
        return read_all(info.path, sample_rate)

    with ThreadPoolExecutor(2) as threads:
        ahead = [(name, threads.submit(read, name)) for name in islice(names, 3)]
        while ahead:
            name, samples = ahead.pop(0)
            ahead += [(name, threads.submit(read, name)) for name in islice(names, 1)]
            yield name, samples.result()


class Verdicts:
    """The verdicts on held-out recordings, as models are validated by.

    Where a class has several verdicts in a recording, a confirmed call outweighs rejections, and
    the highest score counts.

    Parameters
    ----------
    recordings : Recordings
    annotations : Annotations
        Of these recordings.
    sample_rate : int
        Hz.
    cache : Path, optional
        See `read_recordings`.
    """

    def __init__(
        self,
        recordings: Recordings,
        annotations: Annotations,
        sample_rate: int,
        cache: Path | None = None,
    ) -> None:
        self._recordings, self._annotations = recordings, annotations
        self._sample_rate, self._cache = sample_rate, cache
        self._kept: list[list[FeatureMap]] = []  # of each verdict of each recording

    def scores(self, scorer: ClipScorer) -> KnownScores:
        """Score every annotated recording, and read each verdict out of its own span."""
        classes = {name: index for index, name in enumerate(self._annotations.classes)}
        spans: list[SpanScore] = []
        for row, (boxes, logits) in enumerate(self._verdicts(scorer)):
            spans += _scored(boxes, logits, classes, row)
        cells = known_cells(spans, (len(self._recordings.infos), len(classes)))
        return KnownScores(*cells, tuple(spans))

    def _read(self) -> Iterator[tuple[str, FloatSamples]]:
        return read_recordings(self._recordings, self._sample_rate, self._cache)

    def _verdicts(
        self, scorer: ClipScorer
    ) -> Iterator[tuple[Sequence[Annotation], list[WeightClasses]]]:
        """Yield each recording's verdicts, and the logits of their spans."""
        of = self._annotations.by_recording
        if scorer.frozen:
            # what a frozen network says of a span is the same in every epoch
            if not self._kept:
                for name, samples in self._read():
                    boxes = of.get(name, ())
                    self._kept.append([scorer.span_features(samples, box.span) for box in boxes])
            for name, features in zip(self._recordings.infos, self._kept, strict=True):
                yield of.get(name, ()), [scorer.clip_logits(one) for one in features]
            return
        for name, samples in self._read():
            boxes = of.get(name, ())
            whole = scorer.features(samples)
            yield boxes, [scorer.span_logits(whole, box.span) for box in boxes]


def span_scores(
    scorer: ClipScorer,
    features: FeatureMap,
    boxes: Iterable[Annotation],
    classes: Mapping[str, int],
    row: int = 0,
) -> list[SpanScore]:
    """Score the verdicts of one recording, each in its own span.

    Parameters
    ----------
    features : FeatureMap
        Of the recording.
    boxes : iterable of Annotation
        All verdicts on it.
    classes : mapping of str to int
        The model's output of each class.
    row : int
        The recording's place.
    """
    boxes = list(boxes)
    return _scored(boxes, [scorer.span_logits(features, box.span) for box in boxes], classes, row)


def _scored(
    boxes: Sequence[Annotation],
    logits: Sequence[WeightClasses],
    classes: Mapping[str, int],
    row: int,
) -> list[SpanScore]:
    """Return the scores of a recording's verdicts, by the logits of their spans."""
    found = []
    for box, of_span in zip(boxes, logits, strict=True):
        column = classes[box.label]
        found.append(SpanScore(row, column, box.present, box.span, float(of_span[column])))
    return found


def known_cells(
    spans: Iterable[SpanScore], shape: tuple[int, int]
) -> tuple[NDArray[np.bool_], NDArray[np.bool_], NDArray[np.float32]]:
    """Return the cells of `KnownScores` that spans make: truth, known and scores, (R, C) each."""
    truth = np.zeros(shape, dtype=bool)
    known = np.zeros(shape, dtype=bool)
    scores = np.zeros(shape, dtype=np.float32)
    # rejections first, so that a confirmed call takes the cell over
    for one in sorted(spans, key=lambda one: one.present):
        cell = one.row, one.column
        score = one.score
        if known[cell] and truth[cell] == one.present:
            score = max(score, float(scores[cell]))
        truth[cell], known[cell], scores[cell] = one.present, True, score
    return truth, known, scores
