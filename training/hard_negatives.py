"""The plug-in behind ``--hard-negatives``: mined clips as known zeros, added to every step."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from negmine.errors import PoolError
from negmine.pool import Pool, check_classes
from negmine.selection import open_selection
from negmine.windows import to_samples
from training.clips import ClipStore, Progress
from training.config import TrainConfig
from training.rows import Example, Row, RowKind

# Distinguishes this plug-in's random numbers from the trainer's own in the same step.
_STREAM = 1


def check_pool(pool: Pool, config: TrainConfig, classes: Sequence[str], where: str) -> None:
    """Check that a pool's clips may enter a run.

    Raises
    ------
    PoolError
        If it has other classes, or clips of another length.
    """
    check_classes(classes, pool.classes, where)
    if pool.clip_s != config.clip_s:
        raise PoolError(
            f"{where}: clips of {pool.clip_s:g} s, but this run trains on {config.clip_s:g} s; "
            "build the pool with the same --clip-s"
        )


class HardNegatives:
    """Rows of a selection, classes evenly, as many a step as a share of the trainer's own.

    A row's zeros are its certificates, all of them, each weighted by its confidence.

    Parameters
    ----------
    path : Path
        A selection written by ``negmine mine``.
    ratio : float
        Added rows as a share of the trainer's own rows in a step.
    cache : Path
        Folder for the rendered clips.
    progress : callable
        Given a title and a number of clips to render, returns what to call after each.
    """

    def __init__(
        self,
        path: Path,
        ratio: float,
        cache: Path,
        progress: Progress = lambda title, total: lambda: None,
    ) -> None:
        self._path = path
        self._ratio = ratio
        self._cache = cache
        self._progress = progress
        self._selection = open_selection(path)
        self.description = f"hard negatives {self._selection.digest} at {ratio:g}"
        self.used = 0
        self.left_out = 0

    def prepare(
        self, config: TrainConfig, classes: Sequence[str], held_out: frozenset[str]
    ) -> None:
        """Render the selection, leaving out what draws on a held-out recording.

        Raises
        ------
        PoolError
            If the selection's pool is gone, was rebuilt, has other classes or clips of another
            length, or nothing of it may be used.
        """
        selection = self._selection
        pool = selection.open_pool()
        check_pool(pool, config, classes, f"pool {pool.path} of {self._path}")
        usable = {
            recipe.id: recipe
            for recipe in selection.recipes(pool)
            if held_out.isdisjoint(recipe.groups)
        }
        self._recipes = list(usable.values())
        index = {name: i for i, name in enumerate(usable)}
        by_class: defaultdict[str, list[int]] = defaultdict(list)
        for row in selection.rows:
            if row.recipe in index:
                by_class[row.label].append(index[row.recipe])
        self.used = sum(len(rows) for rows in by_class.values())
        self.left_out = len(selection.rows) - self.used
        if not self.used:
            raise PoolError(
                f"{self._path}: none of its {len(selection.rows)} rows may train this fold"
            )
        self._by_class = [np.array(by_class[name]) for name in sorted(by_class)]
        self._config = config
        self._per_step = max(1, round(self._ratio * (config.tp_per_step + config.fp_per_step)))
        self._length = to_samples(config.clip_s, config.sample_rate)
        self._store = ClipStore.open(
            self._cache,
            [(recipe.id, config.sample_rate) for recipe in self._recipes],
            [self._length] * len(self._recipes),
            lambda i: self._recipes[i].render(config.sample_rate),
            lambda total: self._progress("rendering negatives", total),
        )

    def rows(self, step: int) -> list[Row]:
        """The rows added in a step: the same for the same step."""
        rng = np.random.default_rng([self._config.seed, step, _STREAM])
        drawn = []
        for _ in range(self._per_step):
            rows = self._by_class[rng.integers(len(self._by_class))]
            drawn.append(int(rows[rng.integers(len(rows))]))
        return [
            Row(self._store.read(i, 0, self._length), self._recipes[i].labels, RowKind.POOL)
            for i in drawn
        ]

    def transform(self, example: Example, step: int, index: int) -> Example:
        """The row as it is."""
        return example

    def __getstate__(self) -> dict[str, Any]:
        # a progress bar stays in its process
        return {k: v for k, v in vars(self).items() if k != "_progress"}
