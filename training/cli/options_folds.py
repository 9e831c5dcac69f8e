"""The options of what folds keep together, and the groups they make."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from negmine.cli.console import Command
from negmine.limits import LAST_SEED
from negmine.notices import warn_each


def fold_options(command: Command) -> Command:
    """Add what a fold keeps together."""
    for option in (
        click.option(
            "--site-regex",
            metavar="REGEX",
            help="The site is what it finds in a recording's name, its first group if it has one.",
        ),
        click.option(
            "--sites",
            type=click.Path(dir_okay=False, path_type=Path),
            help="CSV: recording_id, site.",
        ),
        click.option(
            "--fold-by",
            type=click.Choice(["recording", "site"]),
            default="recording",
            show_default=True,
            help="What is kept together in one fold; sites are named by --sites or --site-regex.",
        ),
    ):
        command = option(command)
    return command


def grouping(
    fold_by: str, sites: Path | None, site_regex: str | None
) -> Callable[[Iterable[str]], dict[str, str] | None]:
    """Return a function that gives the groups of recordings; None if each is its own.

    Raises
    ------
    click.UsageError
        If sites are named twice, not at all, or for nothing.
    """
    named = [option for option in (sites, site_regex) if option is not None]
    if fold_by == "site" and len(named) != 1:
        raise click.UsageError("--fold-by site takes one of --sites and --site-regex")
    if fold_by != "site" and named:
        raise click.UsageError("--sites and --site-regex name sites: add '--fold-by site'")

    def groups(recordings: Iterable[str]) -> dict[str, str] | None:
        from negmine.annotations.sites import alike_sites, sites_by_pattern, sites_by_table

        if sites is not None:
            found = sites_by_table(recordings, sites)
        elif site_regex is not None:
            found = sites_by_pattern(recordings, site_regex)
        else:
            return None
        warn_each(alike_sites(found))
        return found

    return groups


def check_seeds(
    seeds: int, options: Mapping[str, Any], *, init: Path | None, pseudo_in_fold: bool
) -> None:
    """Check what else is asked for along with ``--seeds``.

    Raises
    ------
    click.UsageError
        If a recording would be scored by no model, or by one that may have trained on it.
    """
    source = click.get_current_context().get_parameter_source("fold")
    if source is ParameterSource.COMMANDLINE:
        raise click.UsageError("--fold: --seeds trains every fold; leave one of them out")
    if options["folds"] < 2:
        raise click.UsageError("--seeds: with --folds 1 no model holds anything out to score")
    if options["seed"] + seeds - 1 > LAST_SEED:
        raise click.UsageError(
            f"--seed {options['seed']}: there are no {seeds} seeds from there on"
        )
    if init or pseudo_in_fold:
        name = "--init" if init else "--pseudo-in-fold"
        raise click.UsageError(f"{name}: with --seeds no model may have seen what it holds out")
