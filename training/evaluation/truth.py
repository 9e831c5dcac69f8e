"""The complete truth of a test set: which class calls in which recording, and when."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from pathlib import Path

import numpy as np
import pandas as pd

from negmine.annotations import Annotation
from negmine.annotations.recordings import Recordings, index_recordings, silence_notes
from negmine.annotations.schema import check_end, without_duplicates
from negmine.audio.folder import open_folder
from negmine.audio.read import probe_all
from negmine.audio.windows import Span
from negmine.errors import AnnotationError, did_you_mean
from negmine.progress import Progress, no_progress
from negmine.storage.csv_tables import known_name, number_in, read_rows
from training.evaluation.score_tables import read_truth

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
        every: list[Annotation] = []
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
            span = Span(start_s, end_s)
            every.append(Annotation(recording, label, "", True, span, 0.0, 0.0, where))
            self._last[recording] = max(self._last.get(recording, (end_s, where)), (end_s, where))
        kept, repeated = without_duplicates(every)
        self.events = {}
        for event in kept:
            here = self.events.setdefault(event.recording, [])
            here.append((index[event.label], event.span.start_s, event.span.end_s))
        called = np.zeros_like(present)
        for name, of_recording in self.events.items():
            called[rows[name], [label for label, *_ in of_recording]] = True
        notes = []
        if repeated:
            notes.append(
                f"{path}: left out {len(repeated)} of {len(every)} events: each repeats another "
                f"row's recording, class and span, to rounding; the first: {repeated[0].where}"
            )
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
    opened = Recordings(folder.root, found, (), folders=(folder,), notes=notes)
    truth.check_durations(opened.durations_s)
    return opened
