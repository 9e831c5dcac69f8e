"""A model against the complete truth of a test set: ranking of clips, and false alarms an hour."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from negmine.audio import probe_all
from negmine.csv_tables import read_rows
from negmine.errors import AnnotationError, AudioError, did_you_mean
from negmine.recordings import Recordings, index_recordings
from negmine.sound_folder import open_folder
from negmine.tables import writing
from training import metrics
from training.inference import RecordingScorer
from training.predict import read_ahead
from training.score_tables import ScoreTable, read_truth

Event = tuple[int, float, float]


class Truth:
    """What calls in each test recording.

    Attributes
    ----------
    present : DataFrame of bool
        Indexed by recording, one column a class.
    events : dict of str to list of (class index, t_min, t_max), or None
        Every call; needed for false positives per hour.
    """

    def __init__(self, truth: Path, events: Path | None, classes: Sequence[str]) -> None:
        table, known = read_truth(truth, classes)
        if not known.all():
            row, column = np.argwhere(~known)[0]
            raise AnnotationError(
                f"{truth}: recording '{table.recordings[row]}', class '{classes[column]}' is "
                "empty; a truth to evaluate by is complete: 0 or 1"
            )
        self.present = pd.DataFrame(
            table.scores == 1, index=list(table.recordings), columns=list(classes)
        )
        self.events = _read_events(events, classes) if events else None
        for name in self.events or ():
            if name not in self.present.index:
                hint = did_you_mean(name, self.present.index)
                raise AnnotationError(f"{events}: recording '{name}' is not in {truth}{hint}")

    def first(self, recordings: int) -> Truth:
        """The truth of the first so many recordings of the table."""
        part = copy(self)
        part.present = self.present.iloc[:recordings]
        kept = set(part.present.index)
        if self.events is not None:
            part.events = {name: found for name, found in self.events.items() if name in kept}
        return part


def _read_events(path: Path, classes: Sequence[str]) -> dict[str, list[Event]]:
    index = {name: i for i, name in enumerate(classes)}
    events: dict[str, list[Event]] = {}
    columns = ("recording_id", "species_id", "t_min", "t_max")
    for where, (recording, label, t_min, t_max) in read_rows(path, columns):
        if label not in index:
            raise AnnotationError(f"{where}: unknown class '{label}'{did_you_mean(label, index)}")
        try:
            span = (float(t_min), float(t_max))
        except ValueError as error:
            raise AnnotationError(f"{where}: t_min or t_max is not a number") from error
        if not span[0] < span[1]:
            raise AnnotationError(f"{where}: t_max {t_max} <= t_min {t_min}")
        events.setdefault(recording, []).append((index[label], *span))
    return events


def open_truth_recordings(
    root: Path, truth: Truth, on_done: Callable[[], object] = lambda: None
) -> Recordings:
    """The recordings that the truth describes, decoded and checked."""
    folder = open_folder(root)
    paths = index_recordings(folder)
    missing = [name for name in truth.present.index if name not in paths]
    if missing:
        raise AnnotationError(
            f"{root}: no sound file for recording '{missing[0]}'{did_you_mean(missing[0], paths)}; "
            f"{len(missing)} of {len(truth.present)} are missing; is this the right folder?"
        )
    wanted = {str(name): paths[name] for name in truth.present.index}
    infos, _ = probe_all(wanted.values(), on_done=on_done)
    found = {name: infos[path] for name, path in wanted.items()}
    return Recordings(folder.root, found, (), folder=folder)


@dataclass(frozen=True)
class Evaluation:
    """A model against a complete truth.

    Attributes
    ----------
    metrics : dict of str to float
        ``lwlrap``, ``macro_ap``, ``neg@1``, ``neg@3``, ``neg@5`` of clips; with events also
        ``fp/h@0.7`` and the like: false positives an hour, summed over classes, where each class
        has the threshold that finds that share of its calls, in windows side by side; and
        ``fp/h@0.7:bed``: those of them in windows without a call of any class.
    classes : DataFrame
        One row a class: its name, the clips it calls in, its average precision over clips (``ap``);
        with events also ``fp/h@0.7`` and ``threshold@0.7``, a probability. NaN where a class never
        calls.
    scores : ScoreTable
        Probabilities of clips.
    """

    metrics: dict[str, float]
    classes: pd.DataFrame
    scores: ScoreTable

    def write_classes(self, path: Path) -> None:
        """Write the table of classes as CSV, whole or not at all."""
        with writing(path) as temporary:
            self.classes.to_csv(temporary, index=False, float_format="%.9g")


def evaluate(
    scorer: RecordingScorer,
    recordings: Recordings,
    truth: Truth,
    *,
    recalls: Sequence[float] = (0.7, 0.9),
    on_done: Callable[[], object] = lambda: None,
) -> Evaluation:
    """Score every test recording in one pass each, as `training.predict` does.

    Parameters
    ----------
    scorer : RecordingScorer
        Its windows lie side by side.
    recordings : Recordings
    truth : Truth
    recalls : sequence of float
        At which false positives are counted.
    on_done : callable
        Called after each recording.
    """
    names = list(truth.present.columns)
    clips, windows, absent = [], [], []
    calls: list[list[float]] = [[] for _ in names]
    paths = [info.path for info in recordings.infos.values()]
    for name, reading in zip(recordings.infos, read_ahead([scorer], paths), strict=True):
        if isinstance(reading, AudioError):
            raise reading
        (found,) = reading
        clips.append(found.clip)
        if truth.events is not None:
            free, best = metrics.match_windows(
                found.start_s, found.end_s, found.windows, truth.events.get(name, [])
            )
            windows.append(found.windows)
            absent.append(free)
            for column, score in best:
                calls[column].append(score)
        on_done()
    present = truth.present.loc[list(recordings.infos)].to_numpy()
    logits = np.stack(clips)
    results = metrics.evaluate(present, logits)
    classes = pd.DataFrame(
        {
            "class": names,
            "clips": present.sum(axis=0),
            "ap": metrics.average_precision(present, logits),
        }
    )
    if truth.events is not None:
        hours = sum(recordings.durations_s.values()) / 3600
        of_windows, free = np.concatenate(windows), np.concatenate(absent)
        for recall in recalls:
            false = metrics.false_positives_per_hour(of_windows, free, calls, hours, recall)
            bed = (of_windows >= false.threshold)[free.all(axis=1)]
            results[f"fp/h@{recall:g}"] = false.total
            results[f"fp/h@{recall:g}:bed"] = float(bed.sum()) / hours
            classes[f"fp/h@{recall:g}"] = false.per_class
            classes[f"threshold@{recall:g}"] = expit(false.threshold)
    # float64: in float32 every logit above 17 would be 1
    probabilities = expit(logits.astype(np.float64))
    scores = ScoreTable(tuple(recordings.infos), tuple(names), probabilities)
    return Evaluation(results, classes, scores)
