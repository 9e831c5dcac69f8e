"""WildTrax: tags, and reports of them; species NONE means that nothing was heard in the task."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.chosen_columns import ChosenColumns
from negmine.formats.entry import EVERY_CLASS, Entry, Notes, Verdict
from negmine.formats.format import Format, Head, Options
from negmine.formats.plain import checked_span
from negmine.formats.sheet import SheetRow, number_of, open_sheet
from negmine.formats.verdict_words import verdict_of

COLUMNS = ("location", "recording_date_time", "species_code")
_HOLD_NOTHING = (
    *("organization", "organization_id", "project", "project_id", "location_id", "latitude"),
    *("longitude", "recording_id", "task_id", "task_url", "recording_url", "task_method"),
    *("aru_task_status", "task_status", "task_is_complete", "observer_id", "species_common_name"),
    *("species_scientific_name", "species_class", "species_individual_comments", "tag_id"),
    *("individual_number", "individual_order", "individual_count", "abundance", "tag_comments"),
    *("tag_spectrogram_url", "clip_url", "internal_tag_id", "recording_sample_frequency"),
    *("tag_is_hidden_for_verification", "version", "tag_rating", "location_buffer_m", "tag_url"),
    *("recording_length", "task_duration", "recording_date_time", "location", "detection_time"),
)
_DATE = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})[ T]([0-9]{2}):([0-9]{2}):([0-9]{2}).*")
_HZ = re.compile(r"([0-9.]+) ?(k?)Hz", re.IGNORECASE)
_DONE = frozenset({"transcribed", "complete", "completed", "true", "t"})
_NOTHING = "NONE"


@dataclass(frozen=True)
class _Columns:
    recording: str
    label: str
    status: str
    start: str
    end: str
    length: str
    band: tuple[str, str]
    songtype: str
    group: str
    judge: str
    score: str
    verified: str


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    sheet = open_sheet(path, notes)
    choice = ChosenColumns(sheet, options)
    of = _Columns(
        recording=choice.of("recording", "source_file_name", "recording_name", "file_name"),
        label=choice.needed("class", "species_code"),
        status=choice.known("aru_task_status", "task_status", "task_is_complete"),
        start=choice.of("t_min", "start_s", "tag_start_time", "detection_time", "tag_start_s"),
        end=choice.of("t_max", "end_s"),
        length=choice.of("duration", "tag_duration"),
        band=(choice.of("f_min", "min_tag_freq"), choice.of("f_max", "max_tag_freq")),
        songtype=choice.of("songtype", "vocalization"),
        group=choice.of("group", "location"),
        judge=choice.of("judge", "observer"),
        score=choice.of("score", "confidence"),
        verified=choice.verdict() or choice.known("tag_is_verified"),
    )
    choice.done(*_HOLD_NOTHING)
    _say(path, of, notes)
    for row in sheet:
        recording = row[of.recording] if of.recording else _named(row)
        label = row[of.label]
        if not recording or not label:
            notes.drop(row.where, "no class" if recording else "no recording")
        elif label.upper() == _NOTHING:
            if of.status and row[of.status].casefold() not in _DONE:
                notes.drop(row.where, "nothing heard, in a task that is not completed")
                continue
            length = row.number("task_duration")
            span = checked_span(row.where, 0.0, length) if length else None
            yield Entry(
                *(recording, EVERY_CLASS, "absent", row.where, span),
                group=row[of.group],
                judge=row[of.judge],
            )
        elif (span := _span(row, of)) is None:
            notes.drop(row.where, "a tag without a time, such as of a species too many to tag")
        else:
            yield Entry(
                *(recording, label, _verdict(row, of), row.where, span, _band(row, of)),
                songtype=row[of.songtype],
                group=row[of.group],
                judge=row[of.judge],
                score=row.number(of.score) if of.score else None,
            )


def _say(path: Path, of: _Columns, notes: Notes) -> None:
    if not of.recording:
        notes.say(
            f"{path}: no column of files: recordings are named as WildTrax names them, "
            "LOCATION_YYYYMMDD_HHMMSS; --column recording=NAME names a column of files"
        )
    if not of.status:
        notes.say(f"{path}: no column says which tasks are completed: all are taken as completed")


def _named(row: SheetRow) -> str:
    """Return the name that WildTrax asks of files: the location, and when it was recorded."""
    date = _DATE.fullmatch(row["recording_date_time"])
    if not date:
        raise AnnotationError(
            f"{row.where}: recording_date_time '{row['recording_date_time']}' is not written as "
            "2023-06-01 05:30:00; did a spreadsheet change it?"
        )
    year, month, day, hour, minute, second = date.groups()
    return f"{row['location']}_{year}{month}{day}_{hour}{minute}{second}"


def _verdict(row: SheetRow, of: _Columns) -> Verdict:
    """Return the verdict of a tag: a person's is one; a classifier's needs to be verified."""
    if of.verified:
        verdict = verdict_of(row.where, row[of.verified], of.verified)
        if of.verified != "tag_is_verified":
            return verdict
        if verdict == "present":
            return "present"
    return "unknown" if of.score and row[of.score] else "present"


def _span(row: SheetRow, of: _Columns) -> Span | None:
    start = row.number(of.start) if of.start else None
    if start is None:
        return None
    end = row.number(of.end) if of.end else None
    length = row.number(of.length) if of.length else None
    if end is None and length is None:
        return None
    return checked_span(row.where, start, start + (length or 0.0) if end is None else end)


def _band(row: SheetRow, of: _Columns) -> tuple[float, float] | None:
    low, high = (_hertz(row, column) if column else None for column in of.band)
    if low is None or high is None:
        return None
    if high <= low:
        raise AnnotationError(f"{row.where}: the band from {low:g} to {high:g} Hz is none")
    return low, high


def _hertz(row: SheetRow, column: str) -> float | None:
    text = row[column]
    if text.casefold() in ("", "na"):
        return None
    if unit := _HZ.fullmatch(text):
        value = number_of(row.where, column, unit[1], row.notes)
        return None if value is None else value * (1000.0 if unit[2] else 1.0)
    return row.number(column)


def _recognises(head: Head) -> bool:
    return head.has(*COLUMNS)


FORMAT = Format("WildTrax: tags and reports", _recognises, _read)
