"""The pool, opened: a sequence of recipes of confident negatives."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from negmine.errors import PoolError, did_you_mean
from negmine.labels import PartialLabels
from negmine.pool_files import read_info, read_label_sets, read_recipes, read_sources
from negmine.recipe import Layer, Recipe, Source


class RecipeTable(Sequence[Recipe]):
    """Recipes in a table, made when asked for.

    Attributes
    ----------
    ids, kinds : object arrays of str, shape (N,)
    label_sets : int32 array, shape (N,)
        Numbers of label sets.
    """

    def __init__(
        self,
        path: Path,
        table: pa.Table,
        sources: Sequence[Source],
        label_sets: Sequence[PartialLabels],
        clip_s: float,
        sample_rate: int,
    ) -> None:
        self._path = path
        self._layers = table.column("layers").combine_chunks()
        self._sources = sources
        self._labels = label_sets
        self._clip_s = clip_s
        self._sample_rate = sample_rate
        self.ids: np.ndarray = table.column("id").to_numpy()
        self.kinds: np.ndarray = table.column("kind").to_numpy()
        self.label_sets: np.ndarray = table.column("labels").to_numpy()

    def __len__(self) -> int:
        return len(self.ids)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        row = range(len(self))[int(index)]
        return Recipe(
            kind=str(self.kinds[row]),
            layers=tuple(
                Layer(**la | {"source": self._source(la["source"])})
                for la in self._layers[row].as_py()
            ),
            duration_s=self._clip_s,
            sample_rate=self._sample_rate,
            labels=self._labels[self.label_sets[row]],
        )

    def _source(self, number: int | None) -> Source | None:
        return None if number is None else self._sources[number]

    def draws_on(self, groups: frozenset[str]) -> np.ndarray:
        """Which recipes have a layer from one of these groups: bool array, shape (N,)."""
        named = [bool(source.group) and source.group in groups for source in self._sources]
        counts = np.diff(self._layers.offsets.to_numpy())
        numbers = self._layers.flatten().field("source").fill_null(len(named)).to_numpy()
        per_layer = np.array([*named, False])[numbers]
        hits = np.bincount(np.repeat(np.arange(len(self)), counts)[per_layer], minlength=len(self))
        return np.asarray(hits > 0)

    @cached_property
    def _rows(self) -> dict[str, int]:
        return {name: row for row, name in enumerate(self.ids)}

    def row_of(self, recipe_id: str) -> int:
        """The row of a recipe.

        Raises
        ------
        PoolError
            If no recipe has this id.
        """
        if recipe_id not in self._rows:
            raise PoolError(f"{self._path}: no recipe '{recipe_id}' in this pool")
        return self._rows[recipe_id]


@dataclass(frozen=True, eq=False)
class Pool:
    """An opened pool. A sequence of its recipes, by `recipes`.

    Attributes
    ----------
    path : Path
    classes : tuple of str
    clip_s : float
        Length of every recipe.
    sample_rate : int
        Hz at which recipes render unless told otherwise.
    sources : list of Source
    label_sets : list of PartialLabels
    recipes, calls : RecipeTable
        The negatives, and the confirmed calls.
    digest : str
        Of all rows; what is derived from a pool carries it.
    settings : mapping
        What it was built with.
    """

    path: Path
    classes: tuple[str, ...]
    clip_s: float
    sample_rate: int
    sources: list[Source]
    label_sets: list[PartialLabels]
    digest: str
    settings: Mapping[str, Any]
    recipes: RecipeTable
    calls: RecipeTable

    def __len__(self) -> int:
        return len(self.recipes)

    def __iter__(self) -> Iterator[Recipe]:
        return iter(self.recipes)

    def __getitem__(self, index: Any) -> Any:
        return self.recipes[index]

    def confidence(self, name: str) -> np.ndarray:
        """Confidence that each recipe lacks a class: float32, shape (N,), 0 where not certified."""
        per_set = np.array(
            [s.absent[name].confidence if name in s.absent else 0.0 for s in self.label_sets],
            dtype=np.float32,
        )
        return np.asarray(per_set[self.recipes.label_sets])


def open_pool(path: str | Path) -> Pool:
    """Open a pool folder.

    Parameters
    ----------
    path : path-like

    Returns
    -------
    Pool

    Raises
    ------
    PoolError
        If it is no pool, of another version, or damaged.

    Examples
    --------
    >>> pool = open_pool("pool")  # doctest: +SKIP
    >>> pool[0].render().shape  # doctest: +SKIP
    (64000,)
    """
    folder = Path(path)
    info = read_info(folder)
    sources = read_sources(folder, {name: Path(root) for name, root in info["roots"].items()})
    recipes, calls = (read_recipes(folder, name, len(sources)) for name in ("recipes", "calls"))
    used = max(int(np.max(t.column("labels").to_numpy(), initial=-1)) for t in (recipes, calls))
    label_sets = read_label_sets(folder, used + 1)
    clip_s, sample_rate = float(info["clip_s"]), int(info["sample_rate"])

    def opened(table: pa.Table) -> RecipeTable:
        return RecipeTable(folder, table, sources, label_sets, clip_s, sample_rate)

    return Pool(
        path=folder,
        classes=tuple(info["classes"]),
        clip_s=clip_s,
        sample_rate=sample_rate,
        sources=sources,
        label_sets=label_sets,
        digest=info["digest"],
        settings=info["settings"],
        recipes=opened(recipes),
        calls=opened(calls),
    )


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
