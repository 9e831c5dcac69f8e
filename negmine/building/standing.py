"""What is in a pool that is added to, against the recordings that are added."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

from negmine.annotations.recordings import Recordings
from negmine.building.dedup.near_duplicates import EXTERNAL, RECORDING
from negmine.errors import PoolError, shorten
from negmine.pool import Pool
from negmine.recipes.recipe import Recipes


def standing_roles(pool: Pool) -> dict[str, str]:
    """Return which files of a pool are external sound, and which are recordings with annotations.

    Returns
    -------
    dict of str to str
        `EXTERNAL` or `RECORDING` by fingerprint; files that are neither are not there.
    """
    external = pool.recipes[pool.recipes.of_kind("external")]
    # and the beds under the boxes, which are external
    rejected = pool.recipes[pool.recipes.of_kind("fp")]
    roles = dict.fromkeys([*_drawn_on(rejected), *_drawn_on(pool.calls)], RECORDING)
    roles |= dict.fromkeys(_drawn_on(external), EXTERNAL)
    return {
        pool.sources[number].fingerprint: role
        for number, role in sorted(roles.items())
        if not pool.sources[number].is_synthetic
    }


def _drawn_on(recipes: Recipes) -> list[int]:
    """Return the numbers of all sources of some recipes."""
    sources = [np.unique(block.layers.values["source"]) for block in recipes.blocks()]
    return [n for n in np.unique(np.concatenate([[-1], *sources])).tolist() if n >= 0]


def check_standing(
    pool: Pool, roles: Mapping[str, str], added: Mapping[str, Path], shared: Mapping[str, str]
) -> None:
    """Check that external sound in a pool holds nothing of a recording that is added.

    Its rows declare it free of the recording's calls, and what is in the pool is not changed.

    Parameters
    ----------
    pool : Pool
        The one that is added to.
    roles : mapping of str to str
        From `standing_roles`.
    added : mapping of str to Path
        Annotated recordings by fingerprint.
    shared : mapping of str to str
        Why external files may not be used, by fingerprint.

    Raises
    ------
    PoolError
        Naming the files, how many rows draw on them, and what to do.
    """
    why = {}
    for number, source in enumerate(pool.sources):
        name = source.fingerprint
        if roles.get(name) != EXTERNAL:
            continue
        if name in added:
            why[number] = f"{source.path} is the same file as {added[name]}"
        elif name in shared:
            why[number] = shared[name]
    if not why:
        return
    marked = np.isin(np.arange(len(pool.sources) + 1), list(why))
    rows = int(pool.recipes.any_source(marked).sum())
    names = shorten([pool.sources[number].name for number in why])
    raise PoolError(
        f"{pool.path}: {rows} rows draw on external sound that holds part of an annotated or "
        f"held-out recording, and would be declared free of its calls: {names}; the first: "
        f"{next(iter(why.values()))}. Rows in it are never changed: build the pool again with "
        "--force, not --append, which leaves these files out; or take the recording out"
    )


def check_unchanged(pool: Pool, folders: Iterable[Recordings | None]) -> None:
    """Check that no file of a pool that is added to was replaced since.

    Its standing rows would be of a file that is gone, and no command could render them.

    Parameters
    ----------
    pool : Pool
        The one that is added to.
    folders : iterable of Recordings
        What is read again.

    Raises
    ------
    PoolError
        Naming the files, and what to do.
    """
    now = {
        info.path.resolve(): info.fingerprint
        for folder in folders
        if folder is not None
        for info in folder.infos.values()
    }
    replaced = [
        source.name
        for source in pool.sources
        if not source.is_synthetic
        and now.get(source.path.resolve(), source.fingerprint) != source.fingerprint
    ]
    if replaced:
        raise PoolError(
            f"{pool.path}: {len(replaced)} files of this pool were replaced since: "
            f"{shorten(replaced, 3)}; its rows are of the files as they were. Build the pool again "
            "with --force, not --append; or put the files back, or give the new ones other names"
        )
