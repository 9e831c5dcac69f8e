"""Certified negatives of a pool that validate: of held-out recordings, which train nothing."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from pathlib import Path

import numpy as np

from negmine.arrays import FloatSamples
from negmine.audio.windows import to_samples
from negmine.errors import PoolError
from negmine.notices import warn
from negmine.pool import open_pool
from negmine.progress import Progress, no_progress
from negmine.recipes.cache_items import cache_clips
from training.config import TrainConfig
from training.data.pool_rows import check_pool
from training.data.streams import Stream

# What is scored after every epoch, at most.
MOST_HOURS = 1.0


class HeldOutNegatives:
    """Rows of a pool that draw on held-out recordings, and on no other annotated one.

    Scenes are left out: they are made of calls.

    Parameters
    ----------
    path : Path
        The pool.

    Attributes
    ----------
    description : str
        What a run that validates with them can only be continued with.
    absent : bool array, shape (N, C)
        Once prepared: which classes each row is certified free of.
    clip_s : float
        Length of a row.
    """

    def __init__(self, path: Path) -> None:
        self._pool = open_pool(path)
        self.description = f"pool {self._pool.digest}"
        self.clip_s = self._pool.clip_s

    def prepare(
        self,
        config: TrainConfig,
        classes: Sequence[str],
        recordings: Collection[str],
        held_out: frozenset[str],
        cache: Path,
        progress: Progress = no_progress,
    ) -> None:
        """Choose the rows, at most an hour of them, and render them.

        Parameters
        ----------
        config : TrainConfig
        classes : sequence of str
        recordings : collection of str
            All annotated ones.
        held_out : frozenset of str
        cache : Path
            Folder of decoded sound, where they are rendered into.
        progress : Progress
            Of the rendering.

        Raises
        ------
        PoolError
            If the pool has other classes or clips of another length or rate, or no such row.
        """
        pool, rate = self._pool, config.sample_rate
        check_pool(pool, config, classes, f"pool {pool.path}")
        table = pool.recipes
        others = frozenset(recordings) - held_out
        among = np.flatnonzero(
            table.draws_on(held_out) & ~table.draws_on(others) & ~table.of_kind("scene")
        )
        if not len(among):
            raise PoolError(
                f"pool {pool.path}: no negative is of the {len(held_out)} held-out recordings "
                "alone, so none validates; build the pool with --fp, or leave --select-negatives "
                "out"
            )
        most = int(MOST_HOURS * 3600 / config.clip_s)
        if len(among) > most:
            warn(
                f"pool {pool.path}: a sample of {most:,} of its {len(among):,} held-out rows "
                "validates"
            )
            rng = np.random.default_rng([config.seed, Stream.HELD_OUT])
            among = np.sort(rng.choice(among, most, replace=False))
        recipes = list(table[among])
        self.absent = np.array([[name in one.labels.absent for name in classes] for one in recipes])
        self._length = to_samples(config.clip_s, rate)
        self._clips = cache_clips(cache, recipes, rate, pool.path / "cache", progress)

    def __len__(self) -> int:
        return len(self.absent)

    def clips(self) -> Iterator[FloatSamples]:
        """Yield the samples of each row: float32 array, shape (T,)."""
        for index in range(len(self)):
            yield self._clips.read(index, 0, self._length)
