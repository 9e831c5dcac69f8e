"""Detections as Raven selection tables: tab-separated, one row a selection."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from negmine.storage.csv_tables import write_csv

Band = tuple[float, float]

COLUMNS = (
    "Selection",
    "View",
    "Channel",
    "Begin Time (s)",
    "End Time (s)",
    "Low Freq (Hz)",
    "High Freq (Hz)",
    "Species",
    "Confidence",
    "Begin Path",
    "File Offset (s)",
)

# Further columns, by what detections call them.
EXTRA = {"probability": "Probability", "threshold": "Threshold"}


def selection_table(
    detections: pd.DataFrame,
    classes: Sequence[str],
    bands: Sequence[Band],
    paths: Sequence[Path],
    durations_s: Sequence[float],
) -> pd.DataFrame:
    """Make the selection table of some recordings, opened in Raven one after the other.

    Parameters
    ----------
    detections : DataFrame
        ``recording`` and ``label``, as numbers; ``start_s`` and ``end_s`` in the recording;
        ``confidence``; perhaps `EXTRA`.
    bands : sequence of (float, float)
        Lowest and highest frequency of each class's selections, in Hz.
    paths : sequence of Path
        Of the recordings.
    durations_s : sequence of float
        Of the recordings. Begin and end times run on through all of them; ``File Offset (s)`` is
        where a selection begins in its own file.

    Returns
    -------
    DataFrame
        With `COLUMNS`, ordered by time; and those of `EXTRA` that there are.
    """
    rows = detections.sort_values(["recording", "start_s", "label"], kind="stable")
    recording, label = (rows[name].to_numpy(dtype=np.int64) for name in ("recording", "label"))
    starts = np.concatenate([[0.0], np.cumsum(durations_s)])[:-1]
    edges = np.asarray(bands, dtype=np.float64).reshape(-1, 2)
    values = (
        np.arange(1, len(rows) + 1),
        "Spectrogram 1",
        1,
        (starts[recording] + rows["start_s"]).round(4),
        (starts[recording] + rows["end_s"]).round(4),
        edges[label, 0].round(1),
        edges[label, 1].round(1),
        np.asarray(classes, dtype=object)[label],
        rows["confidence"].round(4),
        np.asarray([str(path) for path in paths], dtype=object)[recording],
        rows["start_s"].round(4),
    )
    table = pd.DataFrame(dict(zip(COLUMNS, values, strict=True)), index=rows.index)
    for name, title in EXTRA.items():
        if name in rows:
            table[title] = rows[name].round(4)
    return table


def write_selections(path: Path, table: pd.DataFrame) -> None:
    """Write a selection table, whole or not at all."""
    write_csv(path, table, separator="\t")
