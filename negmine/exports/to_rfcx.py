"""RFCX's tables of the species audio detection data, a pair: confirmed calls and rejections."""

from __future__ import annotations

import pandas as pd

from negmine.annotations.rfcx_tables import COLUMNS
from negmine.errors import InputError
from negmine.exports.job import Job, Writer
from negmine.exports.rows import PlacedRow, statements
from negmine.storage.csv_tables import write_csv
from negmine.storage.names import clean_name

TABLES = {True: "train_tp.csv", False: "train_fp.csv"}


def _write(job: Job) -> int:
    placed = job.placed()
    _check_names(placed)
    said = statements(placed)
    for present, name in TABLES.items():
        rows = []
        for one in said:
            if one.present != present:
                continue
            row, span = one.placed.row, one.placed.span
            low_hz, high_hz = job.band(row, one.label)
            recording = clean_name(one.placed.stem)
            times = (span.start_s, low_hz, span.end_s, high_hz)
            rows.append((recording, one.label, row.songtype, *times))
        if rows:
            table = pd.DataFrame(rows, columns=list(COLUMNS))
            if not any(table["songtype_id"]):
                table = table.drop(columns="songtype_id")
            write_csv(job.folder / name, table)
    if not any(one.present for one in said):
        job.notes.append(f"no confirmed call, so no {TABLES[True]}: --calls adds those of the pool")
    return len(said)


def _check_names(placed: list[PlacedRow]) -> None:
    """Check that no two files share the name by which the tables call them."""
    known: dict[str, PlacedRow] = {}
    for one in placed:
        other = known.setdefault(clean_name(one.stem), one)
        if other.path != one.path:
            raise InputError(
                f"{one.path} and {other.path} share the recording name '{one.stem}', by which "
                "RFCX's tables would call both; pass --render all, or rename one of them"
            )


WRITER = Writer(_write, "own", "rows", lacks=("confidence", "score"), spreadsheet=True)
