"""The plug-ins behind ``--scenes`` and ``--negatives``: rows of a pool, drawn at random."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from negmine.errors import PoolError
from negmine.notices import warn
from negmine.pool import Pool
from negmine.progress import Progress, no_progress
from negmine.recipes.recipe import Recipe
from training.config import TrainConfig
from training.data.mixed_in import MixedIn
from training.data.pool_rows import PoolRows, check_pool
from training.data.rows import Example, Row
from training.data.settings import SAMPLES
from training.data.streams import Stream

# What talks to the terminal stays in its process, and a pool is read once.
_OF_THIS_PROCESS = ("_progress", "_on_elsewhere", "_on_unmixed", "_pool")

What = Literal["scenes", "negatives"]

# Rows of a pool that a run renders: what more of them adds is small, what they take on disk is not.
MOST_SAMPLED = 4000

_STREAMS = {"scenes": Stream.SCENES, "negatives": Stream.NEGATIVES}
_MISSING = {
    "scenes": "holds no scene; build it with --scenes",
    "negatives": "holds no certified negative",
}


class SampledRows:
    """Scenes of a pool, or its certified negatives, as many a step as a share of other rows.

    Each row is as its labels say, whole. Classes are drawn evenly: of scenes those that call, of
    negatives those that are certified absent. Negatives can also be mixed into the step's rows, as
    `training.data.mixed_in.MixedIn` does.

    Parameters
    ----------
    pool : Pool
    what : {"scenes", "negatives"}
    ratio : float
        Rows in a step: of scenes, as a share of the TP rows; of negatives, of TP and FP rows.
    cache : Path
        Folder for the rendered clips.
    progress : Progress
        Of the rendering.
    recordings : collection of str
        The annotated recordings.
    mix : float
        Share of all rows that get a negative mixed in.
    mix_snr_db : (float, float)
    on_elsewhere : callable
        Given the number of rows, if none of them is of these recordings.
    on_unmixed : callable
        Given the classes that no negative is free of, if there are any and rows are mixed.
    """

    def __init__(
        self,
        pool: Pool,
        what: What,
        ratio: float,
        cache: Path,
        progress: Progress = no_progress,
        *,
        mix: float = 0.0,
        mix_snr_db: tuple[float, float] = SAMPLES.negative_mix_snr_db,
        recordings: Collection[str] = (),
        on_elsewhere: Callable[[int], object] = lambda count: None,
        on_unmixed: Callable[[list[str]], object] = lambda names: None,
    ) -> None:
        self._pool = pool
        self.what: What = what
        self._ratio = ratio
        self._cache = cache
        self._progress = progress
        self._recordings = recordings
        self._on_elsewhere = on_elsewhere
        self._on_unmixed = on_unmixed
        self._mix = mix
        self._mix_snr_db = mix_snr_db
        self.description = f"{what} of pool {self._pool.digest} at {ratio:g}"
        if mix:
            low, high = mix_snr_db
            self.description += f", mixed into {mix:g} at {low:g} to {high:g} dB"
        self.used = 0

    @property
    def recipes(self) -> Sequence[Recipe]:
        """What is drawn from, once prepared."""
        return self._rows.recipes

    def prepare(
        self, config: TrainConfig, classes: Sequence[str], held_out: frozenset[str]
    ) -> None:
        """Draw the rows that the run uses, none from a held-out recording, and render them.

        Raises
        ------
        PoolError
            If the pool has other classes or clips of another length or rate, or no such row.
        """
        pool = self._pool
        check_pool(pool, config, classes, f"pool {pool.path}")
        seed = [config.seed, _STREAMS[self.what]]
        recipes = _sample(pool, self.what, held_out, np.random.default_rng(seed))
        by_class: defaultdict[str, list[int]] = defaultdict(list)
        for place, recipe in enumerate(recipes):
            labels = recipe.labels
            for name in labels.present if self.what == "scenes" else labels.absent:
                by_class[name].append(place)
        if not by_class:
            aside = " outside of what validates" if held_out else ""
            raise PoolError(f"pool {pool.path}: {_MISSING[self.what]}{aside}")
        self.used = len(recipes)
        sources = {name for recipe in recipes for one in recipe.sources for name in one.names}
        if self._recordings and sources.isdisjoint(self._recordings):
            self._on_elsewhere(self.used)
        self._rows = PoolRows(
            recipes, by_class, classes, config, self._cache, pool.path, self._progress
        )
        own = config.tp_per_step + (0 if self.what == "scenes" else config.fp_per_step)
        self._per_step = max(1, round(self._ratio * own))
        self._seed = config.seed
        self._mixed = MixedIn(
            self._rows, classes, self._mix, self._mix_snr_db, config.seed, Stream.NEGATIVE_MIX
        )
        if self._mix and self._mixed.unmixed:
            self._on_unmixed(list(self._mixed.unmixed))

    def rows(self, step: int) -> list[Row]:
        """Return the rows added in a step: the same for the same step."""
        rng = np.random.default_rng([self._seed, step, _STREAMS[self.what]])
        return [self._rows.row(self._rows.draw_evenly(rng)[0]) for _ in range(self._per_step)]

    def transform(self, example: Example, step: int, index: int) -> Example:
        """Mix a negative into a row of the step, or not: the same for the same row."""
        return self._mixed.transform(example, step, index, "any")

    def __getstate__(self) -> dict[str, Any]:
        return {k: v for k, v in vars(self).items() if k not in _OF_THIS_PROCESS}


def _sample(
    pool: Pool, what: What, held_out: frozenset[str], rng: np.random.Generator
) -> list[Recipe]:
    """Draw at most `MOST_SAMPLED` rows of a pool, in its order; say so where there are more."""
    scenes = pool.recipes.of_kind("scene")
    among = np.flatnonzero(
        (scenes if what == "scenes" else ~scenes) & ~pool.recipes.draws_on(held_out)
    )
    if len(among) > MOST_SAMPLED:
        warn(f"pool {pool.path}: a sample of {MOST_SAMPLED:,} of its {len(among):,} {what} trains")
        among = np.sort(rng.choice(among, MOST_SAMPLED, replace=False))
    return list(pool.recipes[among])
