"""Recipes of a pool as rows of every step: rendered once, drawn by class, zero where certified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from negmine.audio.windows import to_samples
from negmine.errors import PoolError
from negmine.pool import Pool, check_classes
from negmine.progress import Progress
from negmine.recipes.cache_items import cache_clips
from negmine.recipes.labels import PartialLabels
from negmine.recipes.recipe import Recipe
from training.config import TrainConfig
from training.data.rows import Row, RowKind


def check_pool(pool: Pool, config: TrainConfig, classes: Sequence[str], where: str) -> None:
    """Check that a pool's clips may enter a run.

    Raises
    ------
    PoolError
        If it has other classes, or clips of another length or rate: what is certified reaches as
        high as the pool's rate lets it.
    """
    check_classes(classes, pool.classes, where)
    if pool.clip_s != config.clip_s:
        raise PoolError(
            f"{where}: clips of {pool.clip_s:g} s, but this run trains on {config.clip_s:g} s; "
            "build the pool with the same --clip-s"
        )
    if pool.sample_rate != config.sample_rate:
        raise PoolError(
            f"{where}: built at {pool.sample_rate} Hz, but this run is at {config.sample_rate} Hz; "
            f"pass --sample-rate {pool.sample_rate}, or build the pool at {config.sample_rate} Hz"
        )


class PoolRows:
    """Rendered recipes, and which of them each class draws.

    Parameters
    ----------
    recipes : sequence of Recipe
    by_class : mapping of str to sequence of int
        Places in ``recipes``; no class without one.
    classes : sequence of str
        In the order of the model's outputs.
    config : TrainConfig
    cache : Path
        Folder for the rendered clips.
    pool : Path
        Theirs: its cache of sound, if there is one, is read as well.
    progress : Progress
        Of the rendering.
    """

    def __init__(
        self,
        recipes: Sequence[Recipe],
        by_class: Mapping[str, Sequence[int]],
        classes: Sequence[str],
        config: TrainConfig,
        cache: Path,
        pool: Path,
        progress: Progress,
    ) -> None:
        self.recipes = list(recipes)
        self.names = sorted(by_class)
        index = {name: column for column, name in enumerate(classes)}
        self.columns: NDArray[np.int64] = np.array([index[name] for name in self.names])
        self._by_class = [np.array(by_class[name]) for name in self.names]
        self._counts = np.array([len(rows) for rows in self._by_class])
        self._length = to_samples(config.clip_s, config.sample_rate)
        self._clips = cache_clips(cache, self.recipes, config.sample_rate, pool / "cache", progress)

    def draw(self, rng: np.random.Generator, places: NDArray[np.int64]) -> tuple[int, int]:
        """Draw a row of some classes, each row as likely: a class's share is its budget.

        Parameters
        ----------
        rng : numpy.random.Generator
        places : int array, shape (P,)
            Of the classes, in ``names``.

        Returns
        -------
        (int, int)
            The place of the recipe in ``recipes``, that of its class in ``names``.
        """
        upto = self._counts[places].cumsum()
        drawn = int(rng.integers(upto[-1]))
        place = int(upto.searchsorted(drawn, side="right"))
        return int(self._by_class[places[place]][drawn - upto[place]]), int(places[place])

    def draw_evenly(self, rng: np.random.Generator) -> tuple[int, int]:
        """Draw a class, each as likely, and a row of it: as `draw` returns them."""
        place = int(rng.integers(len(self.names)))
        rows = self._by_class[place]
        return int(rows[rng.integers(len(rows))]), place

    def row(self, index: int, own: int | None = None) -> Row:
        """Return a recipe as a row.

        Parameters
        ----------
        index : int
            Its place in ``recipes``.
        own : int, optional
            The place in ``names`` of the class that the row is zero for alone; by default it says
            all that its certificates say.
        """
        labels = self.recipes[index].labels
        if own is not None:
            labels = own_cell(labels, self.names[own])
        return Row(self._clips.read(index, 0, self._length), labels, RowKind.POOL)


def own_cell(labels: PartialLabels, name: str) -> PartialLabels:
    """Keep the absence of one class alone."""
    return PartialLabels(absent={name: labels.absent[name]} if name in labels.absent else {})
