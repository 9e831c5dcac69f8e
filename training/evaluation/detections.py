"""From the scores of windows to detections."""

from __future__ import annotations

import numpy as np
import pandas as pd


def detect(
    recording: int,
    probabilities: np.ndarray,
    start_s: np.ndarray,
    end_s: np.ndarray,
    min_conf: float | np.ndarray,
    *,
    audible: np.ndarray | None = None,
    merge: bool = False,
) -> pd.DataFrame:
    """Return the windows of a recording in which the model detects a class.

    Parameters
    ----------
    recording : int
        Its number, for the table.
    probabilities : float array, shape (N, C)
        Of windows in the order of time.
    start_s, end_s : float arrays, shape (N,)
    min_conf : float or float array, shape (C,)
        A window counts from this probability on; of a class with NaN none does.
    audible : bool array, shape (N,), optional
        Windows that hold sound: nothing is detected in others.
    merge : bool
        Windows of a class that follow one another become one detection, from the first's start to
        the last's end, as sure as the surest of them.

    Returns
    -------
    DataFrame
        ``recording``, ``label`` (number of the class), ``start_s``, ``end_s``, ``confidence``.
    """
    counts = np.reshape(min_conf, (-1, 1)) <= probabilities.T
    label, window = np.nonzero(counts if audible is None else counts & audible)
    confidence = probabilities[window, label]
    if merge and len(label):
        first = np.ones(len(label), dtype=bool)
        first[1:] = (label[1:] != label[:-1]) | (window[1:] != window[:-1] + 1)
        begins = np.flatnonzero(first)
        last = np.append(begins[1:], len(label)) - 1
        confidence = np.maximum.reduceat(confidence, begins)
        label, start_s, end_s = label[begins], start_s[window[begins]], end_s[window[last]]
    else:
        start_s, end_s = start_s[window], end_s[window]
    return pd.DataFrame(
        {
            "recording": np.full(len(label), recording, dtype=np.int64),
            "label": label,
            "start_s": start_s,
            "end_s": end_s,
            "confidence": confidence,
        }
    )


def most_confident(detections: pd.DataFrame, top: int) -> pd.DataFrame:
    """Keep each class's most confident detections, at most this many; of equals, the earlier."""
    ordered = detections.sort_values("confidence", ascending=False, kind="stable")
    return ordered.groupby("label", sort=False).head(top).sort_index()
