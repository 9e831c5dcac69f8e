"""The command ``ensemble``. Imports nothing heavy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from negmine.cli.console import CleanCommand, print_json, quiet_and_json, say
from negmine.cli.goes_with import Beside, check_goes_with
from negmine.text_tables import table

_GO_WITH = (
    (("how",), (Beside("out"),)),
    # what is compared with a truth is every way of joining
    (("row_scale",), (Beside("how", ("row-scaled",)), Beside("truth"))),
)


@click.command(cls=CleanCommand)
@click.argument("members", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "--how",
    type=click.Choice(["mean", "rank", "row-scaled", "pairwise"]),
    default="mean",
    show_default=True,
    help="Mean of the scores, of each class's ranks over the clips, of rows scaled to [0, 1], or "
    "of the differences between a clip's classes.",
)
@click.option(
    "--row-scale",
    type=click.Choice(["range", "max"]),
    default="range",
    show_default=True,
    help="For row-scaled: a row's lowest score to 0 and its highest to 1, or only the latter.",
)
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
@quiet_and_json
def ensemble(
    members: tuple[Path, ...],
    how: Any,
    row_scale: Any,
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
    check_goes_with(_GO_WITH, {"truth": truth or any(member.is_dir() for member in members)})
    from negmine.errors import InputError
    from training.evaluation.members import compare, join_members, open_members

    opened = open_members(members)
    compared = compare(opened, truth, row_scale)
    if not compared and not out:
        raise InputError("nothing to do: give --out to write the joined scores, or --truth")
    if out:
        join_members(opened, how, row_scale).write(out)
    if as_json:
        print_json({"members": len(opened), "how": how, "out": out and str(out), "table": compared})
        return
    if compared:
        columns = [name for name in compared[0] if name != "name"]
        rows = [[row["name"], *(f"{row[c]:.4f}" for c in columns)] for row in compared]
        say(table(["scores", *columns], rows), quiet)
    if out:
        say(f"{out}: {len(opened)} members, {how}", quiet)
