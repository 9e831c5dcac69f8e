"""The command ``negmine export``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.cli.console import Bars, CleanCommand, as_one, print_json, quiet_and_json, say
from negmine.cli.scoring_options import moved_pool_option
from negmine.cli.settings import with_settings
from negmine.exports import NAMES
from negmine.exports.settings import ExportSettings
from negmine.notices import warn, warn_each
from negmine.pool.settings import RowChoice

if TYPE_CHECKING:
    from negmine.exports.export import Rows

_FILE = click.Path(dir_okay=False, path_type=Path)
_FOLDER = click.Path(file_okay=False, path_type=Path)


@dataclass(frozen=True)
class Target:
    """What is written, and where."""

    to: str
    out: Path
    force: bool


@dataclass(frozen=True)
class Beside:
    """What some sources need beside them: a moved pool; rejections, and recordings."""

    pool: Path | None
    fp: Path | None
    recordings: Path | None


@click.command(cls=CleanCommand)
@click.argument("source", type=click.Path(path_type=Path))
@click.option(
    "--to",
    type=click.Choice(list(NAMES)),
    required=True,
    help=f"The format: {'; '.join(f'{name}, {what}' for name, what in NAMES.items())}.",
)
@click.option("-o", "--out", type=_FOLDER, required=True, help="A new folder.")
@click.option("--force", is_flag=True, help="Replace an earlier export at --out.")
@as_one(Target, "target")
@with_settings(ExportSettings)
@with_settings(RowChoice, "choice")
@moved_pool_option
@click.option("--fp", type=_FILE, help="Of annotations: the rejected detections.")
@click.option("--recordings", type=_FOLDER, help="Of annotations: the folder of recordings.")
@as_one(Beside, "beside")
@quiet_and_json
def export(
    source: Path,
    target: Target,
    settings: ExportSettings,
    choice: RowChoice,
    beside: Beside,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write a selection, a pool or annotations in the format of another tool.

    SOURCE is a selection of 'negmine mine', a pool's folder, or a table of confirmed calls in
    RFCX's columns, which needs --recordings.

    \b
    Example:
      negmine export hard.parquet --to raven --out for_raven
      negmine export pool --to birdnet --calls --sample 2000 --out birdnet_training
      negmine export train_tp.csv --fp train_fp.csv --recordings train/ --to opensoundscape \\
          --out labels
    """
    from negmine.exports.export import check_free
    from negmine.exports.export import export as write

    check_free(target.out, replace=target.force)
    with Bars(quiet or as_json) as bars:
        rows = _rows(source, target, settings, choice, beside, bars)
        done = write(rows, target.to, target.out, settings, replace=target.force, progress=bars)
    for reason, count in done.left_out.items():
        warn(f"left out {count} {reason}")
    warn_each(done.notes)
    if as_json:
        print_json(done.to_dict())
        return
    say(f"{target.out}: {done.rows} rows as {done.written} {done.unit} for {target.to}", quiet)


def _rows(
    source: Path,
    target: Target,
    settings: ExportSettings,
    choice: RowChoice,
    beside: Beside,
    bars: Bars,
) -> Rows:
    """Open the source, whichever it is."""
    from negmine.exports import writer_of
    from negmine.exports.sources import rows_of_annotations, rows_of_pool, rows_of_selection

    own = (settings.cells or writer_of(target.to).cells) == "own"
    table = source.is_file() and source.suffix.lower() != ".parquet"
    _warn_unused(beside, settings, table=table, pool=source.is_dir())
    if table:
        if beside.recordings is None:
            raise click.UsageError(
                f"{source}: a table of annotations needs --recordings, the folder of its recordings"
            )
        from negmine.annotations import read_rfcx

        found = read_rfcx(source, beside.fp)
        warn_each(found.notes)
        return rows_of_annotations(
            found, beside.recordings, choice, own=own, source=str(source), progress=bars
        )
    if source.is_dir():
        return rows_of_pool(source, choice, calls=settings.calls)
    return rows_of_selection(source, choice, calls=settings.calls, own=own, pool=beside.pool)


def _warn_unused(beside: Beside, settings: ExportSettings, *, table: bool, pool: bool) -> None:
    """Warn of options that are for sources of another kind."""
    if not table:
        for flag, value in (("--fp", beside.fp), ("--recordings", beside.recordings)):
            if value is not None:
                warn(f"{flag} has no effect: it is for tables of annotations")
    if beside.pool is not None and (table or pool):
        warn("--pool has no effect: it is for selections")
    if table and settings.calls:
        warn("--calls has no effect: a table of annotations has its calls")
    if pool and settings.cells is not None:
        warn("--cells has no effect: a pool's rows are mined for no class; all is written")
