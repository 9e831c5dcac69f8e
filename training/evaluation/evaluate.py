"""A model against the complete truth of a test set: ranking, and false positives an hour."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.special import expit

from negmine.annotations.recordings import Recordings, index_recordings, silence_notes
from negmine.annotations.schema import check_end
from negmine.audio.folder import open_folder
from negmine.audio.read import probe_all
from negmine.errors import AnnotationError, AudioError, did_you_mean
from negmine.progress import Progress, no_progress
from negmine.storage.csv_tables import known_name, number_in, read_rows, write_csv
from training import metrics
from training.evaluation.inference import RecordingScorer
from training.evaluation.predict import read_ahead
from training.evaluation.score_tables import ScoreTable, read_truth

Event = tuple[int, float, float]


class Truth:
    """What calls in each test recording.

    Attributes
    ----------
    present : DataFrame of bool
        Indexed by recording, one column a class.
    events : dict of str to list of (class index, t_min, t_max), or None
        Every call; needed for false positives per hour.
    notes : tuple of str
        What a person should know of the tables, one line each.

    Raises
    ------
    InputError
        If a table is malformed, the truth has an empty cell, or an event is of an unknown class or
        recording, or of a class that the truth says is absent.
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
        self.events: dict[str, list[Event]] | None = None
        self.notes: tuple[str, ...] = ()
        self._last: dict[str, tuple[float, str]] = {}
        if events:
            self._read_events(events, truth, classes)

    def first(self, recordings: int) -> Truth:
        """Return the truth of the first ``recordings`` recordings of the table."""
        part = copy(self)
        part.present = self.present.iloc[:recordings]
        kept = set(part.present.index)
        if self.events is not None:
            part.events = {name: found for name, found in self.events.items() if name in kept}
        return part

    def check_durations(self, durations_s: Mapping[str, float]) -> None:
        """Check that every event is inside its recording.

        Raises
        ------
        AnnotationError
            Naming the last event of the first recording where one does not.
        """
        for name, (end_s, where) in self._last.items():
            check_end(where, "event", name, end_s, durations_s.get(name, float("inf")))

    def _read_events(self, path: Path, truth: Path, classes: Sequence[str]) -> None:
        index = {name: i for i, name in enumerate(classes)}
        rows = {name: i for i, name in enumerate(self.present.index)}
        present = self.present.to_numpy()
        found: dict[str, dict[Event, None]] = {}
        repeated = 0
        columns = ("recording_id", "species_id", "t_min", "t_max")
        for where, (recording, label, *times) in read_rows(path, columns):
            known_name(where, "class", label, index)
            start_s, end_s = (
                number_in(where, *pair) for pair in zip(columns[2:], times, strict=True)
            )
            if not start_s < end_s:
                raise AnnotationError(f"{where}: t_max {times[1]} <= t_min {times[0]}")
            if start_s < 0:
                raise AnnotationError(f"{where}: t_min {times[0]} is negative")
            if recording not in rows:
                hint = did_you_mean(recording, rows)
                raise AnnotationError(f"{where}: recording '{recording}' is not in {truth}{hint}")
            if not present[rows[recording], index[label]]:
                raise AnnotationError(
                    f"{where}: class '{label}' calls in recording '{recording}', and {truth} says "
                    "that it does not"
                )
            here = found.setdefault(recording, {})
            event = index[label], start_s, end_s
            repeated += event in here
            here[event] = None
            self._last[recording] = max(self._last.get(recording, (end_s, where)), (end_s, where))
        self.events = {name: list(here) for name, here in found.items()}
        called = np.zeros_like(present)
        for name, of_recording in self.events.items():
            called[rows[name], [label for label, *_ in of_recording]] = True
        notes = []
        if repeated:
            notes.append(f"{path}: left out {repeated} events that repeat another row")
        if silent := int((present & ~called).sum()):
            notes.append(
                f"{path}: has no event for {silent} of the {int(present.sum())} calls that {truth} "
                "knows of; what is detected there counts as false"
            )
        self.notes = tuple(notes)


