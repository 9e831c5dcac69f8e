"""Reader of the tables of the RFCX species audio detection data: train_tp.csv and train_fp.csv."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Literal

from negmine.annotations.schema import Annotation, Annotations, without_duplicates
from negmine.annotations.uncalled import without_uncalled
from negmine.audio.windows import Span
from negmine.errors import AnnotationError, InputError
from negmine.formats.entry import Entry, Notes
from negmine.storage.csv_tables import check_name, number_in, read_rows
from negmine.storage.names import look_alikes, sorted_names

COLUMNS = ("recording_id", "species_id", "songtype_id", "t_min", "f_min", "t_max", "f_max")


def read_rfcx(
    tp: Path,
    fp: Path | None = None,
    *,
    songtypes: Literal["merge", "split"] = "merge",
    skip_uncalled: bool = False,
) -> Annotations:
    """Read confirmed calls and rejected detections.

    Parameters
    ----------
    tp, fp : Path
        CSV files with the columns recording_id, species_id, songtype_id (may be left out), t_min,
        f_min, t_max, f_max: seconds and Hz. A species is a number or a name.
    songtypes : {"merge", "split"}
        ``split`` makes a class of each kind of call: species 3, songtype 1 becomes ``3/1``.
    skip_uncalled : bool
        Leave out classes that have rejections and no confirmed call.

    Returns
    -------
    Annotations
        Each box once. Its notes say how many rows repeat another, and which names look alike.

    Raises
    ------
    AnnotationError
        If a table is missing, empty, lacks a column, holds a malformed row, rejects a class that
        has no confirmed call, or rejects a box that is confirmed.
    """
    try:
        confirmed = _read(tp, present=True, split=songtypes == "split")
        rejected = _read(fp, present=False, split=songtypes == "split") if fp else []
    except AnnotationError:
        raise
    except InputError as error:
        raise AnnotationError(str(error)) from error
    classes = sorted_names(box.label for box in confirmed)
    left = Notes()
    every = without_uncalled([*confirmed, *rejected], skip_uncalled, left)
    boxes, left_out = without_duplicates(every)
    where = f"{tp} and {fp}" if fp else str(tp)
    notes = [*left.text()]
    notes += look_alikes(Counter(box.label for box in every), "classes", where)
    notes += look_alikes(Counter(box.recording for box in every), "recordings", where)
    if left_out:
        notes.append(
            f"left out {len(left_out)} of {len(every)} boxes: each repeats another row's "
            f"recording, class, span and band, to rounding; the first: {left_out[0].where}"
        )
    return Annotations(tuple(boxes), classes, tuple(notes))


def rfcx_entries(path: Path, verdict: Literal["present", "absent"]) -> list[Entry]:
    """Read one of the two tables as entries, to be assembled with those of others.

    Raises
    ------
    AnnotationError
        As `read_rfcx` does, of one table.
    """
    try:
        boxes = _read(path, present=verdict == "present", split=False)
    except AnnotationError:
        raise
    except InputError as error:
        raise AnnotationError(str(error)) from error
    return [
        Entry(
            box.recording,
            box.label,
            verdict,
            box.where,
            box.span,
            (box.f_min_hz, box.f_max_hz),
            box.songtype,
        )
        for box in boxes
    ]


def _read(path: Path, *, present: bool, split: bool) -> list[Annotation]:
    rows = read_rows(path, COLUMNS, optional=("songtype_id",))
    return [_annotation(where, cells, present, split) for where, cells in rows]


def _annotation(where: str, cells: tuple[str, ...], present: bool, split: bool) -> Annotation:
    recording, species, songtype, *edges = cells
    check_name(where, "recording_id", recording)
    check_name(where, "species_id", species)
    if split:
        # without it the class would be called '3/'
        check_name(where, "songtype_id", songtype)
        if "/" in songtype:
            # 1/2 of class 3 would be one with 2 of class 3/1
            raise AnnotationError(f"{where}: songtype_id '{songtype}' holds a '/'; rename it")
    t_min, f_min, t_max, f_max = (
        number_in(where, column, text) for column, text in zip(COLUMNS[3:], edges, strict=True)
    )
    for low, high, name in ((t_min, t_max, "t"), (f_min, f_max, "f")):
        if high <= low:
            raise AnnotationError(
                f"{where}: {name}_max {high:g} <= {name}_min {low:g}; are the columns swapped?"
            )
        if low < 0:
            raise AnnotationError(f"{where}: {name}_min {low:g} is negative")
    label = check_name(where, "the class", f"{species}/{songtype}") if split else species
    return Annotation(recording, label, songtype, present, Span(t_min, t_max), f_min, f_max, where)
