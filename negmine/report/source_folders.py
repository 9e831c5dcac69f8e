"""From which folders of sound the rows of a selection are, beside those of the pool."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from negmine.mining.selection import Chosen
from negmine.pool import Pool
from negmine.recipes.source import Source

# What is made by negmine itself has no folder.
GENERATED = "generated noise"


@dataclass(frozen=True)
class FolderCount:
    """How many clips draw on a folder; a mix counts in each of the folders that it draws on.

    Attributes
    ----------
    share, pool_share : float
        Of all chosen clips, and of all of the pool.
    """

    folder: str
    chosen: int
    pool: int
    share: float
    pool_share: float

    @property
    def times(self) -> float:
        """How many times as frequent it is among the chosen as in the pool."""
        return self.share / self.pool_share if self.pool_share else float("nan")


def folder_of(source: Source) -> str:
    """Name a source's folder: the pool's folder, and that of the file in it."""
    if source.is_synthetic:
        return GENERATED
    inside = PurePosixPath(source.name).parent
    return (PurePosixPath(source.root.name) / inside).as_posix()


def count_folders(pool: Pool, rows: Iterable[Chosen]) -> list[FolderCount]:
    """Count by folder the clips that were chosen, each once, and those of the pool.

    Returns
    -------
    list of FolderCount
        Those with most chosen clips first; folders that none was chosen from are last.
    """
    table = pool.recipes
    ids = dict.fromkeys(row.recipe for row in rows)
    chosen = np.array([table.row_of(one) for one in ids], dtype=np.int64)
    folders = [folder_of(source) for source in table.dictionaries.sources]
    found = []
    for name in dict.fromkeys(folders):
        of_folder = np.array([*(one == name for one in folders), False])
        draws = table.any_source(of_folder)
        found.append((name, int(draws[chosen].sum()), int(draws.sum())))
    counted = [
        FolderCount(name, here, there, here / max(1, len(chosen)), there / max(1, len(table)))
        for name, here, there in found
        if there
    ]
    return sorted(counted, key=lambda one: (-one.chosen, -one.pool, one.folder))
