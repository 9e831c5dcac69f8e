"""Arbimon's exports: pattern matching from the page, from the bulk job, and whole recordings.

Addresses in these tables are signed, and are never followed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.chosen_columns import ChosenColumns
from negmine.formats.entry import Entry, Notes, Verdict
from negmine.formats.format import Format, Head, Options
from negmine.formats.plain import checked_span
from negmine.formats.sheet import SheetRow, open_sheet
from negmine.formats.unjudged import unjudged
from negmine.formats.verdict_words import verdict_of

_BOX = ("x1", "x2", "y1", "y2")
_WHOLE = ("recording_validation_id", "present", "present_visualizer")
_HOLD_NOTHING = (
    *("id", "site_id", "year", "month", "day", "hour", "min", "minute", "url", "uri", "path"),
    *("audio_url", "recording_local_time", "species_id", "songtype_id", "job_id", "job_name"),
    *("template_id", "recording_id", "recording_validation_id", "created_at", "updated_at"),
    *("project_id", "pattern_matching_id", "pattern_matching_roi_id", "recording_meta"),
)


@dataclass(frozen=True)
class _Columns:
    recording: str
    label: str
    songtype: str
    group: str
    judge: str
    score: str
    nyquist: str
    validated: str
    expert: str
    consensus: str
    votes: tuple[str, str]


def _columns(choice: ChosenColumns) -> _Columns:
    found = _Columns(
        recording=choice.needed("recording", "recording", "recording_filename", "recording_id"),
        label=choice.of("class", "species", "scientific_name", "species_name", "species_id"),
        songtype=choice.of("songtype", "songtype", "songtype_name"),
        group=choice.of("group", "site", "site_name", "site_id"),
        judge=choice.of("judge", "expert_validation_user", "user_id"),
        score=choice.of("score", "score"),
        nyquist=choice.known("frequency"),
        expert=choice.known("expert_validated"),
        consensus=choice.known("consensus_validated"),
        votes=(choice.known("cs_val_present"), choice.known("cs_val_not_present")),
        validated=choice.verdict() if choice.options.verdict_column else choice.known("validated"),
    )
    where = choice.where
    if choice.known("cs_validation"):
        raise AnnotationError(
            f"{where}: one row for each person's vote; export the table without 'per user', which "
            "has a row for each match"
        )
    if not found.label and not choice.options.label:
        raise AnnotationError(
            f"{where}: no column of species, as in Arbimon's bulk exports; pass the class of its "
            "job with --label"
        )
    if found.recording == "recording_id":
        choice.sheet.notes.say(
            f"{where}: recordings are named by Arbimon's numbers (recording_id); if files have "
            "other names, add a column of them, and name it with --column recording=NAME"
        )
    return found


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    sheet = open_sheet(path, notes)
    choice = ChosenColumns(sheet, options)
    of = _columns(choice)
    boxes = set(_BOX) <= set(sheet.columns)
    heard = [choice.known(name) for name in ("present", "present_visualizer")]
    seen = [choice.known(n) for n in ("present_review", "present_pm", "present_aed")]
    choice.done(*_BOX, *_HOLD_NOTHING)
    if boxes and not (of.validated or of.expert or of.consensus or all(of.votes)):
        unjudged(sheet, scored=True)
    for row in sheet:
        name, label = row[of.recording], row[of.label] if of.label else options.label
        if not name or not label:
            notes.drop(row.where, "no class" if name else "no recording")
            continue
        if boxes:
            verdict = _of_match(row, of)
        else:
            verdict = _of_recording(row, next(filter(None, heard), ""), [s for s in seen if s])
        judge = row[of.judge] if verdict != "unknown" else ""
        yield Entry(
            name,
            label,
            verdict,
            row.where,
            _span(row) if boxes else None,
            _band(row, of.nyquist) if boxes else None,
            row[of.songtype],
            row[of.group],
            "" if judge == "(unknown)" else judge,
            row.number(of.score) if of.score else None,
        )


def _of_match(row: SheetRow, of: _Columns) -> Verdict:
    """Return the verdict on a match: an expert's before the consensus, votes for and against none.

    As ``compositeValidation`` of Arbimon's page has it.
    """
    for column in (of.expert, of.consensus):
        if column and (verdict := verdict_of(row.where, row[column], column)) != "unknown":
            return verdict
    if all(of.votes) and all((row.number(column) or 0) > 0 for column in of.votes):
        row.notes.say("matches with votes on both sides, and no expert's, are unknown")
        return "unknown"
    return verdict_of(row.where, row[of.validated], of.validated) if of.validated else "unknown"


def _of_recording(row: SheetRow, heard: str, seen: list[str]) -> Verdict:
    """Return the verdict on a whole recording: the listener's, and matches confirmed in it."""
    verdict = verdict_of(row.where, row[heard], heard) if heard else "unknown"
    if not any((row.number(column) or 0) > 0 for column in seen):
        return verdict
    if verdict == "absent":
        row.notes.repair(
            row.where, "absent to the listener, and a match is confirmed: taken as unknown"
        )
        return "unknown"
    return "present"


def _span(row: SheetRow) -> Span:
    """Return the span of a match, whichever corner was drawn first."""
    first, last = sorted((row.needed("x1"), row.needed("x2")))
    return checked_span(row.where, first, last)


def _band(row: SheetRow, nyquist: str) -> tuple[float, float]:
    """Return the band of a match, cut off at half the recording's sample rate."""
    low, high = sorted((row.needed("y1"), row.needed("y2")))
    most = row.number(nyquist) if nyquist else None
    if most is not None and high > most:
        row.notes.repair(row.where, "y2 is cut off at half the sample rate")
        high = most
    if high <= low:
        raise AnnotationError(f"{row.where}: the band from {low:g} to {high:g} Hz is none")
    return low, high


def _recognises(head: Head) -> bool:
    matches = head.has(*_BOX) and bool({"recording", "recording_id"} & set(head.columns))
    whole = head.has("recording_id", "species_id") and bool(set(_WHOLE) & set(head.columns))
    return (matches and bool({"score", "validated"} & set(head.columns))) or whole


FORMAT = Format("Arbimon: pattern matching (page, bulk), whole recordings", _recognises, _read)
