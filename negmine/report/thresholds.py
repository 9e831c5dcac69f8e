"""Thresholds of classes, as a table of 'negmine calibrate' has them, on the scale of scores."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path

from negmine.errors import InputError
from negmine.storage.csv_tables import known_name, number_in, read_rows


def read_thresholds(path: Path, classes: Sequence[str]) -> dict[str, float]:
    """Read the thresholds of classes; those without one are left out.

    Parameters
    ----------
    path : Path
        CSV with columns class, threshold (a probability).
    classes : sequence of str
        Those that there are.

    Returns
    -------
    dict of str to float
        Logits: log(p / (1 - p)).

    Raises
    ------
    InputError
        If it is no such table.
    """
    found = {}
    for where, (name, text) in read_rows(path, ("class", "threshold")):
        known_name(where, "class", name, classes)
        if not text:
            continue
        probability = number_in(where, "threshold", text)
        if not 0 < probability < 1:
            raise InputError(
                f"{where}: threshold {text}; expected a probability between 0 and 1, as 'negmine "
                "calibrate' writes it"
            )
        found[name] = math.log(probability / (1 - probability))
    return found
