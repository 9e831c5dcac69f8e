"""The files that describe a data set, as options of a command. Imports nothing heavy."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import click

from negmine.cli.console import Command, GroupedOption, as_one

if TYPE_CHECKING:
    from negmine.annotations.sites import SiteOf
    from negmine.formats.recognise import ReadAs


@dataclass(frozen=True)
class TableFiles:
    """Tables and folders that say what calls in which recording, and how they are to be read."""

    tp: Path | None
    fp: Path | None
    tables: tuple[Path, ...]
    table_format: str | None
    table_columns: Mapping[str, str]
    table_label: str | None
    class_table: Path | None
    songtypes: Literal["merge", "split"]
    skip_uncalled: bool
    present_only: bool

    @property
    def read_as(self) -> ReadAs:
        """How the tables are to be read."""
        from negmine.formats.format import Options
        from negmine.formats.recognise import ReadAs

        named = {name: column for name, column in self.table_columns.items() if name != "verdict"}
        verdict = self.table_columns.get("verdict")
        if verdict == "":
            named["verdict"] = ""
        return ReadAs(self.table_format, Options(named, verdict or "", self.table_label or ""))

    @property
    def sorted_clips(self) -> list[Path]:
        """The tables that are folders of clips: they hold recordings, too."""
        from negmine.formats.recognise import OF_CLIPS, recognised

        folders = (path for path in self.tables if path.is_dir())
        return [path for path in folders if recognised(path, self.table_format) in OF_CLIPS]


@dataclass(frozen=True)
class SortedFiles(TableFiles):
    """Those, and folders of sound files of one class, or of none."""

    positives: tuple[str, ...]
    negative_files: tuple[str, ...]

    @property
    def sorted_folders(self) -> list[Path]:
        """The folders of sound files that were sorted: they hold recordings."""
        named = (*self.positives, *self.negative_files)
        return [*(folder_and_classes(text)[0] for text in named), *self.sorted_clips]


@dataclass(frozen=True)
class DataFiles(SortedFiles):
    """Recordings and what annotates them."""

    recordings: Path | None
    verdicts: tuple[Path, ...]
    verdict_recordings: Path | None

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that hold annotated recordings, but for those of verdicts.

        Raises
        ------
        click.UsageError
            If none is named.
        """
        named = [] if self.recordings is None else [self.recordings]
        named += self.sorted_folders
        if not named:
            raise click.UsageError(
                "no recordings: name their folder, or a folder of sound files of one class with "
                "--positives"
            )
        return tuple(dict.fromkeys(named))


@dataclass(frozen=True)
class LenientDataFiles(DataFiles):
    """Those of a command that has ``--skip-bad``: it continues without unreadable recordings."""

    skip_bad: bool


def folder_and_classes(text: str) -> tuple[Path, tuple[str, ...]]:
    """Parse ``DIR`` or ``DIR=CLASS,CLASS``; no class where none is named."""
    from negmine.storage.names import clean_name

    folder, equals, names = text.rpartition("=")
    if not equals or Path(text).is_dir():
        return Path(text), ()
    return Path(folder), tuple(clean_name(one) for one in names.split(",") if one.strip())


