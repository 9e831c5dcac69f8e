"""What models say of the spans that people judged, each by models that held its recording out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import expit, logit

from negmine.annotations import Annotation, Annotations
from negmine.annotations.recordings import Recordings
from negmine.progress import Progress, no_progress
from training.engine.checkpoint import Checkpoint
from training.engine.validate import ClipScorer, read_recordings
from training.evaluation.inference import RecordingScorer

# Probabilities are kept off 0 and 1, whose logits are infinite.
_HAIR = 1e-12


def as_logit(probability: np.ndarray) -> np.ndarray:
    """Return finite logits of probabilities."""
    return np.asarray(logit(np.clip(probability, _HAIR, 1 - _HAIR)))


@dataclass(frozen=True)
class Spans:
    """Judged spans, arrays of shape (V,).

    Attributes
    ----------
    column : int array
        The class.
    recording : int array
    present : bool array
    logit : float64 array
        Of the mean of the probabilities of the models that held it out; those of the best window.
    at_site : bool array
        A verdict on a window of the site, which the tables of calls and rejections are not.
    left_out : int
        Spans that every model was trained on.
    length_s : float
        Median length.
    """

    column: np.ndarray
    recording: np.ndarray
    present: np.ndarray
    logit: np.ndarray
    at_site: np.ndarray
    left_out: int
    length_s: float


@dataclass(frozen=True)
class Models:
    """Models, and which of them may be asked about a recording.

    Attributes
    ----------
    scorers : sequence of RecordingScorer
    held_out : sequence of frozenset of str
        Of each model.
    new : frozenset of str
        Recordings that none was trained on.
    """

    scorers: Sequence[RecordingScorer]
    held_out: Sequence[frozenset[str]]
    new: frozenset[str] = frozenset()

    def of(self, recording: str) -> tuple[int, ...]:
        """Return which models were not trained on a recording."""
        held = tuple(i for i, names in enumerate(self.held_out) if recording in names)
        return held or (tuple(range(len(self.scorers))) if recording in self.new else ())


def models_of(
    checkpoints: Sequence[Checkpoint], scorers: Sequence[RecordingScorer], site: Collection[str]
) -> Models:
    """Say which models may be asked: of a site that no model holds anything out of, all may.

    A site of which one holds out recordings was trained on: there, only those held out are asked.
    """
    held = [frozenset(one.held_out) for one in checkpoints]
    met = frozenset().union(*held) & frozenset(site)
    return Models(scorers, held, frozenset() if met else frozenset(site))


def score_spans(
    models: Models,
    annotations: Annotations,
    recordings: Recordings,
    at_site: Collection[str],
    progress: Progress = no_progress,
) -> Spans:
    """Score every verdict in its own span, widened to a window, as validation does.

    Parameters
    ----------
    at_site : collection of str
        ``where`` of the verdicts on windows of the site.
    """
    column = {name: i for i, name in enumerate(annotations.classes)}
    boxes: list[tuple[int, Annotation]] = []
    probability: list[float] = []
    by = annotations.by_recording
    asked = {name: models.of(name) for name in recordings.infos}
    names = [name for name, which in asked.items() if which and by.get(name)]
    advance = progress("scoring verdicts", len(names), "recording")
    row = {name: i for i, name in enumerate(names)}
    sums = {name: np.zeros(len(by[name])) for name in names}
    scorers = models.scorers
    for rate in sorted({scorer.config.sample_rate for scorer in scorers}):
        wanted = [
            name for name in names
            if any(scorers[i].config.sample_rate == rate for i in asked[name])
        ]  # fmt: skip
        for name, samples in read_recordings(recordings.only(wanted), rate):
            for i in asked[name]:
                if scorers[i].config.sample_rate == rate:
                    sums[name] += _probabilities(scorers[i].clips, samples, by[name], column)
            advance()
    for name in names:
        boxes += [(row[name], box) for box in by[name]]
        probability += (sums[name] / len(asked[name])).tolist()
    lengths = [box.span.duration_s for _, box in boxes]
    return Spans(
        np.array([column[box.label] for _, box in boxes], dtype=np.int64),
        np.array([place for place, _ in boxes], dtype=np.int64),
        np.array([box.present for _, box in boxes], dtype=bool),
        as_logit(np.array(probability, dtype=np.float64)),
        np.array([box.where in at_site for _, box in boxes], dtype=bool),
        len(annotations.boxes) - len(boxes),
        float(np.median(lengths)) if lengths else 0.0,
    )


def _probabilities(
    scorer: ClipScorer,
    samples: np.ndarray,
    boxes: Sequence[Annotation],
    column: Mapping[str, int],
) -> np.ndarray:
    """Return one model's probability of each box's class in its span: float64, shape (boxes,)."""
    whole = None if scorer.frozen else scorer.features(samples)
    found = []
    for box in boxes:
        if whole is None:
            logits = scorer.clip_logits(scorer.span_features(samples, box.span))
        else:
            logits = scorer.span_logits(whole, box.span)
        found.append(float(logits[column[box.label]]))
    return np.asarray(expit(np.array(found, dtype=np.float64)))
