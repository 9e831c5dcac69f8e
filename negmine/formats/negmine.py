"""The table that ``negmine import --out`` writes: one for all formats."""

from __future__ import annotations

from negmine.formats.format import Format, Head
from negmine.formats.plain import read

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


FORMAT = Format("negmine: what 'negmine import --out' writes", _recognises, read)
