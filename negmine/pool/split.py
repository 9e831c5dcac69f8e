"""A pool in parts that share no group: what one is trained on says nothing of the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from negmine.arrays import IntEntries, IntRows
from negmine.errors import PoolError
from negmine.pool import Pool, open_pool
from negmine.pool.files import read_info, write_new
from negmine.pool.writer import PoolWriter, add_rows
from negmine.recipes.recipe import Recipes
from negmine.storage.files import writing_folder


@dataclass(frozen=True)
class Split:
    """What splitting did.

    Attributes
    ----------
    parts : dict of str to dict of str to int
        Of each part: ``recipes``, ``calls``, ``groups``.
    straddling : int
        Recipes left out, since they draw on groups of several parts.
    """

    parts: dict[str, dict[str, int]]
    straddling: int

    def to_dict(self) -> dict[str, Any]:
        return asdict(self)


def split_pool(path: Path, shares: Mapping[str, float], out: Path, *, seed: int = 0) -> Split:
    """Write a pool as several, no group in two of them.

    Groups are taken in random order, each to the part that lacks most of its share of the rows. A
    recipe goes to the part that all its groups are in, and nowhere if they are in several; recipes
    of generated sound alone, which belongs to no group, go to the first part.

    Parameters
    ----------
    path : Path
    shares : mapping of str to float
        Of the rows, by the parts' names; they need not add up to 1.
    out : Path
        A new folder, with a pool for each part.
    seed : int
        Of the order of the groups.

    Raises
    ------
    PoolError
        If the pool is missing or damaged, ``out`` exists, or a part would be empty.
    """
    pool = open_pool(path)
    if out.exists():
        raise PoolError(f"{out}: exists; choose a new folder for --out")
    names = list(shares)
    part_of = _assign(pool, shares, np.random.default_rng(seed))
    # the last entry is for layers without a source
    numbers = np.array([part_of.get(source.group, -1) for source in pool.sources] + [-1])
    parts, of_calls = _parts(pool.recipes, numbers), _parts(pool.calls, numbers)
    writers = [PoolWriter(pool.clip_s, pool.sample_rate) for _ in names]
    for number, writer in enumerate(writers):
        add_rows(writer, [pool.recipes[parts == number]], [pool.calls[of_calls == number]])
    for name, writer in zip(names, writers, strict=True):
        if not len(writer):
            groups = len(part_of)
            raise PoolError(f"{path}: part '{name}' would be empty; the pool has {groups} groups")
    roots = {name: Path(root) for name, root in read_info(path)["roots"].items()}
    with writing_folder(out) as folder:
        for name, writer in zip(names, writers, strict=True):
            made = {"pool": pool.digest, "part": name, "shares": dict(shares), "seed": seed}
            write_new(
                folder / name,
                writer,
                classes=pool.classes,
                roots=roots,
                settings={"split": made, "settings": pool.settings},
            )
    in_part = list(part_of.values())
    return Split(
        {
            name: {
                "recipes": len(writer),
                "calls": writer.call_count,
                "groups": in_part.count(number),
            }
            for number, (name, writer) in enumerate(zip(names, writers, strict=True))
        },
        int((parts == _STRADDLES).sum()),
    )


_STRADDLES = -2


def _assign(pool: Pool, shares: Mapping[str, float], rng: np.random.Generator) -> dict[str, int]:
    """Assign a part to each group."""
    groups = sorted({source.group for source in pool.sources if source.group})
    index = {group: number for number, group in enumerate(groups)}
    of_source = np.array([index.get(source.group, -1) for source in pool.sources] + [-1])
    rows = np.zeros(len(groups))
    for table in (pool.recipes, pool.calls):
        for block in table.blocks():
            drawn = of_source[block.layers.values["source"]]
            rows += np.bincount(drawn[drawn >= 0], minlength=len(groups))
    wanted = np.array(list(shares.values())) / sum(shares.values()) * rows.sum()
    given = np.zeros(len(wanted))
    found = {}
    for number in rng.permutation(len(groups)).tolist():
        # the part that lacks most, for its size
        part = int(np.argmin(given / wanted))
        given[part] += rows[number]
        found[groups[number]] = part
    return found


def _parts(recipes: Recipes, numbers: IntEntries) -> IntRows:
    """Return each row's part: int64, shape (n,); `_STRADDLES` if its groups are in several."""
    found = [np.zeros(0, dtype=np.int64)]
    for block in recipes.blocks():
        layers = block.layers
        drawn, starts = numbers[layers.values["source"]], layers.starts[:-1]
        most = np.maximum.reduceat(drawn, starts)
        drawn[drawn < 0] = np.iinfo(np.int64).max
        least = np.minimum.reduceat(drawn, starts)
        found.append(np.where(most < 0, 0, np.where(most == least, most, _STRADDLES)))
    return np.concatenate(found)
