"""The command ``ensemble``. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from negmine.cli.console import CleanCommand, print_json, quiet_and_json, say
from negmine.cli.settings import warn_no_effect, with_settings
from negmine.text_tables import table
from training.evaluation.settings import EnsembleSettings


@click.command(cls=CleanCommand)
@click.argument("members", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Write the joined scores as CSV.",
)
@click.option(
    "--truth",
    type=click.Path(dir_okay=False, path_type=Path),
    help="CSV: recording_id, s0, s1, ...: 1, 0, or empty where unknown; every member and "
    "every way of joining is compared with it.  [default: the known labels of run folders]",
)
@with_settings(EnsembleSettings, warn=False)
@quiet_and_json
def ensemble(
    members: tuple[Path, ...],
    settings: EnsembleSettings,
    out: Path | None,
    truth: Path | None,
    quiet: bool,
    as_json: bool,
) -> None:
    """Join the scores of several models, and compare the ways of doing so.

    MEMBERS are CSV tables as 'negmine evaluate --scores-out' writes them, or folders of 'negmine
    train --seeds', whose out-of-fold scores are taken.

    \b
    Example:
      negmine ensemble a.csv b.csv c.csv --how rank --out joined.csv --truth test_truth.csv
    """
    # folders bring a truth along
    known = truth or any(member.is_dir() for member in members)
    warn_no_effect(settings, beside={"--truth": known})
    from negmine.errors import InputError
    from training.evaluation.members import compare, join_members, open_members

    opened = open_members(members)
    compared = compare(opened, truth, settings.row_scale, settings.resamples)
    if not compared and not out:
        raise InputError("nothing to do: give --out to write the joined scores, or --truth")
    if out:
        join_members(opened, settings.how, settings.row_scale).write(out)
    if as_json:
        told = {"members": len(opened), "how": settings.how, "out": out and str(out)}
        print_json(told | {"table": compared})
        return
    if compared:
        columns = [name for name in compared[0] if name != "name"]
        rows = [[row["name"], *(f"{row[c]:.4f}" for c in columns)] for row in compared]
        say(table(["scores", *columns], rows), quiet)
        if settings.resamples:
            rows = [[row["name"], *_differences(row, columns)] for row in compared[1:]]
            against = f"against {compared[0]['name']}, in pairs; 95 %, over recordings"
            say(f"\n{against}\n{table(['scores', *columns], rows)}", quiet)
    if out:
        say(f"{out}: {len(opened)} members, {settings.how}", quiet)


def _differences(row: dict[str, Any], columns: list[str]) -> list[str]:
    cells = []
    for name in columns:
        found = row["differences"][name]
        low, high = found["interval"]
        cells.append(f"{found['value']:+.4f} ({low:+.4f}..{high:+.4f})")
    return cells
