"""The command ``negmine report``."""

from __future__ import annotations

from pathlib import Path

import click

from negmine.cli.console import Bars, CleanCommand, print_json, quiet_and_json, say
from negmine.cli.scoring_options import moved_pool_option
from negmine.cli.settings import with_settings
from negmine.notices import warn
from negmine.report.settings import PageSettings

_FILE = click.Path(dir_okay=False, path_type=Path)

# A page beyond this is slow to open and to send.
_LARGE_BYTES = 50_000_000


@click.command(cls=CleanCommand)
@click.argument("selection", type=_FILE)
@click.option(
    "--before", type=_FILE, help="An older selection, such as the last round's: what changed since."
)
@moved_pool_option
@click.option("-o", "--out", type=_FILE, help="The page.  [default: SELECTION with .report.html]")
@with_settings(PageSettings)
@quiet_and_json
def report(
    selection: Path,
    before: Path | None,
    pool: Path | None,
    out: Path | None,
    settings: PageSettings,
    quiet: bool,
    as_json: bool,
) -> None:
    """Show a SELECTION as one HTML page: its negatives as sound and picture beside confirmed calls.

    The page holds its sound and pictures itself and opens without a network. What each rule
    rejected and how scores are distributed come from the report that 'negmine mine' wrote beside
    the selection.

    \b
    Example:
      negmine report rounds/round2/hard.parquet --before rounds/round1/hard.parquet -o report.html
    """
    from negmine.mining.selection import open_selection
    from negmine.report.html import Earlier, clips_to_render, write_report
    from negmine.report.read_report import report_beside

    out = out or selection.with_suffix(".report.html")
    check_page(out)
    chosen = open_selection(selection, pool)
    opened = chosen.open_pool()
    earlier = None
    if before:
        older = open_selection(before)
        earlier = Earlier(older, report_beside(before, older))
    mined = report_beside(selection, chosen)
    total = clips_to_render(chosen, opened, settings)
    with Bars(quiet) as bars:
        written = write_report(
            out,
            chosen,
            opened,
            mined,
            before=earlier,
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