def _columns(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> Mapping[str, str]:
    from negmine.formats.plain import FIELDS

    found = {}
    for text in values:
        name, equals, column = text.partition("=")
        if not equals or name not in FIELDS:
            raise click.BadParameter(
                f"'{text}' is not FIELD=COLUMN, such as verdict=Checked; the fields are "
                f"{', '.join(FIELDS)}"
            )
        found[name] = column.strip()
    return found


def _reading_options(
    needs: Sequence[str] = (), tables: Sequence[str] = ()
) -> list[Callable[[Command], Command]]:
    """Return the options that say how tables are read, the last that --help shows first.

    Parameters
    ----------
    needs : sequence of str
        Without one of these, none has an effect.
    tables : sequence of str
        Without one of these, those that are of other formats than RFCX's have none.
    """
    path = click.Path(dir_okay=False, path_type=Path)
    grouped: dict[str, Any] = {"cls": GroupedOption, "group": "Data", "needs": needs}
    of_tables: dict[str, Any] = {**grouped, "needs": tables}
    return [
        click.option(
            "--present-only", is_flag=True, **grouped,
            help="Go on where tables name recordings that are not there, and count those.",
        ),
        click.option(
            "--skip-uncalled-classes", "skip_uncalled", is_flag=True, **grouped,
            help="Leave out classes that have rejections and no confirmed call.",
        ),
        click.option(
            "--songtypes", type=click.Choice(["merge", "split"]), default="merge",
            show_default=True, **grouped,
            help="One class a species, or one a species and songtype.",
        ),
        click.option(
            "--classes", "class_table", type=path, **grouped,
            help="CSV: a column 'class', and other names of each in further columns. Other names "
            "in the tables are left out.",
        ),
        click.option(
            "--label", "table_label", **of_tables,
            help="The class of tables and review folders that name none.",
        ),
        click.option(
            "--column", "table_columns", multiple=True, metavar="FIELD=COLUMN", callback=_columns,
            **of_tables,
            help="Which column of the tables holds what, such as verdict=Checked. Repeatable.",
        ),
        click.option(
            "--format", "table_format", metavar="NAME", **of_tables,
            help="Of all tables.  [default: each is recognised]",
        ),
    ]  # fmt: skip


def _naming_options(needs: Sequence[str] = ()) -> list[Callable[[Command], Command]]:
    """Return the options that name tables, the last that --help shows first."""
    path = click.Path(dir_okay=False, path_type=Path)
    return [
        click.option(
            "--annotations", "tables", multiple=True, type=click.Path(path_type=Path),
            callback=with_tables_of_folders,
            help="A table of verdicts, a folder of tables, or folders of sorted clips, of any "
            "format that 'negmine import --help' lists. Repeatable.",
        ),
        click.option(
            "--fp", type=path, cls=GroupedOption, needs=needs,
            help="Rejected detections, RFCX's columns.",
        ),
        click.option("--tp", type=path, help="Confirmed calls, RFCX's columns."),
    ]  # fmt: skip


def _sorted_options() -> list[Callable[[Command], Command]]:
    """Return the options of `SortedFiles`, the last that --help shows first."""
    return [
        click.option(
            "--negative-files", multiple=True, metavar="DIR[=CLASS,...]",
            help="A folder of sound files without any of the classes, or without those named. "
            "Repeatable.",
        ),
        click.option(
            "--positives", multiple=True, metavar="DIR[=CLASS]",
            help="A folder of sound files of one class, by default the folder's name. Repeatable.",
        ),
    ]  # fmt: skip


def _with(options: Sequence[Callable[[Command], Command]], command: Command) -> Command:
    for option in options:
        command = option(command)
    return command


def with_tables_of_folders(
    _context: click.Context, _option: click.Parameter, paths: tuple[Path, ...]
) -> tuple[Path, ...]:
    """Put the tables of each folder that holds tables alone in its place."""
    from negmine.formats.table_folders import tables_in

    folders = {path: tables_in(path) for path in paths if path.is_dir()}
    return tuple(one for path in paths for one in folders.get(path) or [path])


def table_files(command: Command) -> Command:
    """Add the options of `TableFiles` to a command, which gets them as ``data``."""
    either = ["--tp", "--annotations"]
    command = as_one(TableFiles, "data")(command)
    return _with([*_reading_options(either, ["--annotations"]), *_naming_options(either)], command)


def reading_options(command: Command) -> Command:
    """Add the options of `SortedFiles` to a command that has an argument ``tables`` of its own."""
    return _with([*_reading_options(), *_sorted_options(), *_naming_options()[1:]], command)


def data_files(kind: type[DataFiles]) -> Callable[[Command], Command]:
    """Return a decorator: adds the options of `DataFiles` to a command, which gets ``data``."""
    path = click.Path(dir_okay=False, path_type=Path)
    grouped: dict[str, Any] = {"cls": GroupedOption, "group": "Data"}
    options = (
        click.option(
            "--verdict-recordings", type=click.Path(file_okay=False, path_type=Path), **grouped,
            help="Folder of recordings that --verdicts names, where they are not in RECORDINGS.",
            needs=["--verdicts"],
        ),
        click.option(
            "--verdicts", multiple=True, type=path, **grouped,
            help="A table of 'negmine ask', filled in: more confirmed calls and rejections. "
            "Repeatable.",
        ),
        *_reading_options(tables=["--annotations"]),
        *_sorted_options(),
        *_naming_options(),
        click.argument(
            "recordings", required=False, type=click.Path(file_okay=False, path_type=Path)
        ),
    )  # fmt: skip

    def decorate(command: Command) -> Command:
        return _with(options, as_one(kind, "data")(command))

    return decorate


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
