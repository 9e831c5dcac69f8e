"""The options of pseudo labels, in a recipe's stages."""

from __future__ import annotations

from pathlib import Path

import click

from negmine.cli.console import Command
from negmine.limits import MOST_BATCH

_OPTIONS = (
    click.option(
        "--pseudo-in-fold",
        is_flag=True,
        help="With --recipe: train --fold alone, and let it label what it trained on.",
    ),
    click.option(
        "--pseudo-per-step",
        type=click.IntRange(0, MOST_BATCH),
        default=7,
        show_default=True,
        help="With --recipe: rows a step from anywhere in the recordings, with pseudo labels.",
    ),
    click.option(
        "--unlabelled",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="With --recipe: a folder of recordings without annotations; those rows are drawn from "
        "them, too.",
    ),
    click.option(
        "--pseudo-quantile",
        type=click.FloatRange(0, 1, max_open=True),
        default=0.25,
        show_default=True,
        help="With --recipe: quantile of a class's confirmed calls that sets the level of its "
        "labels.",
    ),
    click.option(
        "--pseudo-level",
        type=click.Choice(["share", "calls"]),
        default="share",
        show_default=True,
        help="With --recipe: labels add up to the share of windows that may hold the class, or are "
        "0.5 at the quantile of its calls.",
    ),
    click.option(
        "--pseudo-temperature",
        type=click.FloatRange(0, min_open=True),
        default=1.0,
        show_default=True,
        help="With --recipe: logits over which a label goes from 0.5 to 0.73.",
    ),
    click.option(
        "--pseudo-hop",
        type=click.FloatRange(0, min_open=True),
        default=0.5,
        show_default=True,
        metavar="S",
        help="With --recipe: step of the windows that are labelled.",
    ),
)


def pseudo_options(command: Command) -> Command:
    """Add them to a command that has ``--recipe``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
