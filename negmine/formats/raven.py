"""Raven's selection tables, of Raven itself and of BirdNET-Analyzer, HawkEars and others."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from negmine.audio.windows import Span, to_microseconds
from negmine.errors import AnnotationError, shorten
from negmine.formats.chosen_columns import ChosenColumns
from negmine.formats.entry import Entry, Notes
from negmine.formats.format import Format, Head, Options
from negmine.formats.paired import paired_recording
from negmine.formats.plain import band_of, checked_span
from negmine.formats.sheet import Sheet, SheetRow, open_sheet
from negmine.formats.unjudged import unjudged
from negmine.formats.verdict_words import folded, verdict_of

BEGIN, END = "Begin Time (s)", "End Time (s)"
# What the species is called: HawkEars' own name first, then BirdNET's.
_LABELS = (
    *("Species", "Common Name", "Scientific Name", "Species Code", "eBird Code", "Annotation"),
    *("Annotations", "Label", "Class", "Call", "Call Type", "Sound Type", "Tag", "ID", "Name"),
)
_MEASURED = ("Selection", "View", "Channel", "Occupancy", "Begin Date", "Begin Clock Time")
_HOLD_NOTHING = (*_MEASURED, "Delta Time (s)", "Delta Freq (Hz)", "Begin Hour", "File Offset (s)")


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    sheet = open_sheet(path, notes)
    choice = ChosenColumns(sheet, options)
    of = {
        "file": choice.of("recording", "Begin Path", "Begin File"),
        "end_file": choice.known("End Path") if choice.known("Begin Path") else "",
        "begin": choice.of("t_min", BEGIN),
        "end": choice.of("t_max", END),
        "f_min": choice.of("f_min", "Low Freq (Hz)"),
        "f_max": choice.of("f_max", "High Freq (Hz)"),
        "score": choice.of("score", "Confidence", "Score"),
        "judge": choice.of("judge", "Annotator", "Reviewer", "Observer"),
        "songtype": choice.of("songtype"),
        "group": choice.of("group", "Site"),
        "verdict": choice.verdict(),
    }
    if of["end_file"] == "" and choice.known("Begin File"):
        of["end_file"] = choice.known("End File")
    # times that the user names are those of the file
    of["offset"] = "" if "t_min" in options.columns else choice.known("File Offset (s)")
    of["label"] = _label_column(choice, of)
    choice.done(*_HOLD_NOTHING, *_LABELS, "Begin Path", "Begin File", BEGIN, END)
    rest = None if of["verdict"] else unjudged(sheet, bool(of["score"]), options.columns)
    named = paired_recording(path)
    if not of["file"]:
        notes.say(
            f"{path}: no column 'Begin Path' or 'Begin File': the recording is the one that the "
            "table is named after"
        )
    present = {name: column for name, column in of.items() if column}
    runs_on = not of["offset"] and "t_min" not in options.columns
    for row in _once(sheet, of, runs_on):
        label = row[of["label"]] if of["label"] else options.label
        if not label:
            notes.drop(row.where, "no class")
        elif label.lower() == "nocall":
            notes.drop(row.where, "'nocall', which says that nothing was detected")
        elif of["end_file"] and _name(row[of["end_file"]]) != _name(_begin_file(row)):
            notes.drop(row.where, "the selection ends in another file")
        else:
            yield Entry(
                row[of["file"]] if of["file"] else named,
                label,
                rest or verdict_of(row.where, row[of["verdict"]], of["verdict"]),
                row.where,
                _span(row, of),
                band_of(row, present),
                row[of["songtype"]],
                row[of["group"]],
                row[of["judge"]],
                row.number(of["score"]) if of["score"] else None,
            )


def _label_column(choice: ChosenColumns, of: dict[str, str]) -> str:
    """Find the column of classes: of a usual name, or the one that is no measurement."""
    where, options = choice.where, choice.options
    column = choice.of("class") if "class" in options.columns else ""
    if column or options.label:
        return column
    usual = {folded(name) for name in _LABELS}
    names = [name for name in choice.sheet.columns if folded(name) in usual]
    known = {folded(name) for name in (*_HOLD_NOTHING, "Begin Path", "Begin File", *of.values())}
    if not names:
        rest = [n for n in choice.sheet.columns if folded(n) not in known and "(" not in n]
        if len(rest) != 1:
            raise AnnotationError(
                f"{where}: no column says the class; name it with --column class=NAME, or the "
                f"class of all rows with --label; may be {shorten(rest, 20) or 'none'}"
            )
        choice.sheet.notes.say(f"{where}: classes are taken from the column '{rest[0]}'")
        return choice.known(rest[0])
    column = choice.known(*_LABELS)
    if len(names) > 1:
        others = ", ".join(f"'{name}'" for name in names if name != column)
        choice.sheet.notes.say(
            f"{where}: classes are taken from the column '{column}', not from {others}; --column "
            "class=NAME chooses"
        )
    return column


def _once(sheet: Sheet, of: dict[str, str], runs_on: bool) -> Iterator[SheetRow]:
    """Yield each selection once, though a table has a row for each view of it.

    Parameters
    ----------
    runs_on : bool
        Whether times may run on from file to file, so that there may be one file alone.
    """
    files: set[str] = set()
    seen: dict[tuple[str, str], tuple[tuple[str, ...], set[str]]] = {}
    telling = [of[name] for name in ("begin", "end", "offset", "label", "verdict") if of[name]]
    for row in sheet:
        if of["file"] and runs_on:
            files.add(row[of["file"]])
            _check_one_file(row, files)
        key, view = (row["Selection"], row[of["file"]]), row["View"]
        said = tuple(row[column] for column in telling)
        before, views = seen.get(key, ((), set()))
        # numbers begin again where tables were joined
        if not view or not key[0] or not views or view in views:
            seen[key] = said, {view}
            yield row
            continue
        if said != before:
            raise AnnotationError(
                f"{row.where}: selection {key[0]} is another in its view '{view}' than further up; "
                "was one column sorted alone?"
            )
        views.add(view)
        sheet.notes.repair(row.where, "rows of one selection in several views count once")


def _check_one_file(row: SheetRow, files: set[str]) -> None:
    if len(files) > 1:
        first, second = sorted(files)
        raise AnnotationError(
            f"{row.where}: a second recording ('{first}', '{second}') and no column 'File Offset "
            "(s)': Raven's times run on from file to file. Add that measurement in Raven; or, if "
            f"times begin again in each file, pass --column 't_min={BEGIN}' --column 't_max={END}'"
        )


def _begin_file(row: SheetRow) -> str:
    return row["Begin Path"] or row["Begin File"]


def _name(path: str) -> str:
    return path.replace("\\", "/").rpartition("/")[2]


def _span(row: SheetRow, of: dict[str, str]) -> Span:
    """Return the selection's span in its own file."""
    begin, end = row.needed(of["begin"] or BEGIN), row.needed(of["end"] or END)
    if not of["offset"]:
        return checked_span(row.where, begin, end)
    offset = row.needed(of["offset"])
    span = checked_span(row.where, offset, offset + (end - begin))
    return Span(span.start_s, to_microseconds(span.end_s))


def _recognises(head: Head) -> bool:
    return head.has(BEGIN, END)


FORMAT = Format("Raven: selection tables, also of BirdNET and HawkEars", _recognises, _read)
