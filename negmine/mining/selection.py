"""Selections: the rows that mining chose, in a Parquet file that training reads."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

from negmine.errors import DamageError, InputError, PoolError
from negmine.notices import warn
from negmine.pool import Pool, open_pool
from negmine.pool.files import read_info
from negmine.recipes.recipe import Recipe
from negmine.storage.digests import text_fingerprint
from negmine.storage.files import write_table
from negmine.storage.parquet import read_table
from negmine.storage.places import candidates, first_folder, seen_from
from negmine.storage.text_files import parse_json

FORMAT = "negmine-selection"
VERSION = "2"

# In the file's metadata, see `check_made_with`.
_MADE_WITH = "made_with"

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
    nearest_call : str
        Id of the class's confirmed call nearest in embedding space; empty where there is none.
    distance : float
        To it: 1 - cosine similarity; NaN where there is none.
    doubt : float
        Estimated probability that the class is there after all (`negmine.mining.doubt`).
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


@dataclass(frozen=True)
class Selection:
    """Chosen rows and where they come from.

    Attributes
    ----------
    model : str
        Fingerprint of the model that scored.
    made_with : mapping of str to str, optional
        The settings and inputs it was made with: see `check_made_with`.
    """

    rows: tuple[Chosen, ...]
    pool: Path
    pool_digest: str
    model: str
    made_with: Mapping[str, str] | None = field(default=None, compare=False)

    @property
    def digest(self) -> str:
        """Hash of what is chosen: pool, recipes and classes, in order."""
        text = repr((self.pool_digest, [(row.recipe, row.label) for row in self.rows]))
        return text_fingerprint(text)

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
            "pool_beside": seen_from(self.pool, path.parent),
            "pool_digest": self.pool_digest,
            "model": self.model,
        }
        if self.made_with is not None:
            metadata[_MADE_WITH] = json.dumps(dict(self.made_with), ensure_ascii=False)
        write_table(path, pa.table(columns), metadata)

    def join(self, newer: Selection, share: float = 1.0, seed: int = 0) -> Selection:
        """Append the newer rows to a random share of these, class by class.

        Parameters
        ----------
        share : float
            Of the rows here that are not among the newer ones: 1 keeps all.

        Raises
        ------
        PoolError
            If they come from different pools.
        """
        if newer.pool_digest != self.pool_digest:
            raise PoolError(f"selections from different pools, {self.pool} and {newer.pool}")
        new = {(row.recipe, row.label) for row in newer.rows}
        old = [row for row in self.rows if (row.recipe, row.label) not in new]
        by_class: dict[str, list[int]] = {}
        for i, row in enumerate(old):
            by_class.setdefault(row.label, []).append(i)
        rng = np.random.default_rng(seed)
        kept = [
            i
            for rows in by_class.values()
            for i in rng.permutation(rows)[: round(share * len(rows))].tolist()
        ]
        rows = (*(old[i] for i in sorted(kept)), *newer.rows)
        return Selection(rows, newer.pool, newer.pool_digest, newer.model)

    def open_pool(self) -> Pool:
        """Open the pool it was chosen from.

        Raises
        ------
        PoolError
            If it is gone, was rebuilt since, or lacks a class of the selection.
        """
        if not self.pool.exists():
            raise PoolError(
                f"{self.pool}: no such folder; make one with 'negmine build-pool'. It was the pool "
                "of this selection: if it was moved, name its new place with --pool"
            )
        pool = open_pool(self.pool)
        # rows that were added to the pool since leave this selection true
        if self.pool_digest not in pool.digests:
            raise PoolError(
                f"{self.pool}: the pool was rebuilt since this selection was mined from it; run "
                "'negmine mine' again"
            )
        if unknown := {row.label for row in self.rows} - set(pool.classes):
            raise PoolError(
                f"{self.pool}: class '{min(unknown)}' of this selection is not in its pool: "
                "damaged; run 'negmine mine' again"
            )
        return pool

    def recipes(self, pool: Pool) -> Sequence[Recipe]:
        """Return the recipe of each row."""
        return [pool.recipes[pool.recipes.row_of(row.recipe)] for row in self.rows]


def open_selection(path: Path, pool: Path | None = None) -> Selection:
    """Read a selection.

    Its pool is looked for where it was, then where it was as seen from the selection: what was
    moved together is found.

    Parameters
    ----------
    pool : Path, optional
        Where its pool is, whatever the selection says.

    Raises
    ------
    PoolError
        If the file is missing, is not a selection, or of another version.
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
    digest = metadata["pool_digest"]
    places = candidates(metadata["pool"], metadata.get("pool_beside"), path.parent)
    found = pool or next((one for one in places if _is_pool(one, digest)), first_folder(places))
    made_with = parse_json(metadata[_MADE_WITH], str(path)) if _MADE_WITH in metadata else None
    return Selection(rows, found, digest, metadata["model"], made_with)


def check_made_with(path: Path, now: Mapping[str, str]) -> None:
    """Check that an existing selection may be used where one would be made with these settings.

    Raises
    ------
    InputError
        Naming all that differ.
    PoolError
        If it is not a selection.
    """
    then = open_selection(path).made_with
    if then is None:
        warn(
            f"{path}: used as it is: written by an earlier version, it does not say with what "
            "settings; remove it to mine it again"
        )
        return
    differ = [
        f"{name} ({then.get(name, 'none')}, now {value})"
        for name, value in now.items()
        if then.get(name) != value
    ]
    if differ:
        raise InputError(
            f"{path}: was made with another {', another '.join(differ)}; choose another --out, or "
            "remove that folder"
        )


def _is_pool(path: Path, digest: str) -> bool:
    """Return whether a pool is there that has this digest, or had it before it was added to."""
    try:
        parts = read_info(path)["parts"]
    except PoolError:
        return False
    return any(part["digest"] == digest for part in parts)


def is_whole(path: Path) -> bool:
    """Return whether a whole selection is there already; warn where it is damaged.

    Raises
    ------
    PoolError
        If it is something else, or of another version.
    """
    try:
        if path.exists():
            open_selection(path)
            return True
    except DamageError as error:
        warn(f"{path}: damaged, so mined again ({error})")
    return False
