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

from negmine.audio.windows import to_samples
from negmine.errors import PoolError
from negmine.mining.selection import open_selection
from negmine.pool import Pool, check_classes
from negmine.progress import Progress, no_progress
from negmine.recipes.render import RENDERING
from training.config import HardMix, MixBy, TrainConfig
from training.data.clips import ClipStore
from training.data.mixup import mix
from training.data.rows import Example, Row, RowKind, make_example
from training.data.streams import Stream


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
    ratio : float
        Added rows as a share of the trainer's own rows in a step.
    cache : Path
        Folder for the rendered clips.
    progress : Progress
        Of the rendering.
    pool : Path, optional
        Where the selection's pool is now.
    mix : HardMix, optional
        What is mixed into the step's rows. None: nothing.
    on_unmixed : callable
        Given the classes that no negative is free of, if there are any and rows are mixed.
    """

    def __init__(
        self,
        path: Path,
        ratio: float,
        cache: Path,
        progress: Progress = no_progress,
        mix: HardMix | None = None,
        *,
        pool: Path | None = None,
        on_unmixed: Callable[[list[str]], object] = lambda names: None,
    ) -> None:
        self._path = path
        self._mix = mix if mix and mix.share else None
        self._ratio = ratio
        self._cache = cache
        self._progress = progress
        self._selection = open_selection(path, pool)
        self._on_unmixed = on_unmixed
        self.description = f"hard negatives {self._selection.digest} at {ratio:g}"
        if self._mix:
            low, high = self._mix.snr_db
            self.description += (
                f", mixed into {self._mix.share:g} at {low:g} to {high:g} dB by {self._mix.by}"
            )
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
        self._by_class = [np.array(by_class[name]) for name in sorted(by_class)]
        self._counts = np.array([len(rows) for rows in self._by_class])
        self._classes = tuple(classes)
        # the model's output of each class that has negatives
        self._columns = np.array([self._classes.index(name) for name in sorted(by_class)])
        certified = set().union(*(labels.absent for labels in {r.labels for r in self._recipes}))
        self._free = np.array([name in certified for name in classes])
        if self._mix and not self._free.all():
            self._on_unmixed([n for n in classes if n not in certified])
        self._free_rows: dict[int, np.ndarray] = {}
        self._config = config
        self._per_step = max(1, round(self._ratio * (config.tp_per_step + config.fp_per_step)))
        self._length = to_samples(config.clip_s, config.sample_rate)
        self._store = ClipStore.open(
            self._cache,
            [(recipe.id, config.sample_rate, RENDERING) for recipe in self._recipes],
            [self._length] * len(self._recipes),
            lambda i: self._recipes[i].render(config.sample_rate),
            self._progress,
            "rendering negatives",
        )

    def rows(self, step: int) -> list[Row]:
        """Return the rows added in a step: the same for the same step."""
        rng = np.random.default_rng([self._config.seed, step, Stream.HARD_ROWS])
        every = np.arange(len(self._by_class))
        return [self._row(self._draw(rng, every)) for _ in range(self._per_step)]

    def transform(self, example: Example, step: int, index: int) -> Example:
        """Mix a negative into a row of the step, or not: the same for the same row."""
        if not self._mix:
            return example
        rng = np.random.default_rng([self._config.seed, step, Stream.HARD_MIX, index])
        if rng.random() >= self._mix.share:
            return example
        partner = self._partner(example, self._mix.by, rng)
        if partner is None:
            return example
        negative = self._row(partner)
        return mix(example, make_example(negative, self._classes), rng.uniform(*self._mix.snr_db))

    def _draw(self, rng: np.random.Generator, places: np.ndarray) -> int:
        """Draw a row of some classes, each as likely: a class's share is its budget."""
        upto = self._counts[places].cumsum()
        drawn = int(rng.integers(upto[-1]))
        place = int(upto.searchsorted(drawn, side="right"))
        return int(self._by_class[places[place]][drawn - upto[place]])

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
            places = np.flatnonzero(mask[self._columns])
            if len(places):
                return self._draw(rng, places)
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

    def _row(self, index: int) -> Row:
        waveform = self._store.read(index, 0, self._length)
        return Row(waveform, self._recipes[index].labels, RowKind.POOL)

    def __getstate__(self) -> dict[str, Any]:
        # what talks to the terminal stays in its process
        return {k: v for k, v in vars(self).items() if k not in ("_progress", "_on_unmixed")}
