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
from negmine.errors import AnnotationError, AudioError, did_you_mean
from negmine.recordings import Recordings, index_recordings
from negmine.tables import writing
from training import metrics
from training.inference import RecordingScorer
from training.predict import read_ahead
from training.score_tables import ScoreTable

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
        table = _read(truth, ["recording_id"]).set_index("recording_id")
        twice = table.index[table.index.duplicated()]
        if len(twice):
            raise AnnotationError(f"{truth}: recording '{twice[0]}' stands there twice")
        columns = {}
        for name in classes:
            found = [c for c in (name, f"s{name}") if c in table.columns]
            if not found:
                hint = did_you_mean(f"s{name}", table.columns)
                raise AnnotationError(
                    f"{truth}: no column '{name}' or 's{name}' for class '{name}'{hint}; "
                    "is this the truth of the same classes?"
                )
            columns[name] = pd.to_numeric(table[found[0]], errors="coerce")
        self.present = pd.DataFrame(columns)
        odd = ~self.present.isin([0, 1]).all(axis=1)
        if odd.any():
            raise AnnotationError(
                f"{truth}: recording '{self.present.index[odd][0]}' has a cell that is not 0 or 1"
            )
        self.present = self.present.astype(bool)
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


def _read(path: Path, needed: Sequence[str]) -> pd.DataFrame:
    try:
        table = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise AnnotationError(f"{path}: not readable as CSV: {error}") from error
    for column in needed:
        if column not in table.columns:
            found = ", ".join(map(str, table.columns))
            raise AnnotationError(f"{path}: no column '{column}'; found {found}")
    if table.empty:
        raise AnnotationError(f"{path}: the table has a header and no rows")
    return table


def _read_events(path: Path, classes: Sequence[str]) -> dict[str, list[Event]]:
    table = _read(path, ["recording_id", "species_id", "t_min", "t_max"])
    index = {name: i for i, name in enumerate(classes)}
    events: dict[str, list[Event]] = {}
    rows = zip(table.recording_id, table.species_id, table.t_min, table.t_max, strict=True)
    for row, (recording, label, t_min, t_max) in enumerate(rows, start=2):
        if label not in index:
            raise AnnotationError(
                f"{path} row {row}: unknown class '{label}'{did_you_mean(label, index)}"
            )
        try:
            span = (float(t_min), float(t_max))
        except ValueError as error:
            raise AnnotationError(f"{path} row {row}: t_min or t_max is not a number") from error
        if not span[0] < span[1]:
            raise AnnotationError(f"{path} row {row}: t_max {t_max} <= t_min {t_min}")
        events.setdefault(recording, []).append((index[label], *span))
    return events


def open_truth_recordings(
    root: Path, truth: Truth, on_done: Callable[[], object] = lambda: None
) -> Recordings:
    """The recordings that the truth describes, decoded and checked."""
    root = root.resolve()
    paths = index_recordings(root)
    missing = [name for name in truth.present.index if name not in paths]
    if missing:
        raise AnnotationError(
            f"{root}: no sound file for recording '{missing[0]}'{did_you_mean(missing[0], paths)}; "
            f"{len(missing)} of {len(truth.present)} are missing; is this the right folder?"
        )
    wanted = {str(name): paths[name] for name in truth.present.index}
    infos, _ = probe_all(wanted.values(), on_done=on_done)
    return Recordings(root, {name: infos[path] for name, path in wanted.items()}, ())


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
