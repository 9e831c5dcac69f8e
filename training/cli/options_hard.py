"""The options of hard negatives, and the settings they make."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click

from negmine.cli.console import Command
from negmine.cli.goes_with import given_options
from training.config import HARD_MIX, HARD_RATIO, MIX_BY, HardMix


def hard_options(command: Command) -> Command:
    """Add how many hard negatives train, as rows of their own and mixed into others."""
    default = HARD_MIX
    low, high = default.snr_db
    for option in (
        click.option(
            "--hard-mix-by",
            type=click.Choice(MIX_BY),
            default=default.by,
            show_default=True,
            help="What a negative that joins a call fooled, where there is one: a class that does "
            "not call there, the call's own, or any.",
        ),
        click.option(
            "--hard-mix-snr",
            type=float,
            nargs=2,
            metavar="LOW HIGH",
            default=default.snr_db,
            show_default=f"{low:g} {high:g}",
            help="Row over the negative mixed into it, dB.",
        ),
        click.option(
            "--hard-mix",
            type=click.FloatRange(0, 1),
            default=default.share,
            show_default=True,
            metavar="SHARE",
            help="Rows, of calls and of all kinds, that get a hard negative mixed in.",
        ),
        click.option(
            "--hard-ratio",
            type=click.FloatRange(0, min_open=True),
            default=HARD_RATIO,
            show_default=True,
            help="Hard negatives in a step, as a share of the TP and FP rows they are added to.",
        ),
    ):
        command = option(command)
    return command


def check_mix_by(classes: Sequence[str]) -> None:
    """Check that ``--hard-mix-by``, where it is given, can be followed.

    Raises
    ------
    click.UsageError
        If no negative can have fooled another class, as there is none.
    """
    asked = "hard_mix_by" in given_options()
    if asked and len(classes) == 1 and click.get_current_context().params["hard_mix_by"] == "other":
        raise click.UsageError(
            f"--hard-mix-by other: '{classes[0]}' is the only class; leave it out, or take own"
        )


def read_hard_mix(share: float, snr: tuple[float, float], by: Any) -> HardMix:
    """Make the settings from options of `hard_options`.

    Raises
    ------
    click.UsageError
        If the range is the wrong way round.
    """
    if snr[0] > snr[1]:
        raise click.UsageError(f"--hard-mix-snr {snr[0]:g} {snr[1]:g}: the lower end comes first")
    return HardMix(share, snr, by)
