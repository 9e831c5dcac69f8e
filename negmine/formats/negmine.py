"""The table that ``negmine import --out`` writes: one for all formats."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from negmine.formats.entry import Entry, Notes
from negmine.formats.format import Format, Head, Options
from negmine.formats.plain import columns_of, entries_of
from negmine.formats.sheet import open_sheet

COLUMNS = (
    "recording",
    "class",
    "verdict",
    "t_min",
    "t_max",
    "f_min",
    "f_max",
    "songtype",
    "group",
    "judge",
    "score",
    "source",
)


def _recognises(head: Head) -> bool:
    return head.has(*COLUMNS)


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    sheet = open_sheet(path, notes)
    columns = columns_of(sheet, options, known=("source",))
    yield from entries_of(sheet, columns, options)


FORMAT = Format("negmine: what 'negmine import --out' writes", _recognises, _read)
