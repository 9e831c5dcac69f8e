"""Results of the Python package birdnet, as CSV and Parquet."""

from __future__ import annotations

import re
from collections.abc import Generator, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from negmine.formats.chosen_columns import ChosenColumns
from negmine.formats.detections import detections
from negmine.formats.entry import Entry, Notes
from negmine.formats.format import Format, Head, Options
from negmine.formats.parquet_sheet import columns_in_parquet, open_any_sheet
from negmine.formats.sheet import Sheet

COLUMNS = ("input", "start_time", "end_time", "species_name", "confidence")
# its CSV writes times as 00:01:30.50, its Parquet as seconds
_CLOCK = re.compile(r"([0-9]{2,}):([0-5][0-9]):([0-5][0-9](?:[.,][0-9]+)?)")


def seconds(text: str) -> str:
    """Return a time of a clock as seconds; any other text as it is.

    Examples
    --------
    >>> seconds("00:01:30.50"), seconds("3.0")
    ('90.5', '3.0')
    """
    parts = _CLOCK.fullmatch(text)
    if not parts:
        return text
    whole = int(parts[1]) * 3600 + int(parts[2]) * 60 + float(parts[3].replace(",", "."))
    return repr(round(whole, 6))


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    sheet = open_any_sheet(path, notes)
    choice = ChosenColumns(sheet, options)
    fields = ("recording", "t_min", "t_max", "class", "score")
    of = {field: choice.needed(field, name) for field, name in zip(fields, COLUMNS, strict=True)}
    places = [sheet.columns.index(of[name]) for name in ("t_min", "t_max")]
    choice.sheet = replace(sheet, rows=partial(_in_seconds, sheet, places))
    yield from detections(choice, of)


def _in_seconds(sheet: Sheet, places: list[int]) -> Generator[tuple[int, list[str]], None, None]:
    for number, cells in sheet.rows():
        for place in places:
            cells[place] = seconds(cells[place])
        yield number, cells


def _recognises(head: Head) -> bool:
    return set(COLUMNS) <= set(head.columns or columns_in_parquet(head))


FORMAT = Format("birdnet: the Python package's CSV and Parquet", _recognises, _read)
