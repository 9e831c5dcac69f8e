"""How the windows of a site score: counted by class and score, so that memory stays the same."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from negmine.audio.decode import Decode
from negmine.audio.read import stream
from negmine.errors import AudioError
from negmine.progress import Progress, no_progress
from training.calibration.judged_rates import ScoreCounts
from training.calibration.judged_spans import Models, as_logit
from training.evaluation.predict import FoundRecording, predict

# Steps of logits that windows are counted in: a fiftieth, which thresholds are rounded down to.
_STEP = 0.02
_EDGES = np.round(np.arange(-30.0, 30.0, _STEP), 2)


@dataclass(frozen=True)
class SiteWindows:
    """ScoreCounts by score.

    Attributes
    ----------
    counts : int32 array, shape (C, steps)
    hours : float
        Of the recordings that were scored.
    recordings, left_out : int
        Scored, and left out, since every model was trained on them.
    skipped : tuple of str
        A line for each that could not be read.
    """

    counts: np.ndarray
    hours: float
    recordings: int
    left_out: int
    skipped: tuple[str, ...] = ()

    def of(self, column: int) -> ScoreCounts:
        """Return those of one class."""
        return ScoreCounts(_EDGES, self.counts[column], self.hours)


def count_windows(
    models: Models,
    found: Sequence[FoundRecording],
    classes: int,
    *,
    skip_bad: bool = False,
    decode: Decode = stream,
    progress: Progress = no_progress,
) -> SiteWindows:
    """Score every window of a site as ``predict`` does, by models not trained on its recording.

    Raises
    ------
    AudioError, ModelError
        As `training.evaluation.predict.predict` does.
    """
    counts = np.zeros((classes, len(_EDGES)), dtype=np.int32)
    groups = defaultdict(list)
    for one in found:
        groups[models.of(one.name)].append(one)
    left_out, seconds, skipped = len(groups.pop((), [])), 0.0, list[str]()
    for which, group in groups.items():
        scorers = [models.scorers[i] for i in which]
        predictions = predict(scorers, group, skip_bad=skip_bad, decode=decode, progress=progress)
        for prediction in predictions:
            if isinstance(prediction, AudioError):
                skipped.append(str(prediction))
                continue
            seconds += prediction.duration_s
            scores = as_logit(prediction.windows[prediction.audible])
            place = np.searchsorted(_EDGES, scores, side="right") - 1
            for column in range(classes):
                counts[column] += np.bincount(
                    np.maximum(place[:, column], 0), minlength=len(_EDGES)
                ).astype(np.int32)
    scored = len(found) - left_out - len(skipped)
    return SiteWindows(counts, seconds / 3600, scored, left_out, tuple(skipped))
