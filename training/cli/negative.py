"""``evaluate --negative``: false activations on sound without calls. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.cli.console import Bars, print_json, say, say_found
from negmine.cli.scoring_options import decoding
from negmine.notices import warn
from negmine.text_tables import table as text_table
from training.cli.data import all_or_nothing
from training.cli.thresholds import (
    check_one,
    of_each_class,
    open_thresholds,
    warn_of_smoothing,
)
from training.evaluation.settings import ActivationSettings

if TYPE_CHECKING:
    from training.evaluation.negatives import FalseActivations


def evaluate_negatives(
    folder: Path,
    models: tuple[Path, ...],
    settings: ActivationSettings,
    thresholds: Path | None,
    classes_out: Path | None,
    cache: Path | None,
    device: str,
    quiet: bool,
    as_json: bool,
) -> None:
    """Count activations in a folder, and print them."""
    check_one(settings.threshold, thresholds)
    from negmine.storage.csv_tables import write_csv
    from training.engine.scorer import choose_device
    from training.evaluation.negatives import false_activations
    from training.evaluation.predict import find_recordings, open_scorers

    scorers, classes, _ = open_scorers(models, choose_device(device), settings.reading)
    table = open_thresholds(thresholds, models, scorers[0].grid[0]) if thresholds else None
    warn_of_smoothing(thresholds, settings.smooth_s)
    if "all" in classes:
        warn("a class is called 'all', as is the last row, which counts all classes")
    values = of_each_class(settings.threshold, table, len(classes))
    recordings, _, folders = find_recordings([folder])
    for one in folders:
        say_found(one, quiet)
    with all_or_nothing(), Bars(quiet) as bars, decoding(cache) as decode:
        found = false_activations(
            scorers, recordings, classes, values, settings, decode=decode, progress=bars
        )
    if found.silent_s:
        warn(f"{found.silent_s:.1f} s of silence were left out of scores; they are in the hours")
    if classes_out:
        write_csv(classes_out, found.classes, float_format="%.9g")
    if as_json:
        print_json(found.to_dict())
        return
    say(_text(found, settings), quiet)


def _text(found: FalseActivations, settings: ActivationSettings) -> str:
    headers = ["class", "threshold", "activations", "per hour", "95 %", "recordings"]
    rows = [
        [
            str(row["class"]),
            "-" if row["threshold"] != row["threshold"] else f"{row['threshold']:.4g}",
            str(row["activations"]),
            f"{row['per_hour']:.3g}",
            f"{row['low']:.3g}..{row['high']:.3g}",
            str(row["recordings"]),
        ]
        for row in found.classes.to_dict("records")
    ]
    hop = "side by side" if found.hop_s == found.window_s else f"every {found.hop_s:.3f} s"
    about = (
        f"{found.recordings} recordings, {found.hours:.3g} h; windows of {found.window_s:.3f} s "
        f"{hop}; score: mean of {found.smoothed} windows; refractory time "
        f"{settings.refractory_s:g} s; intervals: Poisson, exact"
    )
    return f"{text_table(headers, rows)}\n\n{about}"


def refuse_with_negative(**others: object) -> None:
    """Refuse options of ``evaluate`` that have no meaning with ``--negative``.

    Raises
    ------
    click.UsageError
    """
    for name, value in others.items():
        if value:
            raise click.UsageError(
                f"--{name.replace('_', '-')} has no meaning with --negative: no class calls there"
            )
