"""Selections: the rows that mining chose, in a Parquet file that training reads."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from negmine.errors import PoolError
from negmine.pool import Pool, open_pool
from negmine.recipe import Recipe
from negmine.tables import read_table, write_table

FORMAT = "negmine-selection"
VERSION = "2"

COLUMNS = {
    "recipe": pa.string(),
    "class": pa.string(),
    "score": pa.float32(),
    "rank": pa.int32(),
    "kind": pa.string(),
    "certificate": pa.string(),
    "confidence": pa.float32(),
    "nearest_call": pa.string(),
    "distance": pa.float32(),
    "doubt": pa.float32(),
    "spread": pa.float32(),
}


@dataclass(frozen=True)
class Chosen:
    """One chosen negative of one class.

    Attributes
    ----------
    recipe : str
        Its id in the pool.
    label : str
        The class it fooled, and is certified free of.
    score : float
        The model's logit for that class.
    rank : int
        From 1, within the class.
    kind, certificate : str
    confidence : float
    nearest_call : str
        Id of the class's confirmed call nearest in embedding space; empty where there is none.
    distance : float
        To it: 1 - cosine similarity; NaN where there is none.
    doubt : float
        Estimated probability that the class is there after all (`negmine.doubt`).
    spread : float
        Standard deviation of the logit over several models; 0 for one.
    """

    recipe: str
    label: str
    score: float
    rank: int
    kind: str
    certificate: str
    confidence: float
    nearest_call: str
    distance: float
    doubt: float
    spread: float


@dataclass(frozen=True)
class Selection:
    """Chosen rows and where they come from.

    Attributes
    ----------
    rows : tuple of Chosen
    pool : Path
    pool_digest : str
    model : str
        Fingerprint of the model that scored.
    """

    rows: tuple[Chosen, ...]
    pool: Path
    pool_digest: str
    model: str

    @property
    def digest(self) -> str:
        """Hash of what is chosen: pool, recipes and classes, in order."""
        text = repr((self.pool_digest, [(row.recipe, row.label) for row in self.rows]))
        return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()

    def write(self, path: Path) -> None:
        """Write the selection as Parquet, whole or not at all."""
        fields = list(Chosen.__dataclass_fields__)
        columns = {
            column: pa.array([getattr(row, field) for row in self.rows], kind)
            for (column, kind), field in zip(COLUMNS.items(), fields, strict=True)
        }
        metadata = {
            "format": FORMAT,
            "version": VERSION,
            "pool": str(self.pool.resolve()),
            "pool_digest": self.pool_digest,
            "model": self.model,
        }
        write_table(path, pa.table(columns), metadata)

    def join(self, newer: Selection) -> Selection:
        """These rows, and the newer ones that are not among them.

        Raises
        ------
        PoolError
            If they come from different pools.
        """
        if newer.pool_digest != self.pool_digest:
            raise PoolError(f"selections from different pools, {self.pool} and {newer.pool}")
        known = {(row.recipe, row.label) for row in self.rows}
        added = tuple(row for row in newer.rows if (row.recipe, row.label) not in known)
        return Selection(self.rows + added, newer.pool, newer.pool_digest, newer.model)

    def open_pool(self) -> Pool:
        """The pool it was chosen from.

        Raises
        ------
        PoolError
            If it is gone or was rebuilt since.
        """
        pool = open_pool(self.pool)
        # rows that were added to the pool since leave this selection true
        if self.pool_digest not in pool.digests:
            raise PoolError(
                f"{self.pool}: the pool was rebuilt since this selection was mined from it; run "
                "'negmine mine' again"
            )
        return pool

    def recipes(self, pool: Pool) -> Sequence[Recipe]:
        """The recipe of each row."""
        return [pool.recipes[pool.recipes.row_of(row.recipe)] for row in self.rows]


def open_selection(path: Path) -> Selection:
    """Read a selection.

    Raises
    ------
    PoolError
        If the file is missing, is no selection, or of another version.
    """
    table, metadata = read_table(path, COLUMNS)
    if metadata.get("format") != FORMAT:
        raise PoolError(f"{path}: not a selection written by 'negmine mine'")
    if metadata.get("version") != VERSION:
        raise PoolError(
            f"{path}: a selection of version {metadata.get('version')}; this negmine reads version "
            f"{VERSION}; run 'negmine mine' again"
        )
    if not metadata.keys() >= {"pool", "pool_digest", "model"}:
        raise PoolError(f"{path}: names no pool or no model: damaged; run 'negmine mine' again")
    columns = [table.column(name).to_pylist() for name in COLUMNS]
    rows = tuple(Chosen(*values) for values in zip(*columns, strict=True))
    return Selection(rows, Path(metadata["pool"]), metadata["pool_digest"], metadata["model"])