def open_truth_recordings(root: Path, truth: Truth, progress: Progress = no_progress) -> Recordings:
    """Open the recordings that the truth describes, decoded and checked."""
    folder = open_folder(root)
    paths = index_recordings(folder)
    missing = [name for name in truth.present.index if name not in paths]
    if missing:
        raise AnnotationError(
            f"{root}: no sound file for recording '{missing[0]}'{did_you_mean(missing[0], paths)}; "
            f"{len(missing)} of {len(truth.present)} are missing; is this the right folder?"
        )
    wanted = {str(name): paths[name] for name in truth.present.index}
    advance = progress("reading recordings", len(wanted))
    infos, _ = probe_all(wanted.values(), on_done=advance)
    found = {name: infos[path] for name, path in wanted.items()}
    notes = silence_notes(found.values())
    opened = Recordings(folder.root, found, (), folder=folder, notes=notes)
    truth.check_durations(opened.durations_s)
    return opened


@dataclass(frozen=True)
class Evaluation:
    """A model against a complete truth.

    Attributes
    ----------
    metrics : dict of str to float
        ``lwlrap``, ``macro_ap``, ``neg@1``, ``neg@3``, ``neg@5`` of clips, without those that are
        the same for any model (see `training.metrics.evaluate`); with events also
        ``fp/h@0.7`` and the like: false positives an hour, summed over classes, where each class
        has the threshold that finds that share of its calls, in windows side by side; and
        ``fp/h@0.7:bed``: those of them in windows without a call of any class.
    classes : DataFrame
        One row a class: its name, the clips it calls in, its average precision over clips (``ap``);
        with events also ``fp/h@0.7`` and ``threshold@0.7``, a probability. NaN where a class never
        calls.
    scores : ScoreTable
        Probabilities of clips.
    silent_s : float
        Seconds of silence, which no score has heard.
    """

    metrics: dict[str, float]
    classes: pd.DataFrame
    scores: ScoreTable
    silent_s: float = 0.0

    def write_classes(self, path: Path) -> None:
        """Write the table of classes as CSV, whole or not at all."""
        write_csv(path, self.classes, float_format="%.9g")


def evaluate(
    scorer: RecordingScorer,
    recordings: Recordings,
    truth: Truth,
    *,
    recalls: Sequence[float] = (0.7, 0.9),
    progress: Progress = no_progress,
    title: str = "scoring",
) -> Evaluation:
    """Score every test recording in one pass each, as `training.evaluation.predict` does.

    Parameters
    ----------
    scorer : RecordingScorer
        Its windows are side by side.
    recordings : Recordings
    truth : Truth
    recalls : sequence of float
        At which false positives are counted.
    progress : Progress
        Begins a bar of this title.

    Examples
    --------
    >>> from pathlib import Path
    >>> import torch
    >>> from training.engine.checkpoint import Checkpoint
    >>> from training.evaluation.evaluate import Truth, evaluate, open_truth_recordings
    >>> from training.evaluation.inference import RecordingScorer
    >>> checkpoint, cpu = Checkpoint.load(Path("run/best.pt")), torch.device("cpu")
    >>> truth = Truth(Path("data/truth.csv"), None, checkpoint.classes)
    >>> test = open_truth_recordings(Path("data/train"), truth)
    >>> scorer = RecordingScorer(checkpoint.detector(cpu), checkpoint.config, cpu)
    >>> found = evaluate(scorer, test, truth)
    >>> sorted(found.metrics)
    ['lwlrap', 'macro_ap', 'neg@1', 'neg@3', 'neg@5']
    """
    names = list(truth.present.columns)
    clips, windows, absent, silent_s = [], [], [], 0.0
    calls: list[list[float]] = [[] for _ in names]
    paths = [info.path for info in recordings.infos.values()]
    advance = progress(title, len(paths))
    for name, reading in zip(recordings.infos, read_ahead([scorer], paths), strict=True):
        if isinstance(reading, AudioError):
            raise reading
        (found,) = reading
        clips.append(found.clip)
        silent_s += found.silent_s
        if truth.events is not None:
            free, best = metrics.match_windows(
                found.start_s, found.end_s, found.windows, truth.events.get(name, [])
            )
            windows.append(found.windows)
            absent.append(free)
            for column, score in best:
                calls[column].append(score)
        advance()
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
    return Evaluation(results, classes, scores, silent_s)
