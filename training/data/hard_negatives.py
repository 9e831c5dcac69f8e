"""The plug-in behind ``--hard-negatives``: mined clips added to each step, and mixed into its rows.

As rows they are known zeros. A row of zeros has no pair to rank, so a ranking loss learns nothing
from it: mixed into a confirmed call, a negative is what the call is to be ranked above.
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
from training.data.mixup import mix
from training.data.pool_rows import PoolRows, check_pool
from training.data.rows import Example, Row, RowKind, make_example
from training.data.settings import HardUse, MixBy
from training.data.streams import Stream


class HardNegatives:
    """Rows of a selection, classes evenly, as many a step as a share of the trainer's own.

    A row's zeros are its certificates, all of them, each weighted by its confidence. Rows of all
    kinds have negatives mixed into them with the same chance, or the network would learn that what
    is mixed is a call. So which class a negative fooled is a preference: where the selection has
    none such for a row, another joins it. Two rules are strict. A row that is certified free of
    classes gets a negative that is free of one of them, so that a known zero stays. And a class
    that no negative is free of has no mixed zeros, so rows in which it calls are not mixed either.

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
        self._classes = tuple(classes)
        certified = set().union(*(labels.absent for labels in {r.labels for r in self._recipes}))
        self._free = np.array([name in certified for name in classes])
        if self._use.mix and not self._free.all():
            self._on_unmixed([n for n in classes if n not in certified])
        self._free_rows: dict[int, np.ndarray] = {}
        self._config = config
        self._per_step = max(1, round(self._use.ratio * (config.tp_per_step + config.fp_per_step)))
        self._rows = PoolRows(
            self._recipes, by_class, classes, config, self._cache, pool.path, self._progress
        )

    def rows(self, step: int) -> list[Row]:
        """Return the rows added in a step: the same for the same step."""
        rng = np.random.default_rng([self._config.seed, step, Stream.HARD_ROWS])
        every = np.arange(len(self._rows.names))
        drawn = [self._rows.draw(rng, every) for _ in range(self._per_step)]
        return [self._rows.row(i, place if self._use.own else None) for i, place in drawn]

    def transform(self, example: Example, step: int, index: int) -> Example:
        """Mix a negative into a row of the step, or not: the same for the same row."""
        use = self._use
        if not use.mix:
            return example
        rng = np.random.default_rng([self._config.seed, step, Stream.HARD_MIX, index])
        if rng.random() >= use.mix:
            return example
        partner = self._partner(example, use.mix_by, rng)
        if partner is None:
            return example
        negative = make_example(self._rows.row(partner), self._classes)
        return mix(example, negative, rng.uniform(*use.mix_snr_db))

    def _partner(self, example: Example, by: MixBy, rng: np.random.Generator) -> int | None:
        """Draw the negative that joins a row, by its place in `_recipes`; None if none may."""
        cells = example.cells
        present = cells.known & (cells.targets == 1)
        absent = cells.known & (cells.targets == 0)
        if present[~self._free].any():
            return None
        any_class = np.ones_like(present)
        certified = example.kind is not RowKind.TP and bool(absent.any())
        if certified:
            preferred = [absent]
        elif example.kind is RowKind.TP and by != "any":
            preferred = [present, any_class] if by == "own" else [~present, any_class]
        else:
            preferred = [any_class]
        for mask in preferred:
            places = np.flatnonzero(mask[self._rows.columns])
            if len(places):
                return self._rows.draw(rng, places)[0]
        # nothing fooled a class that this row is free of; but what fooled another may be free of it
        columns = np.flatnonzero(absent & self._free)
        if not len(columns):
            return None
        rows = self._free_of(int(columns[rng.integers(len(columns))]))
        return int(rows[rng.integers(len(rows))])

    def _free_of(self, column: int) -> np.ndarray:
        """Return the recipes that are certified free of a class: places in `_recipes`."""
        if column not in self._free_rows:
            name = self._classes[column]
            found = [i for i, recipe in enumerate(self._recipes) if name in recipe.labels.absent]
            self._free_rows[column] = np.array(found)
        return self._free_rows[column]

    def __getstate__(self) -> dict[str, Any]:
        # what talks to the terminal stays in its process
        return {k: v for k, v in vars(self).items() if k not in ("_progress", "_on_unmixed")}
