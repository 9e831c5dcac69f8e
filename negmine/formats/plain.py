"""Plain tables: a recording and a class a row, with or without times, in columns of usual names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.entry import EVERY_CLASS, Entry, Notes, Verdict
from negmine.formats.format import Format, Head, Options
from negmine.formats.sheet import Sheet, SheetRow, open_sheet
from negmine.formats.unjudged import unjudged
from negmine.formats.verdict_words import column_named, folded, verdict_column, verdict_of

# The usual names of what a column holds, the first that a table has; as `folded` writes them.
_USUAL = """
recording: recording recordingid recordingname file filename filepath path audio audiofile wav
    soundfile infile beginfile input clip clipid
class: class label species speciesid speciesname scientificname commonname speciescode taxon
    annotation tag name code
t_min: tmin start starts startsec startseconds starttime starttime(s) start(s) begin begintime
    begintime(s) onset timestart tstart offset(s) windowstart
t_max: tmax end ends endsec endseconds endtime endtime(s) end(s) timeend tend stop stoptime
    windowend
duration: duration durations duration(s) length length(s) tagduration
f_min: fmin lowf lowfreq lowfreq(hz) lowfrequency freqmin minfreq minfrequency fminhz freqlow
    mintagfreq
f_max: fmax highf highfreq highfreq(hz) highfrequency freqmax maxfreq maxfrequency fmaxhz freqhigh
    maxtagfreq
