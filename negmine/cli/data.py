"""The files that describe a data set, as options of a command. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from negmine.cli.console import Command, GroupedOption, as_one
from negmine.notices import warn_each

if TYPE_CHECKING:
    from negmine.annotations import Annotations
    from negmine.annotations.sites import SiteOf


@dataclass(frozen=True)
class DataFiles:
    """Recordings and the tables that annotate them."""

    recordings: Path
    tp: Path
    fp: Path | None
    songtypes: Literal["merge", "split"]
    verdicts: tuple[Path, ...]
    verdict_recordings: Path | None


@dataclass(frozen=True)
class LenientDataFiles(DataFiles):
    """Those of a command that has ``--skip-bad``: it continues without unreadable recordings."""

    skip_bad: bool


def data_files(kind: type[DataFiles]) -> Callable[[Command], Command]:
    """Return a decorator: adds the options of `DataFiles` to a command, which gets ``data``."""
    path = click.Path(dir_okay=False, path_type=Path)
    options = (
        click.option(
            "--verdict-recordings",
            type=click.Path(file_okay=False, path_type=Path),
            help="Folder of recordings that --verdicts names, where they are not in RECORDINGS.",
            cls=GroupedOption,
            group="Data",
            needs=["--verdicts"],
        ),
        click.option(
            "--verdicts",
            cls=GroupedOption,
            group="Data",
            multiple=True,
            type=path,
            help="A table of 'negmine ask', filled in: more confirmed calls and rejections. "
            "Repeatable.",
        ),
        click.option(
            "--songtypes",
            cls=GroupedOption,
            group="Data",
            type=click.Choice(["merge", "split"]),
            default="merge",
            show_default=True,
            help="One class a species, or one a species and songtype.",
        ),
        click.option("--fp", type=path, help="Rejected detections, RFCX's columns."),
        click.option("--tp", type=path, required=True, help="Confirmed calls, RFCX's columns."),
        click.argument("recordings", type=click.Path(file_okay=False, path_type=Path)),
    )

    def decorate(command: Command) -> Command:
        command = as_one(kind, "data")(command)
        for option in options:
            command = option(command)
        return command

    return decorate


def read_annotations(data: DataFiles) -> Annotations:
    """Read the tables and what verdicts add to them; warn of what is odd in them."""
    from negmine.annotations import read_rfcx
    from negmine.annotations.verdicts import add_verdicts

    found = add_verdicts(read_rfcx(data.tp, data.fp, songtypes=data.songtypes), data.verdicts)
    warn_each(found.notes)
    return found


@dataclass(frozen=True)
class Sites:
    """What says which site a recording is from: a table, a pattern, or nothing."""

    sites: Path | None
    site_regex: str | None


def site_of(sites: Sites) -> SiteOf | None:
    """Return what gives the site of each recording.

    Raises
    ------
    click.UsageError
        If both a table and a pattern are given.
    """
    if sites.sites and sites.site_regex:
        raise click.UsageError("--sites and --site-regex both name sites; choose one")
    from negmine.annotations.sites import sites_by_pattern, sites_by_table

    if sites.sites:
        return partial(sites_by_table, table=sites.sites)
    return partial(sites_by_pattern, pattern=sites.site_regex) if sites.site_regex else None
