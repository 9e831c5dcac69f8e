"""Where a class's frequency band is in a mel spectrogram and in a feature map."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from training.models.frontend import FrontEndSettings

# A crop of fewer mel bands than this would hardly reach through a network's strides.
MIN_ROWS = 16

Rows = tuple[int, int]


def mel_rows(
    edges_hz: Sequence[tuple[float, float]], front_end: FrontEndSettings, least: int = MIN_ROWS
) -> list[Rows]:
    """Return the mel bands that each frequency band covers.

    Mel band ``i`` is a triangle from edge ``i`` to edge ``i + 2`` of ``n_mels + 2`` edges that are
    evenly spaced on the HTK mel scale, ``2595 log10(1 + f / 700)``. A band covers it if it holds
    any of the triangle's upper half, which is between the points where it is at half its height.

    Parameters
    ----------
    edges_hz : sequence of (float, float)
        Lowest and highest frequency of each class.
    least : int
        A narrower crop is widened round its middle, as far as the spectrogram goes.

    Returns
    -------
    list of (int, int)
        First and past-the-last row of each.
    """
    low, high = _mel(front_end.f_min_hz), _mel(front_end.sample_rate / 2)
    step = (high - low) / (front_end.n_mels + 1)
    found = []
    for f_min, f_max in edges_hz:
        # row i is at half its height at edges i + 0.5 and i + 1.5
        first = math.floor((_mel(f_min) - low) / step - 0.5)
        last = math.ceil((_mel(f_max) - low) / step - 0.5)
        found.append(_at_least(first, last, least, front_end.n_mels))
    return found


def _mel(hz: float) -> float:
    return 2595.0 * math.log10(1.0 + hz / 700.0)


def _at_least(first: int, last: int, least: int, rows: int) -> Rows:
    first, last = max(0, min(first, rows - 1)), min(rows, max(last, 1))
    missing = max(0, min(least, rows) - (last - first))
    first = max(0, min(first - missing // 2, rows - max(last - first, min(least, rows))))
    return first, max(last, first + min(least, rows)) if missing else last


def row_mask(rows: Sequence[Rows], n_mels: int, map_rows: int) -> np.ndarray:
    """Return which rows of a feature map the mel bands of each class reach.

    Row ``j`` of ``map_rows`` covers the mel bands from ``j * n_mels / map_rows`` on.

    Returns
    -------
    bool array, shape (C, map_rows)
        At least one row of each class is True.
    """
    scale = map_rows / n_mels
    mask = np.zeros((len(rows), map_rows), dtype=bool)
    for of_class, (first, last) in zip(mask, rows, strict=True):
        begin = min(math.floor(first * scale), map_rows - 1)
        of_class[begin : max(begin + 1, math.ceil(last * scale))] = True
    return mask
