"""Tables of verdicts: windows of recordings that a person heard, one class a row.

A verdict covers its whole window: ``present``, the class calls somewhere in it; ``absent``, it does
not; ``unsure``, or nothing, where the listener cannot say, or has not heard it yet. `read_verdicts`
reads a table; `with_verdicts` makes boxes of what it says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from negmine.annotations.class_bands import class_bands
from negmine.annotations.schema import Annotation, Annotations, without_duplicates
from negmine.audio.windows import Span, to_microseconds
from negmine.errors import AnnotationError, did_you_mean
from negmine.recipes.clip_labels import MIN_CALL_SHARE
from negmine.storage.csv_tables import check_name, known_name, number_in, read_rows

COLUMNS = ("recording", "class", "t_min", "t_max", "verdict", "listener")
PRESENT, ABSENT, UNSURE = WORDS = ("present", "absent", "unsure")


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a listener said of one class in one window.

    Attributes
    ----------
    recording : str
        The recording's file name without its suffix.
    label : str
        The class.
    span : Span
        Seconds in the recording.
    word : str
        One of `WORDS`, or empty: not heard yet.
    listener : str
        May be empty.
    where : str
        Table and row, for messages.
    """

    recording: str
    label: str
    span: Span
    word: str
    listener: str
    where: str


def verdict_word(where: str, text: str) -> str:
    """Return a cell's verdict in lower case: one of `WORDS`, or nothing.

    Raises
    ------
    AnnotationError
        If it is another word.
    """
    word = text.lower()
    if word and word not in WORDS:
        raise AnnotationError(
            f"{where}: verdict '{text}'{did_you_mean(word, WORDS)}; write {', '.join(WORDS)}, or "
            "nothing"
        )
    return word


def read_verdicts(path: Path, classes: Collection[str]) -> list[Verdict]:
    """Read a table that ``negmine ask`` wrote and a person filled in.

    Parameters
    ----------
    path : Path
        CSV with the columns recording, class, t_min, t_max (seconds), verdict, and listener, which
        may be left out.
    classes : collection of str
        Those that it may name.

    Returns
    -------
    list of Verdict
        A row each, also those without a word.

    Raises
    ------
    InputError
        If the table is malformed, names an unknown class, holds a time or a word that is none, or
        no verdict at all.
    """
    found = verdict_rows(path, classes)
    if not any(verdict.word for verdict in found):
        raise AnnotationError(
            f"{path}: no verdict is filled in yet; write {', '.join(WORDS)} in its column 'verdict'"
        )
    return found


def verdict_rows(
    path: Path, classes: Collection[str] | None = None, *, may_be_empty: bool = False
) -> list[Verdict]:
    """Read a table as `read_verdicts` does, whether or not a verdict is filled in.

    Parameters
    ----------
    classes : collection of str, optional
        Those that it may name; any, if not given.
    may_be_empty : bool
        Whether the table may have a header alone.
    """
    found = []
    for where, cells in read_rows(path, COLUMNS, optional=("listener",), may_be_empty=may_be_empty):
        recording, label, first, last, text, listener = cells
        check_name(where, "recording", recording)
        if classes is None:
            check_name(where, "class", label)
        else:
            known_name(where, "class", label, classes)
        start_s = to_microseconds(number_in(where, "t_min", first))
        end_s = to_microseconds(number_in(where, "t_max", last))
        if start_s < 0:
            raise AnnotationError(f"{where}: t_min {start_s:g} is negative")
        if end_s <= start_s:
            raise AnnotationError(
                f"{where}: t_max {end_s:g} <= t_min {start_s:g}; are the columns swapped?"
            )
        word = verdict_word(where, text)
        found.append(Verdict(recording, label, Span(start_s, end_s), word, listener, where))
    return found


def add_verdicts(annotations: Annotations, tables: Iterable[Path]) -> Annotations:
    """Add what tables of verdicts say to annotations: `read_verdicts`, then `with_verdicts`."""
    read = [read_verdicts(table, annotations.classes) for table in tables]
    return with_verdicts(annotations, [verdict for table in read for verdict in table])


