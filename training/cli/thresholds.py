"""Thresholds, as commands are given them: a table of ``calibrate``, or one for every class."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.notices import warn

if TYPE_CHECKING:
    import numpy as np

    from training.calibration.table import Thresholds

thresholds_option = click.option(
    "--thresholds",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Table of 'negmine calibrate' with these models: a threshold for each class.",
)


def open_thresholds(path: Path, models: Sequence[Path], window_s: float) -> Thresholds:
    """Read a table of thresholds, and check that it is of these models; name what it lacks."""
    from negmine.errors import shorten
    from training.calibration.table import read_thresholds
    from training.engine.checkpoint import Checkpoint

    table = read_thresholds(path)
    table.check(models, [Checkpoint.load(model).fingerprint for model in models], window_s)
    if lacking := table.lacking:
        warn(
            f"{path}: no threshold for {len(lacking)} of {len(table.classes)} classes "
            f"({shorten(lacking)}): nothing of them is detected"
        )
    return table


def warn_of_smoothing(table: Path | None, smooth_s: float) -> None:
    """Warn that smoothed scores are not those that a table was made with."""
    if table is not None and smooth_s:
        warn(
            f"{table}: its precision and probabilities are of single windows; --smooth-s lowers "
            "the scores of short calls"
        )


def of_each_class(threshold: float | None, table: Thresholds | None, classes: int) -> np.ndarray:
    """Return the threshold of each class, of a table or all alike: float64, shape (C,)."""
    import numpy as np

    if table is not None:
        return table.values
    assert threshold is not None
    return np.full(classes, threshold)


def check_one(threshold: float | None, table: Path | None) -> None:
    """Check that exactly one of the two is given.

    Raises
    ------
    click.UsageError
    """
    if threshold is not None and table is not None:
        raise click.UsageError("--threshold and --thresholds both say what counts; choose one")
    if threshold is None and table is None:
        raise click.UsageError(
            "no threshold: give --thresholds (a table of 'negmine calibrate') or --threshold, "
            "chosen on other sound than this"
        )
