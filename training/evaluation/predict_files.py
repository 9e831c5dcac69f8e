"""The files of a prediction: scores of recordings, selection tables of detections."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import pandas as pd

from negmine.annotations.raven import Band, selection_table, write_selections
from negmine.annotations.recordings import silence_notes
from negmine.audio.decode import Decode
from negmine.audio.read import probe, stream
from negmine.errors import AudioError, shorten
from negmine.progress import Progress, no_progress
from negmine.storage.files import check_writable
from training.evaluation.detections import detect, most_confident
from training.evaluation.inference import RecordingScorer
from training.evaluation.predict import FoundRecording, predict
from training.evaluation.score_tables import ScoreTable
from training.evaluation.settings import PredictSettings


class ClassThresholds(Protocol):
    """Thresholds of classes, and what a detection's score means: see `training.calibration`."""

    @property
    def values(self) -> np.ndarray:
        """Probabilities, (C,), from which on a window counts; NaN: none does."""

    def probability(self, label: np.ndarray, confidence: np.ndarray) -> np.ndarray:
        """Return the probability that detections are calls of their class, (N,); NaN if unknown."""


@dataclass(frozen=True)
class Output:
    """What is written, and where.

    Attributes
    ----------
    scores : Path
        CSV of recordings.
    detections : Path, optional
        Selection table of all recordings.
    per_recording : Path, optional
        Folder of a selection table a recording, named after it; empty where nothing was detected.
    settings : PredictSettings
        What counts as detected.
    thresholds : ClassThresholds, optional
        What does instead of its ``min_conf``, class by class.
    """

    scores: Path
    detections: Path | None = None
    per_recording: Path | None = None
    settings: PredictSettings = field(default_factory=PredictSettings)
    thresholds: ClassThresholds | None = None


@dataclass(frozen=True)
class Result:
    """What a prediction did.

    Attributes
    ----------
    hours : float
        Of sound.
    window_s, hop_s : float
        Of detections, as the network's stride makes them.
    detections : dict of str to int
        By class; empty where none were asked for.
    skipped : list of str
        One line for each unreadable recording.
    silent : list of str
        Recordings without any sound: their scores are 0.
    silent_s : dict of str to float
        Seconds of silence in others, which no score has heard.
    notes : list of str
        Warnings of both, a line each.
    """

    recordings: int
    hours: float
    window_s: float
    hop_s: float
    detections: dict[str, int]
    skipped: list[str]
    silent: list[str]
    silent_s: dict[str, float]
    notes: list[str]

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def run_prediction(
    scorers: Sequence[RecordingScorer],
    recordings: Sequence[FoundRecording],
    classes: Sequence[str],
    bands: Sequence[Band],
    output: Output,
    *,
    skip_bad: bool = False,
    decode: Decode = stream,
    progress: Progress = no_progress,
) -> Result:
    """Score recordings, and write what was found once all are done.

    Raises
    ------
    OutputError
        If a file cannot be written: raised before the first recording.
    AudioError, ModelError
        As `training.evaluation.predict.predict` does. Nothing is then written.
    """
    wanted = output.detections or output.per_recording
    scored: list[FoundRecording] = []
    clips, durations, detected = [], [], []
    skipped: list[str] = []
    silent, silent_s = dict[FoundRecording, float](), dict[FoundRecording, float]()
    probe = output.per_recording / "x.txt" if output.per_recording else None
    for path in filter(None, (output.scores, output.detections, probe)):
        check_writable(path)
    predictions = predict(scorers, recordings, skip_bad=skip_bad, decode=decode, progress=progress)
    for found, prediction in zip(recordings, predictions, strict=True):
        if isinstance(prediction, AudioError):
            skipped.append(str(prediction))
            continue
        if wanted:
            detected.append(
                detect(
                    len(scored),
                    prediction.windows,
                    prediction.start_s,
                    prediction.end_s,
                    output.thresholds.values if output.thresholds else output.settings.min_conf,
                    audible=prediction.audible,
                    merge=output.settings.merge,
                )
            )
        if prediction.silent_s:
            (silent_s if prediction.audible.any() else silent)[found] = prediction.silent_s
        scored.append(found)
        clips.append(prediction.clip)
        durations.append(prediction.duration_s)
    counts: dict[str, int] = {}
    if wanted:
        detections = pd.concat(detected, ignore_index=True)
        if top := output.settings.top:
            detections = most_confident(detections, top)
        if known := output.thresholds:
            label, confidence = (detections[name].to_numpy() for name in ("label", "confidence"))
            detections = detections.assign(
                probability=known.probability(label, confidence), threshold=known.values[label]
            )
        labels = detections["label"].value_counts()
        counts = {name: int(labels.get(i, 0)) for i, name in enumerate(classes)}
        paths = [found.path for found in scored]
        if output.detections:
            table = selection_table(detections, classes, bands, paths, durations)
            write_selections(output.detections, table)
        if output.per_recording:
            groups = dict(list(detections.groupby("recording")))
            for number, found in enumerate(scored):
                own = groups.get(number, detections.iloc[:0]).assign(recording=0)
                table = selection_table(own, classes, bands, [found.path], [0.0])
                write_selections(output.per_recording / f"{found.name}.selections.txt", table)
    names = tuple(found.name for found in scored)
    ScoreTable(names, tuple(classes), np.stack(clips)).write(output.scores)
    window_s, hop_s = scorers[0].grid
    return Result(
        len(scored),
        sum(durations) / 3600,
        window_s,
        hop_s,
        counts,
        skipped,
        [found.name for found in silent],
        {found.name: seconds for found, seconds in silent_s.items()},
        _silence_notes(silent, silent_s),
    )


def _silence_notes(
    silent: Mapping[FoundRecording, float], partly: Mapping[FoundRecording, float]
) -> list[str]:
    """Return warnings of recordings that are silent, throughout or in part: a line each."""
    notes = []
    # decoded again to say why: there are few such recordings, and fewer of several channels
    infos = [probe(found.path) for found in (*silent, *partly)]
    notes += [note for note in silence_notes(infos) if "cancel" in note]
    if silent:
        names = shorten([found.path.name for found in silent], 3)
        notes.append(f"no sound in {len(silent)} of the recordings ({names}): all scores are 0")
    if partly:
        names = shorten([f"{found.path.name}: {s:.1f} s" for found, s in partly.items()], 3)
        notes.append(
            f"{sum(partly.values()):.1f} s of silence in {len(partly)} of the recordings ({names}) "
            "were left out of scores and detections"
        )
    return notes
