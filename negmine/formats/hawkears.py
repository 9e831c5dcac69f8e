"""HawkEars' scores.csv, which BriteKit's detectors write, too.

Its Raven tables are read by `negmine.formats.raven`, its labels for Audacity by
`negmine.formats.audacity`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from negmine.formats.chosen_columns import ChosenColumns
from negmine.formats.detections import detections
from negmine.formats.entry import Entry, Notes
from negmine.formats.format import Format, Head, Options
from negmine.formats.sheet import open_sheet

COLUMNS = ("recording", "name", "start_time", "end_time", "score")


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    choice = ChosenColumns(open_sheet(path, notes), options)
    fields = ("recording", "class", "t_min", "t_max", "score")
    of = {field: choice.needed(field, name) for field, name in zip(fields, COLUMNS, strict=True)}
    yield from detections(choice, of)


def _recognises(head: Head) -> bool:
    return head.has(*COLUMNS)


FORMAT = Format("HawkEars and BriteKit: scores.csv", _recognises, _read)
