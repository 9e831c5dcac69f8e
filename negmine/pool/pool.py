"""The pool, opened: a sequence of recipes of confident negatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, overload

import numpy as np

from negmine.arrays import IntRows, RowChoice, WeightRows
from negmine.errors import PoolError, did_you_mean
from negmine.pool.files import part_folder, read_info
from negmine.pool.label_sets import LabelSets
from negmine.pool.recipe_files import read_recipes
from negmine.pool.recipe_table import RecipeTable
from negmine.pool.source_table import SourceTable
from negmine.recipes.columns import Lists
from negmine.recipes.dictionaries import ClipDictionary, Dictionaries, Numbered, join_clips
from negmine.recipes.recipe import Recipe, Recipes, join_recipes
from negmine.recipes.recipe_columns import Number
from negmine.storage.names import clean_name


@dataclass(frozen=True, eq=False)
class Pool:
    """An opened pool, or some rows of one. A sequence of its recipes, by `recipes`.

    Attributes
    ----------
    path : Path
    classes : tuple of str
    clip_s : float
        Length of every recipe.
    sample_rate : int
        Hz at which recipes render unless another rate is given.
    sources : SourceTable
    label_sets : LabelSets
    recipes, calls : RecipeTable
        The negatives, and the confirmed calls.
    digest : str
        Of all rows; what is derived from a pool carries it.
    digests : tuple of str
        The digest as it was after each part: rows that were added since leave what was derived from
        the earlier ones true.
    settings : mapping
        What it was built with.
    """

    path: Path
    classes: tuple[str, ...]
    clip_s: float
    sample_rate: int
    sources: SourceTable
    label_sets: LabelSets
    digest: str
    digests: tuple[str, ...]
    settings: Mapping[str, Any]
    recipes: RecipeTable
    calls: RecipeTable

    def __len__(self) -> int:
        return len(self.recipes)

    def __iter__(self) -> Iterator[Recipe]:
        return iter(self.recipes)

    @overload
    def __getitem__(self, index: Number) -> Recipe: ...
    @overload
    def __getitem__(self, index: RowChoice) -> Pool: ...
    def __getitem__(self, index: Number | RowChoice) -> Recipe | Pool:
        """Return a recipe, or a pool of the rows that a slice, a mask or numbers choose."""
        if isinstance(index, slice | np.ndarray):
            return replace(self, recipes=self.recipes[index])
        return self.recipes[index]

    def confidence(self, name: str) -> WeightRows:
        """Return confidence that each recipe lacks a class: float32, (N,), 0 if not certified."""
        return self.recipes.confidence(name)

    @cached_property
    def distinct_calls(self) -> IntRows:
        """Rows of ``calls``, each sound once: int64, ascending.

        Boxes in the same clip, of two classes say, give the same call more than once.
        """
        return np.sort(np.unique(self.calls.ids.raw, return_index=True)[1])

    def calls_of(self, name: str) -> IntRows:
        """Return rows of ``calls`` that hold a class, each sound once: int64, ascending."""
        rows = self.distinct_calls
        return rows[self.calls.present(name)[rows]]


def open_pool(path: str | Path) -> Pool:
    """Open a pool folder.

    Rows are mapped into memory, not read: a pool of a million opens in milliseconds.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Pool

    Raises
    ------
    PoolError
        If it is not a pool, of another version, or damaged.

    Examples
    --------
    >>> from negmine import open_pool
    >>> pool = open_pool("pool")
    >>> recipe = pool[0]
    >>> recipe.kind, recipe.duration_s
    ('external', 1.0)
    >>> recipe.render().shape  # float32, mono, at the pool's rate
    (8000,)
    >>> print(recipe.labels.state("1"))
    absent
    """
    folder = Path(path)
    info = read_info(folder)
    parts = info["parts"]
    classes = _clean_classes(folder, info["classes"])
    folders = [part_folder(folder, part) for part in parts]
    roots = {name: Path(root) for name, root in info["roots"].items()}
    sources = SourceTable([here / "sources.parquet" for here in folders], roots)
    counts = [int(part["label_sets"]) for part in parts]
    label_sets = LabelSets([here / "labels.parquet" for here in folders], counts, len(classes))
    clip_s, sample_rate = float(info["clip_s"]), int(info["sample_rate"])

    kinds = [[str(kind) for kind in part["kinds"]] for part in parts]
    names = sorted({kind for of_part in kinds for kind in of_part})
    dictionaries = Dictionaries(
        clip_s, sample_rate, Numbered(sources), Numbered(label_sets), Numbered(names)
    )

    def opened(name: str) -> RecipeTable:
        tables, clips = [], list[ClipDictionary]()
        for here, of_part in zip(folders, kinds, strict=True):
            rows, uses, own = read_recipes(here / name, len(sources), len(label_sets), of_part)
            if clips:
                shifted = uses.values["clip"] + np.int32(sum(map(len, clips)))
                uses = Lists(uses.starts, {**uses.values, "clip": shifted})
            kind = np.array([*map(names.index, of_part)], dtype=np.uint8)[rows["kind"]]
            tables.append(Recipes(dictionaries, kind, uses, rows["id"]))
            clips.append(own)
        joined = join_recipes(tables)
        return RecipeTable(
            replace(dictionaries, clips=join_clips(clips)),
            joined.kind,
            joined.uses,
            joined.known_ids,
            path=folder,
            label_sets=label_sets,
        )

    return Pool(
        path=folder,
        classes=classes,
        clip_s=clip_s,
        sample_rate=sample_rate,
        sources=sources,
        label_sets=label_sets,
        digest=info["digest"],
        digests=tuple(part["digest"] for part in parts),
        settings=info["settings"],
        recipes=opened("recipes"),
        calls=opened("calls"),
    )


def _clean_classes(folder: Path, names: Sequence[str]) -> tuple[str, ...]:
    """Return the classes as tables spell them, whatever an older negmine wrote."""
    classes: dict[str, str] = {}
    for name in map(str, names):
        if classes.setdefault(clean_name(name), name) != name:
            raise PoolError(
                f"{folder}: holds class '{clean_name(name)}' in two spellings that look alike; "
                "build the pool again"
            )
    return tuple(classes)


def check_classes(wanted: Sequence[str], known: Sequence[str], where: str) -> None:
    """Check that two sets of classes are the same.

    Raises
    ------
    PoolError
        Naming the first class that only one side has.
    """
    for name in wanted:
        if name not in known:
            raise PoolError(f"{where}: class '{name}' is unknown there{did_you_mean(name, known)}")
    for name in known:
        if name not in wanted:
            raise PoolError(
                f"{where}: has a class '{name}' that is not among the {len(wanted)} here"
            )
