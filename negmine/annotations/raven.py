"""Detections and verdicts as Raven selection tables: tab-separated, one row a selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
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
    paths, durations_s
        See `place_selections`.

    Returns
    -------
    DataFrame
        With `COLUMNS`, ordered by time; and those of `EXTRA` that there are.
    """
    rows = detections.sort_values(["recording", "start_s", "label"], kind="stable")
    label = rows["label"].to_numpy(dtype=np.int64)
    edges = np.asarray(bands, dtype=np.float64).reshape(-1, 2)
    about = {
        "Species": np.asarray(classes, dtype=object)[label],
        "Confidence": rows["confidence"].round(4),
    }
    places = rows.assign(low_hz=edges[label, 0], high_hz=edges[label, 1])
    table = place_selections(places, paths, durations_s, about)
    for name, title in EXTRA.items():
        if name in rows:
            table[title] = rows[name].round(4)
    return table


def place_selections(
    rows: pd.DataFrame,
    paths: Sequence[Path],
    durations_s: Sequence[float],
    about: Mapping[str, object],
) -> pd.DataFrame:
    """Place selections in recordings that are opened in Raven one after the other.

    Parameters
    ----------
    rows : DataFrame
        In their order: ``recording``, as a number; ``start_s`` and ``end_s`` in it; ``low_hz`` and
        ``high_hz``.
    paths : sequence of Path
        Of the recordings.
    durations_s : sequence of float
        Of the recordings. Begin and end times run on through all of them; ``File Offset (s)`` is
        where a selection begins in its own file.
    about : mapping of str to column
        What is said of the selections, by the name of its column.

    Returns
    -------
    DataFrame
    """
    recording = rows["recording"].to_numpy(dtype=np.int64)
    starts = np.concatenate([[0.0], np.cumsum(durations_s)])[:-1]
    values = {
        "Selection": np.arange(1, len(rows) + 1),
        "View": "Spectrogram 1",
        "Channel": 1,
        "Begin Time (s)": (starts[recording] + rows["start_s"]).round(4),
        "End Time (s)": (starts[recording] + rows["end_s"]).round(4),
        "Low Freq (Hz)": rows["low_hz"].round(1),
        "High Freq (Hz)": rows["high_hz"].round(1),
        **about,
        "Begin Path": np.asarray([str(path) for path in paths], dtype=object)[recording],
        "File Offset (s)": rows["start_s"].round(4),
    }
    return pd.DataFrame(values, index=rows.index)


def write_selections(path: Path, table: pd.DataFrame) -> None:
    """Write a selection table, whole or not at all."""
    write_csv(path, table, separator="\t")