def with_verdicts(annotations: Annotations, verdicts: Sequence[Verdict]) -> Annotations:
    """Add boxes of verdicts: a confirmed one over a window, or a rejected one.

    A box has the class's band, that of its confirmed boxes. Where a window confirmed reaches into
    one in which the class was rejected, its call is in the rest: the box is cut there. What
    contradicts itself says nothing, and gives no box: verdicts on one window that differ, a window
    confirmed more than half of which is rejected, and a window rejected that holds half of a
    confirmed box of the tables. Of a sure listener and one who is not, the sure one counts.

    Parameters
    ----------
    annotations : Annotations
        With a confirmed call of every class that is named.

    Returns
    -------
    Annotations
        The notes say in one line what the verdicts gave.

    Raises
    ------
    AnnotationError
        If a verdict confirms the very box that the tables reject.
    """
    if not verdicts:
        return annotations
    windows: defaultdict[tuple[str, str, Span], list[Verdict]] = defaultdict(list)
    for verdict in verdicts:
        windows[verdict.recording, verdict.label, verdict.span].append(verdict)
    said = {window: _said(rows) for window, rows in windows.items()}
    confirmed: defaultdict[tuple[str, str], list[Span]] = defaultdict(list)
    rejected: defaultdict[tuple[str, str], list[Span]] = defaultdict(list)
    for box in annotations.confirmed:
        confirmed[box.recording, box.label].append(box.span)
    for (recording, label, span), words in said.items():
        if words == {ABSENT}:
            rejected[recording, label].append(span)
    bands = class_bands(annotations, margin=0)
    boxes, contradicted = [], []
    for (recording, label, span), words in said.items():
        rows = windows[recording, label, span]
        kept: Span | None = span
        if words == {PRESENT}:
            kept = _outside(span, rejected[recording, label])
        elif words == {ABSENT}:
            if any(_holds(span, call) for call in confirmed[recording, label]):
                kept = None
        elif not words:
            continue
        if kept is None or len(words) > 1:
            contradicted.append(rows[0].where)
            continue
        present = words == {PRESENT}
        low, high = bands[label]
        boxes.append(Annotation(recording, label, "", present, kept, low, high, rows[0].where))
    every, _ = without_duplicates([*annotations.boxes, *boxes])
    return replace(
        annotations,
        boxes=tuple(every),
        notes=(*annotations.notes, _note(verdicts, boxes, contradicted)),
    )


def _said(rows: Iterable[Verdict]) -> set[str]:
    """Return the sure words on one window."""
    return {row.word for row in rows} - {"", UNSURE}


def _holds(window: Span, call: Span) -> bool:
    """Return whether a window holds a call, as `negmine.recipes.clip_labels.label_clip` has it."""
    shorter = min(window.duration_s, call.duration_s)
    return window.overlap_s(call) >= MIN_CALL_SHARE * shorter


def _outside(window: Span, rejected: Iterable[Span]) -> Span | None:
    """Cut a window's ends off where they are in other spans; None where less than half is left."""
    start_s, end_s = window.start_s, window.end_s
    for other in sorted(rejected):
        if other.start_s <= start_s < other.end_s:
            start_s = other.end_s
    for other in sorted(rejected, key=lambda span: span.end_s, reverse=True):
        if other.start_s < end_s <= other.end_s:
            end_s = other.start_s
    left = Span(start_s, end_s)
    return left if left.duration_s >= MIN_CALL_SHARE * window.duration_s else None


def _note(
    verdicts: Sequence[Verdict], boxes: Sequence[Annotation], contradicted: Sequence[str]
) -> str:
    present = sum(box.present for box in boxes)
    empty = sum(not verdict.word for verdict in verdicts)
    unsure = sum(verdict.word == UNSURE for verdict in verdicts)
    line = (
        f"verdicts: {present} windows confirmed and {len(boxes) - present} rejected, of "
        f"{len(verdicts)} rows; {empty} not heard yet, {unsure} unsure"
    )
    if contradicted:
        line += (
            f"; {len(contradicted)} contradicted by another verdict or by a confirmed call, which "
            f"count as unknown, the first: {contradicted[0]}"
        )
    return line
