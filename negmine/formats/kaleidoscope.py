"""Kaleidoscope's tables (cluster.csv, id.csv, meta.csv), and BirdNET-Analyzer's in their layout.

``MANUAL ID`` is what a person says: a class, or a word on what the program says.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from negmine.errors import AnnotationError
from negmine.formats.chosen_columns import ChosenColumns, joined
from negmine.formats.entry import Entry, Notes, Verdict
from negmine.formats.format import Format, Head, Options
from negmine.formats.plain import checked_span
from negmine.formats.sheet import Sheet, SheetRow, open_sheet
from negmine.formats.unjudged import unjudged
from negmine.formats.verdict_words import WORDS, verdict_of

_AUTO = ("AUTO ID*", "AUTO ID", "TOP1MATCH*", "TOP1MATCH", "common_name", "scientific_name")
_PLACES = ("INDIR", "FOLDER", "IN FILE", "IN FILE*")
# A distance is no score: the lower, the nearer.
_HOLD_NOTHING = (
    *_PLACES,
    *_AUTO,
    *("OUTDIR", "OUT FILE", "OUT FILE FS", "OUT FILE ZC", "CHANNEL", "DATE", "TIME", "HOUR"),
    *("DATE-12", "TIME-12", "HOUR-12", "Fmean", "TOP1DIST", "TOP2MATCH", "TOP2DIST", "TOP3MATCH"),
    *("TOP3DIST", "VOCALIZATIONS", "MANUAL ID", "FILES", "lat", "lon", "week", "overlap"),
    *("sensitivity", "PULSES", "MATCHING", "MATCH RATIO", "MARGIN", "ALTERNATE 1", "ALTERNATE 2"),
    *("Fc", "Sc", "Dur", "Fk", "Sk", "Tk", "S1", "Tc", "Qual", "N", "S2", "Smean"),
)
# What is heard where no class is; NoID: a bat, of a species that cannot be said.
_NOTHING = frozenset({"noise", "background", "nothing", "nonbat", "no call", "nocall"})
_CANNOT_SAY = frozenset({"noid", "unidentified"})
# Of bats, Kaleidoscope gives kHz; nothing else is called by less than so many Hz.
_KHZ = 1000.0


@dataclass(frozen=True)
class _Columns:
    auto: str
    manual: str
    score: str
    verdict: str
    group: str
    band: tuple[str, str]
    in_khz: bool


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    sheet = open_sheet(path, notes)
    columns = _columns(sheet, options)
    # names that a person gives: what is only a cluster's number is rejected by no row
    by_hand = replace(sheet, notes=Notes())
    confirmed = {row[columns.manual].casefold() for row in by_hand if columns.manual}
    places = [name for name in _PLACES if name in sheet.columns]
    for row in sheet:
        start = row.needed("OFFSET")
        span = checked_span(row.where, start, start + row.needed("DURATION"))
        recording = joined(row, places)
        if not row["IN FILE"] and not row["IN FILE*"]:
            notes.drop(row.where, "no recording")
            continue
        said = list(_said(row, columns, confirmed, options))
        if not said:
            notes.drop(row.where, "no class")
        for label, verdict in said:
            band = _band(row, columns)
            score = row.number(columns.score) if columns.score else None
            group = row[columns.group]
            yield Entry(recording, label, verdict, row.where, span, band, group=group, score=score)


def _columns(sheet: Sheet, options: Options) -> _Columns:
    path, notes, known = sheet.path, sheet.notes, set(sheet.columns)
    choice = ChosenColumns(sheet, options)
    found = _Columns(
        auto=choice.of("class", *_AUTO),
        manual=choice.known("MANUAL ID"),
        score=choice.of("score", "confidence"),
        verdict=choice.verdict(),
        group=choice.of("group"),
        band=(choice.of("f_min", "Fmin"), choice.of("f_max", "Fmax")),
        in_khz=bool(known & {"AUTO ID*", "AUTO ID", "Fc"}) and "Fmin" in known,
    )
    if not found.auto and not found.manual and not options.label:
        raise AnnotationError(f"{path}: no column MANUAL ID or TOP1MATCH says the class")
    if found.manual and found.verdict and found.verdict != found.manual:
        raise AnnotationError(
            f"{path}: MANUAL ID and '{found.verdict}' both may hold verdicts; pass --column "
            "verdict= to read MANUAL ID alone, or remove one"
        )
    if not found.manual and not found.verdict:
        unjudged(sheet, scored=True)
    elif found.manual:
        notes.say(
            f"{path}: MANUAL ID is the verdict: the class of a row, and rejects what "
            f"'{found.auto or options.label}' says instead"
        )
    if found.in_khz and found.band[0]:
        notes.say(f"{path}: a table of bats: Fmin and Fmax are taken as kHz")
    choice.done("OFFSET", "DURATION", *_HOLD_NOTHING)
    return found


def _said(
    row: SheetRow, columns: _Columns, confirmed: set[str], options: Options
) -> Iterator[tuple[str, Verdict]]:
    """Yield what a row says of each class that it names."""
    auto = row[columns.auto] if columns.auto else options.label
    if not columns.manual:
        if auto:
            word = verdict_of(row.where, row[columns.verdict], columns.verdict)
            yield auto, word if columns.verdict else "unknown"
        return
    manual = row[columns.manual]
    folded = manual.casefold()
    if not auto and (folded in WORDS or folded in _NOTHING | _CANNOT_SAY):
        return
    if manual == "" or folded in _CANNOT_SAY:
        yield auto, "unknown"
    elif folded == auto.casefold():
        yield auto, "present"
    elif "_".join(folded.split()) in WORDS:
        yield auto, verdict_of(row.where, manual, columns.manual)
    elif folded in _NOTHING:
        yield auto, "absent"
    else:
        yield manual, "present"
        if auto.casefold() in confirmed:
            yield auto, "absent"


def _band(row: SheetRow, columns: _Columns) -> tuple[float, float] | None:
    low, high = (row.number(name) if name else None for name in columns.band)
    if low is None or high is None or high <= low:
        return None
    factor = _KHZ if columns.in_khz else 1.0
    return low * factor, high * factor


def _recognises(head: Head) -> bool:
    return head.has("OFFSET", "DURATION") and bool({"IN FILE", "IN FILE*"} & set(head.columns))


FORMAT = Format("Kaleidoscope: cluster.csv, id.csv, also of BirdNET", _recognises, _read)
