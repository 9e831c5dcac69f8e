"""BriteKit's tables of truth: of spans, of blocks of a minute, or of whole recordings."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from negmine.audio.windows import Span
from negmine.errors import AnnotationError
from negmine.formats.detections import timed
from negmine.formats.entry import EVERY_CLASS, Entry, Notes
from negmine.formats.format import Format, Head, Options
from negmine.formats.plain import columns_of, entries_of
from negmine.formats.sheet import Sheet, open_sheet
from negmine.storage.names import clean_name

_SPANS = {"recording", "class", "start_time", "end_time"}
_LISTS = {"recording", "classes"}
# BriteKit's own default; the table does not say it.
_BLOCK_S = 60.0


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    sheet = open_sheet(path, notes)
    if "classes" not in sheet.columns:
        yield from timed(entries_of(sheet, columns_of(sheet, options, "present"), options))
        return
    if options.columns or options.verdict_column:
        raise AnnotationError(f"{path}: BriteKit's columns are known; leave --column out")
    sheet.ignore(("recording", "block", "classes"))
    what = "block" if "block" in sheet.columns else "recording"
    if what == "block":
        notes.say(f"{path}: a block is taken as {_BLOCK_S:g} s, the first as block 1")
    notes.say(f"{path}: all classes that a row does not list are absent from its {what}")
    yield from _lists(sheet)


def _lists(sheet: Sheet) -> Iterator[Entry]:
    for row in sheet:
        if not row["recording"]:
            sheet.notes.drop(row.where, "no recording")
            continue
        span = None
        if "block" in sheet.columns:
            block = row.needed("block")
            if block < 1 or block != int(block):
                raise AnnotationError(f"{row.where}: block {block:g}: expected 1, 2, 3, ...")
            span = Span((block - 1) * _BLOCK_S, block * _BLOCK_S)
        for label in filter(None, map(clean_name, row["classes"].split(","))):
            yield Entry(row["recording"], label, "present", row.where, span)
        yield Entry(row["recording"], EVERY_CLASS, "absent", row.where, span)


def _recognises(head: Head) -> bool:
    columns = set(head.columns)
    return columns == _SPANS or columns - {"block"} == _LISTS


FORMAT = Format("BriteKit: truth of spans, blocks or recordings", _recognises, _read)
