"""Verdicts of listeners, as boxes of annotations.

`read_verdicts` reads a table of `negmine.annotations.verdict_rows`; `with_verdicts` makes boxes of
what it says.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from negmine.annotations.class_bands import class_bands
from negmine.annotations.listener_errors import controls_beside, read_controls, weighed
from negmine.annotations.schema import Annotation, Annotations, without_duplicates
from negmine.annotations.verdict_rows import (
    ABSENT,
    PRESENT,
    UNSURE,
    WORDS,
    Verdict,
    verdict_rows,
)
from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.recipes.clip_labels import MIN_CALL_SHARE


def read_verdicts(path: Path, classes: Collection[str]) -> list[Verdict]:
    """Read a table that ``negmine ask`` wrote and a person filled in.

    Parameters
    ----------
    path, classes
        See `negmine.annotations.verdict_rows.verdict_rows`.

    Returns
    -------
    list of Verdict
        A row each, also those without a word. Where the table's controls are beside it, absences
        have the confidence that the listener's errors leave them.

    Raises
    ------
    InputError
        If the table, or that of its controls, is malformed, or it holds no verdict at all.
    """
    found = verdict_rows(path, classes)
    if not any(verdict.word for verdict in found):
        raise AnnotationError(
            f"{path}: no verdict is filled in yet; write {', '.join(WORDS)} in its column 'verdict'"
        )
    controls = controls_beside(path)
    return weighed(found, read_controls(controls)) if controls.exists() else found


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
        # two who say so are no less sure than the surer one
        confidence = 1.0 if present else max(row.confidence for row in rows if row.word == ABSENT)
        where = rows[0].where
        boxes.append(Annotation(recording, label, "", present, kept, low, high, where, confidence))
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
    weights = [box.confidence for box in boxes if not box.present and box.confidence < 1]
    if weights:
        line += (
            f"; {len(weights)} rejected with confidence {min(weights):.3f} to {max(weights):.3f}, "
            "by the listeners' errors on controls"
        )
    if contradicted:
        line += (
            f"; {len(contradicted)} contradicted by another verdict or by a confirmed call, which "
            f"count as unknown, the first: {contradicted[0]}"
        )
    return line
