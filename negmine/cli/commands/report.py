"""The command ``negmine report``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.cli.console import Bars, CleanCommand, as_one, print_json, quiet_and_json, say
from negmine.cli.data import TableFiles, table_files
from negmine.cli.scoring_options import moved_pool_option
from negmine.cli.settings import with_settings
from negmine.notices import warn, warn_each
from negmine.report.settings import PageSettings

if TYPE_CHECKING:
    from negmine.annotations import Annotations
    from negmine.pool import Pool

_FILE = click.Path(dir_okay=False, path_type=Path)

# A page beyond this is slow to open and to send.
_LARGE_BYTES = 50_000_000


@dataclass(frozen=True)
class _Shown:
    """What the page is of, and where it goes."""

    before: Path | None
    pool: Path | None
    thresholds: Path | None
    out: Path | None


@click.command(cls=CleanCommand)
@click.argument("selection", type=_FILE)
@click.option(
    "--before", type=_FILE, help="An older selection, such as the last round's: what changed since."
)
@moved_pool_option
@click.option(
    "--thresholds",
    type=_FILE,
    help="Table of 'negmine calibrate': each class's threshold is marked in its scores.",
)
@table_files
@click.option("-o", "--out", type=_FILE, help="The page.  [default: SELECTION with .report.html]")
@as_one(_Shown, "shown")
@with_settings(PageSettings)
@quiet_and_json
def report(
    selection: Path,
    data: TableFiles,
    shown: _Shown,
    settings: PageSettings,
    quiet: bool,
    as_json: bool,
) -> None:
    """Show a SELECTION as one HTML page: its negatives as sound and picture beside confirmed calls.

    The page holds its sound and pictures itself and opens without a network. What each rule
    rejected and how scores are distributed come from the report that 'negmine mine' wrote beside
    the selection. With the tables of annotations (--tp, --annotations), the confirmed calls are
    boxed.

    \b
    Example:
      negmine report rounds/round2/hard.parquet --before rounds/round1/hard.parquet -o report.html
    """
    from negmine.mining.selection import open_selection
    from negmine.report.html import Beside, Earlier, clips_to_render, write_report
    from negmine.report.read_report import report_beside
    from negmine.report.thresholds import read_thresholds

    before, pool = shown.before, shown.pool
    out = shown.out or selection.with_suffix(".report.html")
    check_page(out)
    chosen = open_selection(selection, pool)
    opened = chosen.open_pool()
    earlier = None
    if before:
        older = open_selection(before)
        earlier = Earlier(older, report_beside(before, older))
    mined = report_beside(selection, chosen)
    beside = Beside(
        str(selection),
        _annotations(data, opened),
        read_thresholds(shown.thresholds, opened.classes) if shown.thresholds else {},
    )
    total = clips_to_render(chosen, opened, settings)
    with Bars(quiet) as bars:
        written = write_report(
            out,
            chosen,
            opened,
            mined,
            before=earlier,
            beside=beside,
            settings=settings,
            on_clip=bars("rendering", total, "clip"),
        )
    if written.size_bytes > _LARGE_BYTES:
        warn(f"{out}: {written.size_bytes / 1e6:.0f} MB; name fewer with --per-class or --class")
    if as_json:
        print_json(written.to_dict())
        return
    say(
        f"{out}: {written.negatives} negatives of {written.classes} classes beside "
        f"{written.calls} confirmed calls, {written.size_bytes / 1e6:.2f} MB",
        quiet,
    )


def _annotations(data: TableFiles, pool: Pool) -> Annotations | None:
    """Read the tables of annotations, if there are any: of the pool's recordings."""
    if data.tp is None and not data.tables:
        return None
    from negmine.cli.tables import read_tables_of

    found = read_tables_of(data, tuple(pool.sources.roots.values()), keep_uncalled=True)
    warn_each(found.notes)
    return found


def check_page(out: Path) -> None:
    """See, before any work, that a page can be written under this name.

    Raises
    ------
    click.UsageError
        If it is no name of a page: nothing else is written over by mistake.
    OutputError
        If no file can be written there.
    """
    from negmine.storage.files import check_writable

    if out.suffix.lower() not in (".html", ".htm"):
        raise click.UsageError(f"{out} must be a page: its name must end in .html")
    check_writable(out)
