"""Audacity's label tracks, of Audacity itself and of BirdNET-Analyzer, HawkEars and BriteKit."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from negmine.errors import AnnotationError
from negmine.formats.entry import Entry, Notes, Verdict
from negmine.formats.format import Format, Head, Options
from negmine.formats.paired import paired_recording
from negmine.formats.plain import checked_span
from negmine.formats.sheet import number_of
from negmine.formats.verdict_words import WORDS, verdict_of
from negmine.storage.names import clean_name
from negmine.storage.text_files import read_text

_MOST_BYTES = 256 << 20
_NUMBER = r"[0-9]+(?:[.,][0-9]+)?"
_FIRST = re.compile(rf"{_NUMBER}\t{_NUMBER}(?:\t[^\t\r\n]*){{0,3}}\r?(?:\n|$)")
# "Strix aluco, Tawny Owl", as BirdNET-Analyzer writes a label
_BOTH_NAMES = re.compile(r"[A-Z][a-z]+ [a-z-]+, (.+)")
# "owl;0.871", as HawkEars and BriteKit write a label
_SCORED = re.compile(r"(.+);([01](?:\.[0-9]+)?)")


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    recording = paired_recording(path)
    notes.say(f"{path}: labels name no recording: it is the one that the file is named after")
    if options.columns or options.verdict_column:
        raise AnnotationError(f"{path}: Audacity's labels have no columns; leave --column out")
    labels = list(_labels(path, notes))
    # a word behind a label is a verdict, a number is a detector's score
    scored = any(fields[3:] for _, fields, _ in labels)
    rest: Verdict = "unknown" if scored else "present"
    what = "detections, unknown unless a verdict is written behind the score" if scored else "calls"
    notes.say(f"{path}: its labels are taken as {'' if scored else 'confirmed '}{what}")
    for where, fields, band in labels:
        label, score, verdict = fields[2] or options.label, None, rest
        if fields[3:] and (names := _BOTH_NAMES.fullmatch(label)):
            label = names[1]
            notes.repair(where, "of a label 'Scientific name, Common name' the second is the class")
        for text in fields[3:]:
            if text.lower() in WORDS and text not in ("0", "1"):
                verdict = verdict_of(where, text, "the field behind the label")
            else:
                score = number_of(where, "the field behind the label", text, notes)
        start = number_of(where, "the beginning", fields[0], notes)
        end = number_of(where, "the end", fields[1], notes)
        if start is None or end is None:
            raise AnnotationError(f"{where}: a label needs a beginning and an end")
        if label[:1] == "-" and len(label) > 1:
            notes.repair(where, "a label that begins with '-' rejects the class behind it")
            label, verdict = label[1:].strip(), "absent"
        if start == end:
            notes.drop(where, "a label of a point in time, which has no length")
        elif not label:
            notes.drop(where, "no class")
        else:
            span = checked_span(where, start, end)
            yield Entry(recording, label, verdict, where, span, band, score=score)


def _labels(
    path: Path, notes: Notes
) -> Iterator[tuple[str, list[str], tuple[float, float] | None]]:
    """Yield place, fields and band of each label."""
    waiting: tuple[str, list[str]] | None = None
    for number, line in enumerate(read_text(path, _MOST_BYTES).splitlines(), start=1):
        where, fields = f"{path} line {number}", [clean_name(cell) for cell in line.split("\t")]
        if not any(fields):
            continue
        if fields[0] in ("\\", "\\\\"):
            if waiting is None:
                raise AnnotationError(f"{where}: frequencies, and no label before them")
            yield *waiting, _band(where, fields, notes)
            waiting = None
            continue
        if waiting is not None:
            yield *waiting, None
        if not 2 <= len(fields) <= 5:
            raise AnnotationError(
                f"{where}: '{line[:60]}' is no label: expected beginning, end and label, "
                "separated by tabs"
            )
        fields += [""] * (3 - len(fields))
        if len(fields) == 3 and (parts := _SCORED.fullmatch(fields[2])):
            fields = [*fields[:2], parts[1].strip(), parts[2]]
            notes.repair(where, "a label 'name;score' is read as a name and a score")
        waiting = where, fields[:3] + [text for text in fields[3:] if text]
    if waiting is not None:
        yield *waiting, None


def _band(where: str, fields: list[str], notes: Notes) -> tuple[float, float] | None:
    """Return the band of a line of frequencies; -1 is one that is not given."""
    if len(fields) != 3:
        raise AnnotationError(f"{where}: expected a backslash and two frequencies")
    low = number_of(where, "the lowest frequency", fields[1], notes)
    high = number_of(where, "the highest frequency", fields[2], notes)
    low = None if low is None or low < 0 else low
    high = None if high is None or high < 0 else high
    if low is None and high is None:
        return None
    band = low or 0.0, float("inf") if high is None else high
    if band[1] <= band[0]:
        raise AnnotationError(f"{where}: the band from {band[0]:g} to {band[1]:g} Hz is none")
    return band


def _recognises(head: Head) -> bool:
    return bool(_FIRST.match(head.text)) and not head.path.is_dir()


FORMAT = Format("Audacity: label tracks, named as the recording is", _recognises, _read)
