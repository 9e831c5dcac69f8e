"""The table that a listener fills in, written whole, and never over verdicts."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from negmine.annotations.verdict_rows import COLUMNS as READ
from negmine.asking.ask import Asked
from negmine.errors import InputError
from negmine.storage.csv_tables import open_table, write_csv

COLUMNS = (
    "recording", "class", "t_min", "t_max", "score", "strategy", "verdict", "listener", "model",
)  # fmt: skip


def check_free(path: Path) -> None:
    """Check that a table may be written: nothing is there, or one without any verdict.

    Raises
    ------
    InputError
        If verdicts are filled in, or it is no such table.
    """
    if not path.exists():
        return
    columns, rows = open_table(path)
    if not set(READ) <= set(columns):
        raise InputError(
            f"{path}: exists and is no table of 'negmine ask'; choose another name for --out"
        )
    place = columns.index("verdict")
    filled = total = 0
    for _, cells in rows:
        total += 1
        filled += bool(cells[place])
    if filled:
        raise InputError(
            f"{path}: {filled} of its {total} rows have a verdict; pass it as --verdicts, so that "
            "they are not asked again, and choose another name for --out"
        )


def write_asked(path: Path, asked: Asked) -> None:
    """Write the table, whole or not at all; the columns verdict and listener are empty.

    Raises
    ------
    InputError
        See `check_free`.
    """
    check_free(path)
    values = [
        [row.recording for row in asked.rows],
        [row.label for row in asked.rows],
        [row.span.start_s for row in asked.rows],
        [row.span.end_s for row in asked.rows],
        np.round([row.score for row in asked.rows], 4),
        [row.strategy for row in asked.rows],
        "",
        "",
        asked.model,
    ]
    write_csv(path, pd.DataFrame(dict(zip(COLUMNS, values, strict=True))))
