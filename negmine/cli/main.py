"""The ``negmine`` command. Heavy libraries are imported when a command runs, not for its help."""

from __future__ import annotations

from pathlib import Path

import click

from negmine import __version__
from negmine.building.settings import PoolSettings
from negmine.cli.commands.ask import ask
from negmine.cli.commands.export import export
from negmine.cli.commands.import_tables import import_tables
from negmine.cli.commands.mine import mine
from negmine.cli.commands.mine_embedded import mine_embedded
from negmine.cli.commands.models import models
from negmine.cli.commands.plot import plot
from negmine.cli.commands.pool import pool as pool_commands
from negmine.cli.commands.review import review
from negmine.cli.commands.verdicts import verdicts
from negmine.cli.console import (
    Bars,
    GroupedOption,
    as_one,
    note,
    print_json,
    quiet_and_json,
    say,
    say_opened,
)
from negmine.cli.data import DataFiles, Sites, data_files, site_of
from negmine.cli.plugins import PluginGroup
from negmine.cli.settings import config_option, with_settings
from negmine.cli.tables import read_annotations
from negmine.limits import MOST_HZ
from negmine.notices import warn, warn_each
from negmine.pool.settings import RowChoice


@click.group(cls=PluginGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="negmine")
def main() -> None:
    """Find the negatives that fool a sound detector, and feed them back into its training.

    \b
    Example, on data in RFCX's layout:
      negmine build-pool train/ --tp train_tp.csv --fp train_fp.csv \\
          --external other/ --mix 2000 --out pool
      negmine train train/ --tp train_tp.csv --fp train_fp.csv --out run0
      negmine mine --model run0/best.pt --pool pool --out hard.parquet
      negmine train train/ --tp train_tp.csv --fp train_fp.csv --out run1 \\
          --hard-negatives hard.parquet
    """


@main.command("build-pool")
@data_files(DataFiles)
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="The pool's folder."
)
@with_settings(PoolSettings)
@config_option
@click.option(
    "--sites",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV with columns recording_id, site: a recording's group, and for sites in --holdout.",
    cls=GroupedOption,
    group="General",
)
@click.option(
    "--site-regex",
    help="What of a recording's name is its site: its group, and for sites in --holdout.",
    cls=GroupedOption,
    group="General",
)
@as_one(Sites, "sites")
@click.option("--force", is_flag=True, help="Replace another pool at --out.")
@click.option(
    "--append", is_flag=True, help="Add what is new to the pool at --out; nothing there is changed."
)
@quiet_and_json
def build_pool(
    data: DataFiles,
    out: Path,
    settings: PoolSettings,
    sites: Sites,
    force: bool,
    append: bool,
    quiet: bool,
    as_json: bool,
) -> None:
    """Build a pool of certified negatives from RECORDINGS and other sound.

    \b
    Example:
      negmine build-pool train/ --tp train_tp.csv --fp train_fp.csv \\
          --external other/ --external pond/=3,17 --mix 2000 --out pool
    """
    from negmine.annotations.long_boxes import long_note
    from negmine.annotations.rates import rate_note, upsampled_note
    from negmine.annotations.recordings import short_note
    from negmine.building import build_pool as build
    from negmine.storage.locks import only_writer

    by_site = site_of(sites)
    if force and append:
        raise click.UsageError("--force replaces a pool and --append adds to it; choose one")
    annotations = read_annotations(data, data.folders)
    with only_writer(out), Bars(quiet) as bars:
        report = build(
            data.folders,
            annotations,
            out,
            settings,
            verdict_recordings=data.verdict_recordings,
            existing="replace" if force else "append" if append else "keep",
            site_of=by_site,
            progress=bars,
        )
    heard = [info for folder in report.folders for info in folder.infos.values()]
    rate = report.pool.sample_rate
    note(rate_note(heard, rate), quiet)
    clip_s = report.pool.clip_s
    annotated = report.folders[0].infos.values()
    for line in (
        upsampled_note((info.sample_rate for info in heard), rate),
        long_note(report.annotations or annotations, clip_s),
        short_note(annotated, clip_s),
    ):
        if line:
            warn(line)
    for opened in report.folders:
        say_opened(opened, quiet)
        warn_each(opened.notes)
    for line in report.skipped:
        warn(f"skipped {line}")
    warn_each(report.sites)
    for line in report.near_duplicates:
        warn(line)
    for line in report.notes:
        say(line, quiet or as_json)
    say(f"{out}: {'written' if report.changed else 'unchanged'}", quiet or as_json)
    _show_pool(out, quiet, as_json)


main.add_command(ask)
main.add_command(import_tables)
main.add_command(export)
main.add_command(mine)
main.add_command(mine_embedded)
main.add_command(pool_commands)
main.add_command(models)
main.add_command(plot)
main.add_command(review)
main.add_command(verdicts)


@main.command()
@click.argument("pool", type=click.Path(path_type=Path))
@click.option(
    "--png", type=click.Path(dir_okay=False, path_type=Path), help="Draw the summary, too."
)
@quiet_and_json
def inspect(pool: Path, png: Path | None, quiet: bool, as_json: bool) -> None:
    """Summarise a POOL: for each class, its certified negatives of each kind.

    \b
    Example:
      negmine inspect pool --png pool.png
    """
    _show_pool(pool, quiet, as_json, png)


@main.command()
@click.argument("pool", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="Folder for the clips and their table.",
)
@with_settings(RowChoice, "choice")
@click.option(
    "--sample-rate", type=click.IntRange(1000, MOST_HZ), help="Hz.  [default: the pool's]"
)
@quiet_and_json
def render(
    pool: Path,
    out: Path,
    choice: RowChoice,
    sample_rate: int | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write clips of a POOL as FLAC, with a table of what each is.

    Files that exist are not made again, unless they are of another rate, so the same command
    resumes where it was stopped.

    \b
    Example:
      negmine render pool --kind mix --class 3 --sample 20 --out listen
    """
    from negmine.pool import open_pool
    from negmine.pool.render_files import TABLE, choose_rows, render_rows
    from negmine.storage.locks import only_here

    opened = open_pool(pool)
    rows = choose_rows(opened, choice)
    with only_here(out), Bars(quiet or as_json) as bars:
        made = render_rows(
            opened, rows, out, sample_rate=sample_rate, on_clip=bars("rendering", len(rows), "clip")
        )
    if as_json:
        print_json({"clips": len(made), "table": str(out / TABLE), "files": list(made["file"])})
    else:
        say(f"{out}: {len(made)} clips, and {TABLE}", quiet)


def _show_pool(path: Path, quiet: bool, as_json: bool, png: Path | None = None) -> None:
    from negmine.pool import open_pool
    from negmine.pool.summary import summarise_pool

    pool = open_pool(path)
    summary = summarise_pool(pool)
    if as_json:
        print_json(summary.to_dict())
    else:
        say(summary.to_text(), quiet)
    if png:
        from negmine.pool.summary_figure import draw_summary

        draw_summary(png, summary, pool.clip_s)
        say(f"{png}: written", quiet or as_json)
