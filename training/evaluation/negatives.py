"""False activations an hour, on sound that holds no call of any class."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from negmine.audio.decode import Decode
from negmine.audio.read import stream
from negmine.errors import AudioError
from negmine.progress import Progress, no_progress
from training import metrics
from training.evaluation.activations import Activations
from training.evaluation.inference import RecordingScorer
from training.evaluation.predict import FoundRecording, predict
from training.evaluation.settings import ActivationSettings


@dataclass(frozen=True)
class FalseActivations:
    """What a model raised where there is nothing.

    Attributes
    ----------
    classes : DataFrame
        A row a class: its name, ``threshold``, ``activations``, ``per_hour``, ``low`` and ``high``
        (95 %, `training.metrics.poisson_interval`), and the ``recordings`` that have any. The last
        row, ``all``, counts the activations of all classes.
    window_s, hop_s : float
    smoothed : int
        Windows that a score is the mean of.
    silent_s : float
        Seconds of silence, which no score has heard.
    """

    classes: pd.DataFrame
    recordings: int
    hours: float
    window_s: float
    hop_s: float
    smoothed: int
    silent_s: float

    def to_dict(self) -> dict[str, Any]:
        """Return what ``evaluate --negative --json`` prints."""
        about = {name: value for name, value in vars(self).items() if name != "classes"}
        return about | {"classes": self.classes.to_dict("records")}


def false_activations(
    scorers: Sequence[RecordingScorer],
    recordings: Sequence[FoundRecording],
    classes: Sequence[str],
    thresholds: np.ndarray,
    settings: ActivationSettings,
    *,
    decode: Decode = stream,
    progress: Progress = no_progress,
) -> FalseActivations:
    """Count activations in recordings of negative sound, scored as ``predict`` does.

    Parameters
    ----------
    thresholds : float64 array, shape (C,)
        Probabilities; NaN: the class has none, and no activation.

    Raises
    ------
    AudioError, ModelError
        As `training.evaluation.predict.predict` does.
    """
    window_s, hop_s = scorers[0].grid
    counts = np.zeros((len(recordings), len(classes)), dtype=np.int64)
    seconds = silent_s = 0.0
    smoothed = 1
    predictions = predict(scorers, recordings, decode=decode, progress=progress)
    for row, found in enumerate(predictions):
        assert not isinstance(found, AudioError)  # raised: nothing is skipped
        counter = Activations(thresholds, settings, hop_s)
        smoothed = counter.smoothed
        for one in counter.take(found.windows, found.start_s, found.end_s):
            counts[row, one.label] += 1
        seconds, silent_s = seconds + found.duration_s, silent_s + found.silent_s
    hours = seconds / 3600
    columns = np.concatenate([counts, counts.sum(axis=1, keepdims=True)], axis=1)
    totals = columns.sum(axis=0)
    low, high = metrics.poisson_interval(totals)
    table = pd.DataFrame(
        {
            "class": [*classes, "all"],
            "threshold": [*thresholds.tolist(), np.nan],
            "activations": totals,
            "per_hour": totals / hours,
            "low": low / hours,
            "high": high / hours,
            "recordings": (columns > 0).sum(axis=0),
        }
    )
    return FalseActivations(table, len(recordings), hours, window_s, hop_s, smoothed, silent_s)
