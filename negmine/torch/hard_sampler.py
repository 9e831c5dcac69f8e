"""Batches of a trainer's own rows and of hard negatives, in a fixed ratio."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch.distributed
from torch.utils.data import Sampler

from negmine.errors import InputError

# Of random numbers: own rows and hard ones are drawn by generators of their own.
_OWN, _HARD = 0, 1


class HardNegativeBatchSampler(Sampler[list[int]]):
    """Batches of which a share are hard negatives, for ``ConcatDataset([own, hard])``.

    In an epoch each of your own rows comes once, on one rank. A batch has
    ``round(share * batch_size)`` hard negatives, no two the same in the batches of all ranks at a
    step; each comes once before any comes again. What an epoch holds depends on the seed, the
    epoch and the number of ranks alone. Each iteration is the next epoch; `set_epoch` goes to any.

    Parameters
    ----------
    own, hard : int
        Lengths of the two data sets. Indices from ``own`` on are hard negatives.
    batch_size : int
        Of each rank, at most: your own rows are spread evenly over the batches of an epoch, whose
        sizes differ by one at most.
    share : float
        Of hard negatives, in [0, 1).
    seed : int
    rank, world : int, optional
        Of the processes that share an epoch, which this is; by default that of
        ``torch.distributed``, where it is initialised.

    Raises
    ------
    InputError
        If there are fewer rows than ranks, fewer hard negatives than a step takes, or a value is
        out of range.

    Examples
    --------
    >>> from negmine.torch import HardNegativeBatchSampler
    >>> sampler = HardNegativeBatchSampler(own=100, hard=30, batch_size=16, share=0.25, seed=1)
    >>> batches = list(sampler)
    >>> len(batches), sum(index >= 100 for index in batches[0])
    (9, 4)
    >>> sorted(index for batch in batches for index in batch if index < 100) == list(range(100))
    True
    """

    def __init__(
        self,
        own: int,
        hard: int,
        batch_size: int,
        share: float = 0.25,
        seed: int = 0,
        rank: int | None = None,
        world: int | None = None,
    ) -> None:
        if not 0 <= share < 1:
            raise InputError(f"share {share:g} is outside [0, 1)")
        if (rank is None) != (world is None):
            raise InputError("give both rank and world, or neither")
        self._given = None if rank is None or world is None else (rank, world)
        # at least one of each
        self._hard_rows = min(max(1, round(share * batch_size)), batch_size - 1) if share else 0
        self._own_rows = batch_size - self._hard_rows
        if batch_size < 1 or self._own_rows < 1 or (share and not self._hard_rows):
            raise InputError(f"batch_size {batch_size} holds no row of each kind")
        self._own, self._hard, self._seed = own, hard, seed
        self.epoch = 0
        self._ranks()

    def _ranks(self) -> tuple[int, int]:
        """Return rank and world, checked."""
        rank, world = self._given or (0, 1)
        shared = torch.distributed.is_available() and torch.distributed.is_initialized()
        if self._given is None and shared:
            rank, world = torch.distributed.get_rank(), torch.distributed.get_world_size()
        if not 0 <= rank < world:
            raise InputError(f"rank {rank} is outside [0, {world})")
        if self._own < world:
            raise InputError(f"{self._own} rows for {world} ranks: some would have none")
        if self._hard < (needed := world * self._hard_rows):
            raise InputError(
                f"{self._hard} hard negatives, and a step takes {needed}; choose a smaller share"
            )
        return rank, world

    def __len__(self) -> int:
        _, world = self._ranks()
        most = -(-self._own // world)  # of a rank
        return -(-most // self._own_rows)

    def set_epoch(self, epoch: int) -> None:
        """Choose the epoch that the next iteration is."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[list[int]]:
        rank, world = self._ranks()
        epoch, self.epoch = self.epoch, self.epoch + 1
        rng = np.random.default_rng([self._seed, epoch, _OWN])
        own = np.array_split(rng.permutation(self._own)[rank::world], len(self))
        hard = self._hard_steps(epoch, world)
        for rows in own:
            mine = next(hard)[rank * self._hard_rows :][: self._hard_rows]
            yield [*rows.tolist(), *(self._own + row for row in mine)]

    def _hard_steps(self, epoch: int, world: int) -> Iterator[list[int]]:
        """Yield the hard negatives of each step, those of all ranks, no two the same."""
        rng = np.random.default_rng([self._seed, epoch, _HARD])
        needed, left = world * self._hard_rows, list[int]()
        while True:
            if len(left) < needed:
                again = set(left)
                order = rng.permutation(self._hard).tolist()
                # what is left of the last round comes first, and not twice in a step
                left += sorted(order, key=lambda row: row in again)
            step, left = left[:needed], left[needed:]
            yield step
