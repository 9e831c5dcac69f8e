"""A Raven selection table of all recordings: Raven opens each file at the right second."""

from __future__ import annotations

import math

import pandas as pd

from negmine.annotations.raven import place_selections, write_selections
from negmine.exports.job import Job, Writer
from negmine.exports.rows import statements

TABLE = "selections.txt"


def _write(job: Job) -> int:
    said = statements(job.placed())
    paths = list(dict.fromkeys(one.placed.path for one in said))
    durations = {one.placed.path: one.placed.duration_s for one in said}
    number = {path: index for index, path in enumerate(paths)}
    bands = [job.band(one.placed.row, one.label) for one in said]
    places = pd.DataFrame(
        {
            "recording": [number[one.placed.path] for one in said],
            "start_s": [one.placed.span.start_s for one in said],
            "end_s": [one.placed.span.end_s for one in said],
            "low_hz": [low for low, _ in bands],
            "high_hz": [high for _, high in bands],
        }
    )
    about = {
        "Species": [one.label for one in said],
        "Verdict": ["present" if one.present else "absent" for one in said],
        "Certainty": [round(one.confidence, 4) for one in said],
        "Score": [round(one.placed.row.scores.get(one.label, math.nan), 4) for one in said],
        "Kind": [one.placed.row.recipe.kind for one in said],
        "Recipe": [one.placed.row.recipe.id for one in said],
    }
    table = place_selections(places, paths, [durations[path] for path in paths], about)
    write_selections(job.folder / TABLE, table)
    return len(said)


WRITER = Writer(_write, "own", "selections", spreadsheet=True)
