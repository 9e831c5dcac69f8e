"""Models against the complete truth of a test set: clips ranked, and windows against calls."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

from negmine.annotations.recordings import Recordings
from negmine.audio.decode import Decode
from negmine.audio.read import stream
from negmine.errors import AudioError
from negmine.progress import Progress, no_progress
from negmine.storage.csv_tables import write_csv
from training import metrics
from training.evaluation.inference import RecordingScorer
from training.evaluation.measured import Measured, too_short
from training.evaluation.predict import read_ahead
from training.evaluation.score_tables import ScoreTable
from training.evaluation.truth import Truth
from training.metrics import RecordingWindows

# At which false positives, and precision, are found.
RECALLS = (0.7, 0.9)
# False positives an hour and class, at which the recall is found.
RATES = (1.0, 10.0)

Intervals = dict[str, tuple[float, float]]


@dataclass(frozen=True)
class Evaluation:
    """A model against a complete truth.

    Attributes
    ----------
    metrics : dict of str to float
        ``lwlrap``, ``macro_ap``, ``neg@1``, ``neg@3``, ``neg@5`` of clips, without those that are
        the same for any model (see `training.metrics.evaluate`). With events also, of windows:
        ``fp/h@0.7`` and the like: false positives an hour, summed over classes, where each class
        has the threshold that finds that share of its calls; ``fp/h@0.7:bed``: those of them in
        windows without a call of any class; ``precision@0.7``: of the windows that reach those
        thresholds, the share that touch a call; ``recall@1fp/h``: the share of calls found at so
        many false positives an hour and class. The last two are means over the classes that have
        them. `training.metrics.detection` has the definitions.
    intervals : dict of str to (float, float)
        Of the same: 95 %, by the bootstrap over recordings; empty where none was asked for.
    classes : DataFrame
        One row a class: its name, the clips it calls in, its average precision over clips (``ap``);
        with events also its ``calls``, the hours in windows free of them (``free_h``), each of the
        metrics of windows but ``:bed``, the ``threshold@...`` it is found at, a probability, and
        the ends of its interval, ``...:low`` and ``...:high``. NaN where a metric is not defined.
    scores : ScoreTable
        Probabilities of clips.
    window_s, hop_s : float
        Of the windows.
    hours : float
        Of all recordings.
    silent_s : float
        Seconds of silence, which no score has heard.
    notes : tuple of str
        What a person should know of the figures, one line each.
    resampled : dict of str to float array, shape (B,)
        The metrics of each resample of the recordings; the same resamples for every model.
    windows : tuple of RecordingWindows
        What the metrics of windows are of; empty without events.
    curves : DataFrame, optional
        With events, false positives an hour at each recall, of each class and of all: see
        `Measured.curve`.
    """

    metrics: dict[str, float]
    intervals: Intervals
    classes: pd.DataFrame
    scores: ScoreTable
    window_s: float
    hop_s: float
    hours: float
    silent_s: float = 0.0
    notes: tuple[str, ...] = ()
    resampled: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    windows: tuple[RecordingWindows, ...] = field(default=(), repr=False)
    curves: pd.DataFrame | None = field(default=None, repr=False)

    def to_dict(self) -> dict[str, Any]:
        """Return what ``evaluate --json`` prints."""
        about = {
            "recordings": len(self.scores.recordings),
            "hours": self.hours,
            "window_s": self.window_s,
            "hop_s": self.hop_s,
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
        }
        return self.metrics | about | {"classes": self.classes.to_dict("records")}


def write_classes(path: Path, evaluations: Sequence[Evaluation], names: Sequence[str]) -> None:
    """Write tables of classes as CSV, whole or not at all; of several models, one below another.

    Parameters
    ----------
    names : sequence of str
        The models': the first column, where there are several.
    """
    tables = [evaluation.classes for evaluation in evaluations]
    if len(tables) > 1:
        for place, name in enumerate(names):
            tables[place] = tables[place].copy()
            tables[place].insert(0, "model", name)
    write_csv(path, pd.concat(tables, ignore_index=True), float_format="%.9g")


def write_curves(path: Path, evaluations: Sequence[Evaluation], names: Sequence[str]) -> None:
    """Write false positives an hour against recall as CSV, of all models, whole or not at all.

    Raises
    ------
    ValueError
        If a model was evaluated without events.
    """
    tables = []
    for one, name in zip(evaluations, names, strict=True):
        if one.curves is None:
            raise ValueError("no curves without events")
        tables.append(one.curves.assign(model=name))
    joined = pd.concat(tables, ignore_index=True)
    write_csv(path, joined[["model", *joined.columns.drop("model")]], float_format="%.9g")


def evaluate(
    scorer: RecordingScorer,
    recordings: Recordings,
    truth: Truth,
    *,
    recalls: Sequence[float] = RECALLS,
    rates: Sequence[float] = RATES,
    resamples: int = 0,
    decode: Decode = stream,
    progress: Progress = no_progress,
) -> Evaluation:
    """Score every test recording in one pass each: `evaluate_all` of one model.

    Examples
    --------
    >>> from pathlib import Path
    >>> import torch
    >>> from training.engine.checkpoint import Checkpoint
    >>> from training.evaluation.evaluate import evaluate
    >>> from training.evaluation.inference import RecordingScorer
    >>> from training.evaluation.truth import Truth, open_truth_recordings
    >>> checkpoint, cpu = Checkpoint.load(Path("run/best.pt")), torch.device("cpu")
    >>> truth = Truth(Path("data/truth.csv"), None, checkpoint.classes)
    >>> test = open_truth_recordings(Path("data/train"), truth)
    >>> scorer = RecordingScorer(checkpoint.detector(cpu), checkpoint.config, cpu)
    >>> found = evaluate(scorer, test, truth)
    >>> sorted(found.metrics)
    ['lwlrap', 'macro_ap', 'neg@1', 'neg@3', 'neg@5']
    """
    (found,) = evaluate_all(
        [scorer], recordings, truth,
        recalls=recalls, rates=rates, resamples=resamples, decode=decode, progress=progress,
    )  # fmt: skip
    return found


def evaluate_all(
    scorers: Sequence[RecordingScorer],
    recordings: Recordings,
    truth: Truth,
    *,
    recalls: Sequence[float] = RECALLS,
    rates: Sequence[float] = RATES,
    resamples: int = 0,
    decode: Decode = stream,
    progress: Progress = no_progress,
) -> list[Evaluation]:
    """Evaluate each of several models; all score a recording once it is decoded.

    Parameters
    ----------
    recalls : sequence of float
        At which false positives are counted.
    rates : sequence of float
        False positives an hour and class, at which the recall is found.
    resamples : int
        Times that the recordings are drawn again for intervals; 0 makes none.
    decode : Decode
    progress : Progress
    """
    heard: list[_Heard] = [_Heard() for _ in scorers]
    paths = [info.path for info in recordings.infos.values()]
    advance = progress("scoring", len(paths))
    ahead = read_ahead(scorers, paths, decode=decode)
    for name, readings in zip(recordings.infos, ahead, strict=True):
        if isinstance(readings, AudioError):
            raise readings
        for one, reading in zip(heard, readings, strict=True):
            one.clips.append(reading.clip)
            one.silent_s += reading.silent_s
            if truth.events is not None:
                found = truth.events.get(name, [])
                matched = metrics.match_windows(
                    reading.start_s, reading.end_s, reading.windows, found
                )
                hours = recordings.durations_s[name] / 3600
                one.windows.append(metrics.RecordingWindows(reading.windows, *matched, hours))
        advance()
    present = truth.present.loc[list(recordings.infos)].to_numpy()
    hours = sum(recordings.durations_s.values()) / 3600
    weights = None
    if resamples and len(present) > 1:
        weights = metrics.resamples(len(present), resamples)
    evaluations = []
    for scorer, one in zip(scorers, heard, strict=True):
        logits = np.stack(one.clips)
        curves = metrics.Curves(one.windows) if one.windows else None
        measured = Measured(present, logits, curves, recalls, rates)
        of_all, per_class = measured.once()
        resampled, ends = measured.resampled(weights) if weights is not None else ({}, {})
        names = list(truth.present.columns)
        classes = pd.DataFrame({"class": names} | per_class | ends)
        # float64: in float32 every logit above 17 would be 1
        probabilities = expit(logits.astype(np.float64))
        table = ScoreTable(tuple(recordings.infos), tuple(names), probabilities)
        evaluations.append(
            Evaluation(
                of_all, {name: metrics.interval(resampled[name]) for name in resampled},
                classes, table, *scorer.grid, hours, one.silent_s,
                tuple(too_short(hours, classes, rates)) if curves else (), resampled,
                tuple(one.windows),
                measured.curve(names, hours) if curves else None,
            )
        )  # fmt: skip
    return evaluations


@dataclass
class _Heard:
    """What a model said of the recordings so far."""

    clips: list[np.ndarray] = field(default_factory=list)
    windows: list[metrics.RecordingWindows] = field(default_factory=list)
    silent_s: float = 0.0