songtype: songtype songtypeid calltype vocalization
group: group site siteid sitename location
judge: judge listener reviewer annotator observer validator expert user
score: score confidence conf probability logits
"""
USUAL: Mapping[str, tuple[str, ...]] = {
    name: tuple(known.split())
    for name, known in re.findall(r"^(\w+):((?:.|\n )*)$", _USUAL, re.MULTILINE)
}
FIELDS = (*USUAL, "verdict")

_TIME = re.compile(r"(start|begin|onset|offset|end|stop|time)", re.IGNORECASE)
_NO_TIME = re.compile(r"(date|datetime|recordingtime|day|year|month|hour|minute)", re.IGNORECASE)


@dataclass(frozen=True)
class Columns:
    """Which column of a table holds what; empty: none does.

    Attributes
    ----------
    of : mapping of str to str
        A column for each of `FIELDS` that the table has.
    verdict : "present", "absent", "unknown" or None
        Of all rows, where no column says; None where one does.
    """

    of: Mapping[str, str]
    verdict: Verdict | None = None


def is_plain(head: Head) -> bool:
    """Return whether a table has a column of recordings by a usual name."""
    return any(folded(name) in USUAL["recording"] for name in head.columns)


def read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    """Yield an entry for each row of a plain table; see `Columns` for what it may hold."""
    sheet = open_sheet(path, notes)
    yield from entries_of(sheet, columns_of(sheet, options), options)


def columns_of(
    sheet: Sheet,
    options: Options,
    verdict: Verdict | None = None,
    known: Sequence[str] = (),
) -> Columns:
    """Find what each column of a table holds, by its name or by what the user says.

    Parameters
    ----------
    verdict : "present", "absent" or "unknown", optional
        Of all rows, where the format knows it.
    known : sequence of str
        Columns of the format that hold nothing of use.

    Raises
    ------
    AnnotationError
        If there is no column of recordings, or of classes, or times are in columns that are not
        known.
    """
    where, named = str(sheet.path), dict(options.columns)
    found: dict[str, str] = {}
    for field in USUAL:
        if field in named:
            if named[field]:
                found[field] = column_named(sheet.columns, named[field], where)
            continue
        usual = [name for known in USUAL[field] for name in sheet.columns if folded(name) == known]
        usual = [name for name in usual if name not in {*found.values(), *named.values()}]
        if usual:
            found[field] = usual[0]
    judged = None
    if verdict is None and named.get("verdict", "x"):
        judged = verdict_column(sheet.columns, options.verdict_column, where)
    if judged:
        found["verdict"] = judged
    if "recording" not in found:
        raise AnnotationError(
            f"{where}: no column of recordings; name it with --column recording=NAME; found "
            f"{', '.join(sheet.columns)}"
        )
    if "class" not in found and not options.label:
        raise AnnotationError(
            f"{where}: no column of classes; name it with --column class=NAME, or the class of all "
            f"rows with --label; found {', '.join(sheet.columns)}"
        )
    _check_times(sheet, found, named)
    sheet.ignore(tuple(found.values()), known)
    if judged or verdict is not None:
        return Columns(found, verdict)
    return Columns(found, unjudged(sheet, "score" in found, named))


def _check_times(sheet: Sheet, found: Mapping[str, str], named: Mapping[str, str]) -> None:
    """Check that no times are overlooked: a row without them is of the whole recording."""
    where = str(sheet.path)
    if ("t_max" in found or "duration" in found) == ("t_min" in found):
        if "t_min" in found or "t_min" in named:
            return
        odd = [
            name
            for name in sheet.columns
            if name not in found.values() and _TIME.search(name) and not _NO_TIME.search(name)
        ]
        if odd:
            raise AnnotationError(
                f"{where}: column '{odd[0]}' may hold times, and is not known; name it with "
                "--column t_min=NAME (and t_max, in seconds), or pass --column t_min= where rows "
                "are of whole recordings"
            )
        return
    if "t_min" in found:
        raise AnnotationError(
            f"{where}: a column of beginnings, '{found['t_min']}', and none of ends; name it with "
            "--column t_max=NAME or --column duration=NAME"
        )
    if "t_max" in found:
        raise AnnotationError(
            f"{where}: a column of ends, '{found['t_max']}', and none of beginnings; name it with "
            "--column t_min=NAME"
        )


def entries_of(sheet: Sheet, columns: Columns, options: Options) -> Iterator[Entry]:
    """Yield the rows of a table as entries; those without recording or class are left out."""
    of = columns.of
    for row in sheet:
        name, label = row[of["recording"]], row[of["class"]] if "class" in of else options.label
        if not name and not label:
            sheet.notes.drop(row.where, "no recording and no class")
            continue
        if not name:
            sheet.notes.drop(row.where, "no recording")
            continue
        if not label:
            sheet.notes.drop(row.where, "no class")
            continue
        verdict = columns.verdict
        if verdict is None:
            verdict = verdict_of(row.where, row[of["verdict"]], of["verdict"])
        if label == EVERY_CLASS and verdict == "present":
            raise AnnotationError(f"{row.where}: class '*' means all, and cannot be present")
        yield Entry(
            name,
            label,
            verdict,
            row.where,
            span_of(row, of),
            band_of(row, of),
            row[of["songtype"]] if "songtype" in of else "",
            row[of["group"]] if "group" in of else "",
            row[of["judge"]] if "judge" in of else "",
            row.number(of["score"]) if "score" in of else None,
        )


def span_of(row: SheetRow, of: Mapping[str, str]) -> Span | None:
    """Return the span of a row; None where it has no times.

    Raises
    ------
    AnnotationError
        If it has one of its times alone, or they are none.
    """
    if "t_min" not in of and "duration" not in of:
        return None
    first = row.number(of["t_min"]) if "t_min" in of else 0.0
    last = row.number(of["t_max"]) if "t_max" in of else None
    if last is None and first is not None and "duration" in of:
        length = row.number(of["duration"])
        last = None if length is None else first + length
    if "t_min" not in of or (first is None and last is None):
        return None
    if first is None or last is None:
        raise AnnotationError(f"{row.where}: one of its two times is empty; give both, or none")
    return checked_span(row.where, first, last)


def checked_span(where: str, start_s: float, end_s: float) -> Span:
    """Return a span of a row.

    Raises
    ------
    AnnotationError
        If it has no length, or begins before the recording.
    """
    if end_s <= start_s:
        raise AnnotationError(
            f"{where}: the end {end_s:g} s is not after the beginning {start_s:g} s; are the "
            "columns swapped, or was one column sorted alone?"
        )
    if start_s < 0:
        raise AnnotationError(f"{where}: the beginning {start_s:g} s is negative")
    return Span(start_s, end_s)


def band_of(row: SheetRow, of: Mapping[str, str]) -> tuple[float, float] | None:
    """Return the band of a row in Hz; None where it gives none.

    Raises
    ------
    AnnotationError
        If its edges are none.
    """
    low = row.number(of["f_min"]) if "f_min" in of else None
    high = row.number(of["f_max"]) if "f_max" in of else None
    if low is None and high is None:
        return None
    low, high = low or 0.0, float("inf") if high is None else high
    if high <= low or low < 0:
        raise AnnotationError(
            f"{row.where}: the band from {low:g} to {high:g} Hz is none; are the columns swapped, "
            "or was one column sorted alone?"
        )
    return low, high


FORMAT = Format("a table with a column of recordings and one of classes", is_plain, read)
