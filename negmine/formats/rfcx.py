"""RFCX's tables of confirmed calls and of rejected detections: which of the two, the name says."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from negmine.errors import AnnotationError
from negmine.formats.entry import Entry, Notes, Verdict
from negmine.formats.format import Format, Head, Options
from negmine.formats.plain import columns_of, entries_of
from negmine.formats.sheet import open_sheet
from negmine.formats.verdict_words import verdict_column

COLUMNS = ("recording_id", "species_id", "t_min", "f_min", "t_max", "f_max")
_NAMED = re.compile(r"(?:^|[^a-z])(tp|fp)(?:$|[^a-z])", re.IGNORECASE)


def _recognises(head: Head) -> bool:
    return head.has(*COLUMNS) and verdict_column(head.columns, where=str(head.path)) is None


def _read(path: Path, options: Options, notes: Notes) -> Iterator[Entry]:
    words = {word.lower() for word in _NAMED.findall(path.stem)}
    if len(words) != 1:
        raise AnnotationError(
            f"{path}: no column says whether its rows are confirmed or rejected, and its name "
            "holds neither 'tp' nor 'fp' as a word; pass it as --tp or --fp"
        )
    verdict: Verdict = "present" if words == {"tp"} else "absent"
    notes.say(f"{path}: by its name, all rows are {verdict}")
    sheet = open_sheet(path, notes)
    yield from entries_of(sheet, columns_of(sheet, options, verdict), options)


FORMAT = Format("RFCX: train_tp.csv and train_fp.csv", _recognises, _read)
