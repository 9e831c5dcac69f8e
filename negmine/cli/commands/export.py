"""The command ``negmine export``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from negmine.cli.console import Bars, CleanCommand, as_one, print_json, quiet_and_json, say
from negmine.cli.data import TableFiles, table_files
from negmine.cli.scoring_options import moved_pool_option
from negmine.cli.settings import with_settings
from negmine.exports import NAMES, own_cells
from negmine.exports.settings import ExportSettings
from negmine.notices import warn, warn_each
from negmine.pool.settings import RowChoice

if TYPE_CHECKING:
    from negmine.exports.export import Rows

_FOLDER = click.Path(file_okay=False, path_type=Path)


@dataclass(frozen=True)
class Target:
    """What is written, and where."""

    to: str
    out: Path
    force: bool


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
@table_files
@quiet_and_json
def export(
    source: Path,
    target: Target,
    settings: ExportSettings,
    choice: RowChoice,
    pool: Path | None,
    data: TableFiles,
    quiet: bool,
    as_json: bool,
) -> None:
    """Write a selection, a pool or annotations in the format of another tool.

    SOURCE is a selection of 'negmine mine', a pool's folder, or the folder of the recordings that
    --tp and --fp, or --annotations, are of.

    \b
    Example:
      negmine export hard.parquet --to raven --out for_raven
      negmine export pool --to birdnet --calls --sample 2000 --out birdnet_training
      negmine export train/ --tp train_tp.csv --fp train_fp.csv --to opensoundscape --out labels
    """
    from negmine.exports.export import check_free
    from negmine.exports.export import export as write

    check_free(target.out, replace=target.force)
    with Bars(quiet or as_json) as bars:
        if data.tp or data.tables:
            _warn_unused(settings, pool, of="annotations")
            rows = _annotated(source, target, settings, choice, data, bars)
        else:
            rows = _mined(source, target, settings, choice, pool)
        done = write(rows, target.to, target.out, settings, replace=target.force, progress=bars)
    for reason, count in done.left_out.items():
        warn(f"left out {count} {reason}")
    warn_each(done.notes)
    if as_json:
        print_json(done.to_dict())
        return
    say(f"{target.out}: {done.rows} rows as {done.written} {done.unit} for {target.to}", quiet)


def _annotated(
    source: Path,
    target: Target,
    settings: ExportSettings,
    choice: RowChoice,
    data: TableFiles,
    bars: Bars,
) -> Rows:
    """Return rows of annotations, whose recordings are in ``source``."""
    from negmine.cli.tables import read_tables_of
    from negmine.exports.sources import rows_of_annotations

    folders = tuple(dict.fromkeys([source, *data.sorted_clips]))
    # whoever reads them may have the calls already
    found = read_tables_of(data, folders, keep_uncalled=True)
    warn_each(found.notes)
    tables = ", ".join(str(path) for path in (data.tp, data.fp, *data.tables) if path)
    return rows_of_annotations(
        found,
        folders,
        choice,
        own=own_cells(target.to, settings.cells),
        source=tables,
        progress=bars,
    )


def _mined(
    source: Path, target: Target, settings: ExportSettings, choice: RowChoice, pool: Path | None
) -> Rows:
    """Return rows of a pool or a selection."""
    from negmine.exports.sources import rows_of_pool, rows_of_selection

    if source.is_dir():
        if not (source / "pool.json").is_file():
            raise click.UsageError(
                f"{source}: not a pool; of a folder of recordings name the tables, too: --tp and "
                "--fp, or --annotations"
            )
        _warn_unused(settings, pool, of="a pool")
        return rows_of_pool(source, choice, calls=settings.calls)
    if source.is_file() and source.suffix.lower() != ".parquet":
        raise click.UsageError(
            f"{source}: not a selection (.parquet); of a table of annotations name the folder of "
            f"recordings as SOURCE, and --annotations {source}"
        )
    own = own_cells(target.to, settings.cells)
    return rows_of_selection(source, choice, calls=settings.calls, own=own, pool=pool)


def _warn_unused(settings: ExportSettings, pool: Path | None, of: str) -> None:
    """Warn of options that are for sources of another kind."""
    if pool is not None:
        warn(f"--pool has no effect on {of}: it is for selections")
    if of == "annotations" and settings.calls:
        warn("--calls has no effect on annotations, which have their calls")
    if of == "a pool" and settings.cells is not None:
        warn("--cells has no effect on a pool: its rows are mined for no class, and all is written")
