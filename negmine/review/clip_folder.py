"""A folder of clips to judge, made for the purpose: ``negmine audit draw`` writes one.

verdicts.csv   a table of verdicts, a row a clip; the recording is the clip's name
clips/         the clips, as FLAC
examples.csv   name and class of each confirmed call that is played beside the clips of its class
examples/      those calls
"""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from negmine.annotations.verdict_rows import verdict_rows
from negmine.errors import InputError
from negmine.review.review_clips import ReviewClip, ReviewClips
from negmine.storage.csv_tables import read_rows, safe_cell
from negmine.storage.file_names import is_file_name

CLIPS, EXAMPLES = "clips", "examples"
VERDICTS, EXAMPLE_TABLE = "verdicts.csv", "examples.csv"


def write_examples(folder: Path, examples: Mapping[str, Sequence[str]]) -> None:
    """Write which class each example is of: names of files without their suffix, by class."""
    with (folder / EXAMPLE_TABLE).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("example", "class"))
        for label, names in examples.items():
            writer.writerows((name, safe_cell(label)) for name in names)


def clips_of_folder(folder: Path) -> ReviewClips:
    """Return the clips of a folder, each once, with the examples of its class in turn.

    Raises
    ------
    InputError
        If it is no such folder, or a name leads out of it.
    """
    table = folder / VERDICTS
    if not table.is_file():
        raise InputError(
            f"{folder}: no folder of 'negmine audit draw': it holds no {VERDICTS}; name a "
            "selection or a table"
        )
    examples: dict[str, list[Path]] = {}
    if (folder / EXAMPLE_TABLE).is_file():
        for where, (name, label) in read_rows(folder / EXAMPLE_TABLE, ("example", "class")):
            examples.setdefault(label, []).append(_file(where, folder / EXAMPLES, name))
    found: dict[object, ReviewClip] = {}
    for row in verdict_rows(table):
        calls = examples.get(row.label)
        clip = ReviewClip(
            row.recording, row.label, row.span, _file(row.where, folder / CLIPS, row.recording),
            example=calls[len(found) % len(calls)] if calls else None,
        )  # fmt: skip
        found.setdefault(clip.key, clip)
    return ReviewClips(tuple(found.values()), ())


def _file(where: str, folder: Path, name: str) -> Path:
    if not is_file_name(name):
        raise InputError(f"{where}: '{name[:60]}' is no clip's name")
    return folder / f"{name}.flac"
