"""A table of clips as OpenSoundscape takes it: file, start_time, end_time, a column a class."""

from __future__ import annotations

import numpy as np
import pandas as pd

from negmine.errors import InputError
from negmine.exports.job import Job, Writer
from negmine.exports.rows import PlacedRow, joined_labels
from negmine.storage.csv_tables import write_csv

TABLE = "labels.csv"
INDEX = ("file", "start_time", "end_time")


def _write(job: Job) -> int:
    for name in INDEX:
        if name in job.classes:
            raise InputError(
                f"class '{name}' has the name of a column of OpenSoundscape's; rename it in the "
                "tables"
            )
    clips: dict[tuple[str, float, float], list[PlacedRow]] = {}
    for one in job.placed():
        key = (str(one.path), one.span.start_s, one.span.end_s)
        clips.setdefault(key, []).append(one)
    places, cells, lost = sorted(clips), [], 0
    for place in places:
        labels, contradictions = joined_labels([one.row.labels for one in clips[place]])
        lost += contradictions
        targets, known, _ = labels.to_arrays(job.classes)
        cells.append(np.where(known, targets, np.nan))
    table = pd.DataFrame(places, columns=list(INDEX))
    values = pd.DataFrame(np.array(cells).reshape(len(places), -1), columns=list(job.classes))
    write_csv(job.folder / TABLE, pd.concat([table, values], axis=1), float_format="%.9g")
    if lost:
        job.notes.append(f"{lost} cells that rows contradict each other on are left empty")
    return len(places)


WRITER = Writer(_write, "all", "clips", lacks=("confidence", "score"), spreadsheet=True)
