"""``negmine pool``: commands on pools as a whole."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from negmine.cli.console import CleanGroup, print_json, quiet_and_json, say
from negmine.limits import LAST_SEED
from negmine.notices import warn
from negmine.storage.file_names import is_file_name
from negmine.text_tables import table


@click.group(cls=CleanGroup)
def pool() -> None:
    """Join pools and split them.

    \b
    Example:
      negmine pool merge site1 site2 --out both
      negmine pool split both --into train=0.8 --into test=0.2 --out folds
    """


@pool.command()
@click.argument("pools", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option(
    "-o", "--out", type=click.Path(path_type=Path), required=True, help="The joint pool's folder."
)
@click.option("--force", is_flag=True, help="Replace another pool at --out.")
@quiet_and_json
def merge(pools: tuple[Path, ...], out: Path, force: bool, quiet: bool, as_json: bool) -> None:
    """Join POOLS of the same classes into one; rows that are in several are written once.

    \b
    Example:
      negmine pool merge site1 site2 --out both
    """
    from negmine.pool.merge import merge_pools

    merged = merge_pools(pools, out, replace=force)
    if as_json:
        print_json(merged.to_dict())
        return
    say(
        f"{out}: {merged.rows} recipes and {merged.calls} calls, "
        f"{'written' if merged.changed else 'unchanged'}; left out {merged.twice} that "
        "were in it already",
        quiet,
    )


def _shares(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[str, float]:
    shares: dict[str, float] = {}
    for text in values:
        name, _, number = text.partition("=")
        try:
            share = float(number)
        except ValueError:
            share = 0.0
        if not 0 < share < float("inf"):
            raise click.BadParameter(f"'{text}' is not NAME=SHARE, such as train=0.8")
        if name in shares or not is_file_name(name):
            raise click.BadParameter(f"'{name}' is not a name, or appears twice")
        shares[name] = share
    if len(shares) < 2:
        raise click.BadParameter("name two parts or more: --into train=0.8 --into test=0.2")
    return shares


@pool.command()
@click.argument("pool", metavar="POOL", type=click.Path(path_type=Path))
@click.option(
    "--into",
    multiple=True,
    required=True,
    metavar="NAME=SHARE",
    callback=_shares,
    help="A part and its share of the rows. Repeatable: two or more.",
)
@click.option(
    "--by",
    type=click.Choice(["group"]),
    hidden=True,
    help="Of earlier versions: groups stay together, without it as well.",
)
@click.option(
    "-o",
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    help="A new folder; each part is a pool in it.",
)
@click.option(
    "--seed",
    type=click.IntRange(0, LAST_SEED),
    default=0,
    show_default=True,
    help="Of the groups' order.",
)
@quiet_and_json
def split(
    pool: Path, into: Any, by: str | None, out: Path, seed: int, quiet: bool, as_json: bool
) -> None:
    """Split a POOL so that no group (a recording, or what was named for it) is in two parts.

    Recipes that draw on groups of several parts are left out and counted. Generated sound belongs
    to no group: recipes of it alone go to the first part.

    \b
    Example:
      negmine pool split pool --into train=0.8 --into test=0.2 --out folds
    """
    from negmine.pool.split import split_pool

    if by:
        warn("--by has no effect: groups stay together without it")
    done = split_pool(pool, into, out, seed=seed)
    if as_json:
        print_json(done.to_dict())
        return
    rows = [[name, *(str(part[key]) for key in part)] for name, part in done.parts.items()]
    say(table(["part", "recipes", "calls", "groups"], rows), quiet)
    say(f"left out {done.straddling}: recipes that draw on groups of several parts", quiet)


def _moved(
    context: click.Context, option: click.Parameter, values: tuple[str, ...]
) -> dict[Path, Path]:
    found = {}
    for text in values:
        old, equals, new = text.partition("=")
        if not (old and equals and new):
            raise click.BadParameter(f"'{text}' is not OLD=NEW")
        found[Path(old)] = Path(new)
    return found


@pool.command()
@click.argument("pool", metavar="POOL", type=click.Path(file_okay=False, path_type=Path))
@click.option(
    "--root",
    "moved",
    multiple=True,
    required=True,
    metavar="OLD=NEW",
    callback=_moved,
    help="A folder of sound as the pool names it, and where it is now. Repeatable.",
)
@quiet_and_json
def relocate(pool: Path, moved: Any, quiet: bool, as_json: bool) -> None:
    """Let a POOL look for its sound in other folders, where it was moved.

    A pool that is moved together with its sound needs none of this: it is found.

    \b
    Example:
      negmine pool relocate pool --root /old/train=/new/train
    """
    from negmine.pool import open_pool
    from negmine.pool.relocate import relocate_pool

    open_pool(pool)  # where there is none, nothing is made beside it
    roots = relocate_pool(pool, moved)
    if as_json:
        print_json({name: str(root) for name, root in roots.items()})
        return
    for name, root in roots.items():
        say(f"{name}: {root}", quiet)
