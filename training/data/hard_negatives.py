"""The plug-in behind ``--hard-negatives``: mined clips added to each step, and mixed into its rows.

As rows they are known zeros; why and how they are mixed says `training.data.mixed_in`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from negmine.errors import PoolError
from negmine.mining.selection import open_selection
from negmine.progress import Progress, no_progress
from training.config import TrainConfig
from training.data.mixed_in import MixedIn
from training.data.pool_rows import PoolRows, check_pool
from training.data.rows import Example, Row
from training.data.settings import HardUse
from training.data.streams import Stream


class HardNegatives:
    """Rows of a selection, classes evenly, as many a step as a share of the trainer's own.

    A row's zeros are its certificates, all of them, each weighted by its confidence.

    Parameters
    ----------
    path : Path
        A selection written by ``negmine mine``.
    use : HardUse
    cache : Path
        Folder for the rendered clips.
    progress : Progress
        Of the rendering.
    pool : Path, optional
        Where the selection's pool is now.
    on_unmixed : callable
        Given the classes that no negative is free of, if there are any and rows are mixed.
    """

    def __init__(
        self,
        path: Path,
        use: HardUse,
        cache: Path,
        progress: Progress = no_progress,
        *,
        pool: Path | None = None,
        on_unmixed: Callable[[list[str]], object] = lambda names: None,
    ) -> None:
        self._path = path
        self._use = use
        self._cache = cache
        self._progress = progress
        self._selection = open_selection(path, pool)
        self._on_unmixed = on_unmixed
        self.description = f"hard negatives {self._selection.digest} at {use.ratio:g}"
        if use.own:
            self.description += ", own cells"
        if use.mix:
            low, high = use.mix_snr_db
            self.description += f", mixed into {use.mix:g} at {low:g} to {high:g} dB"
            self.description += f" by {use.mix_by}"
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
            recipe.id: recipe for recipe in selection.recipes(pool) if not recipe.draws_on(held_out)
        }
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
        self._config = config
        self._per_step = max(1, round(self._use.ratio * (config.tp_per_step + config.fp_per_step)))
        self._rows = PoolRows(
            list(usable.values()), by_class, classes, config, self._cache, pool.path, self._progress
        )
        use = self._use
        self._mixed = MixedIn(
            self._rows, classes, use.mix, use.mix_snr_db, config.seed, Stream.HARD_MIX
        )
        if use.mix and self._mixed.unmixed:
            self._on_unmixed(list(self._mixed.unmixed))

    def rows(self, step: int) -> list[Row]:
        """Return the rows added in a step: the same for the same step."""
        rng = np.random.default_rng([self._config.seed, step, Stream.HARD_ROWS])
        every = np.arange(len(self._rows.names))
        drawn = [self._rows.draw(rng, every) for _ in range(self._per_step)]
        return [self._rows.row(i, place if self._use.own else None) for i, place in drawn]

    def transform(self, example: Example, step: int, index: int) -> Example:
        """Mix a negative into a row of the step, or not: the same for the same row."""
        return self._mixed.transform(example, step, index, self._use.mix_by)

    def __getstate__(self) -> dict[str, Any]:
        # what talks to the terminal stays in its process
        return {k: v for k, v in vars(self).items() if k not in ("_progress", "_on_unmixed")}
