"""Audacity label tracks, one for each recording, named after it.

A track has no column for a verdict: an absence is written as ``-CLASS``, as BirdNET names folders
of negatives.
"""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from pathlib import Path

from negmine.exports.job import Job, Writer
from negmine.exports.rows import PlacedRow, Statement, statements
from negmine.storage.files import writing


def _write(job: Job) -> int:
    said = statements(job.placed())
    names = _names({one.placed.path: one.placed for one in said})
    for path, of_file in groupby(said, key=lambda one: one.placed.path):
        with writing(job.folder / f"{names[path]}.txt") as temporary:
            text = "".join(_label(job, one) for one in of_file)
            temporary.write_text(text, encoding="utf-8", newline="\n")
    if any(names[one.placed.path] != one.placed.stem for one in said):
        job.notes.append("recordings of one name in several folders: tracks are named by folder")
    return len(said)


def _label(job: Job, one: Statement) -> str:
    """Return a label: its span and name, and its frequencies on a line of their own."""
    span = one.placed.span
    low_hz, high_hz = job.band(one.placed.row, one.label)
    sign = "" if one.present else "-"
    times = f"{span.start_s:.6f}\t{span.end_s:.6f}\t{sign}{one.label}\n"
    return f"{times}\\\t{low_hz:.6f}\t{high_hz:.6f}\n"


def _names(files: dict[Path, PlacedRow]) -> dict[Path, str]:
    """Name each file's track: by its own name, or by its path where several share that."""
    # as file systems that do not tell cases apart see them
    stems = Counter(one.stem.casefold() for one in files.values())
    names: dict[Path, str] = {}
    taken = set(stems)
    for path, one in files.items():
        name = one.stem
        if stems[name.casefold()] > 1:
            name = f"{one.root.name}_{one.name.rpartition('.')[0]}".replace("/", "_")
            while name.casefold() in taken:
                name += "_"
            taken.add(name.casefold())
        names[path] = name
    return names


WRITER = Writer(_write, "own", "labels", lacks=("confidence", "score"))
