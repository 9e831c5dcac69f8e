"""The steps of a run: its own rows, those of plug-ins, and how they are read ahead."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from typing import Protocol

import numpy as np
from torch.utils.data import DataLoader, Dataset

from training.config import TrainConfig
from training.data.box_rows import Draw
from training.data.mixup import mix
from training.data.rows import Batch, Example, Row, RowKind, make_example, stack
from training.data.streams import Stream


class OwnRows(Protocol):
    """The trainer's own rows: what a step has without any plug-in.

    Attributes
    ----------
    classes : tuple of str
        In the order of the model's outputs.
    """

    @property
    def classes(self) -> tuple[str, ...]: ...

    def draw(self, step: int) -> Sequence[Draw]:
        """Draw the rows of a step: the same for the same step."""

    def row(self, draw: Draw) -> Row:
        """Draw a row."""

    def bands(self) -> Mapping[str, tuple[float, float]]:
        """Return lowest and highest frequency of each class's calls, in Hz."""


class RowSource(Protocol):
    """A plug-in of the trainer: rows that are added to each step, never swapped in.

    It must draw from its own generators, seeded by the step, so that the trainer's own rows are the
    same with it and without; and it must bear being sent to another process once prepared.
    """

    @property
    def description(self) -> str:
        """What a run with it can only be continued with."""

    def prepare(
        self, config: TrainConfig, classes: Sequence[str], held_out: frozenset[str]
    ) -> None:
        """Prepare once before the first step; receives the recordings that must not train."""

    def rows(self, step: int) -> Sequence[Row]:
        """Return the rows added in a step."""

    def transform(self, example: Example, step: int, index: int) -> Example:
        """Transform a row of the step, its own or an added one, by its number in the step."""


@dataclass(frozen=True)
class Step:
    """What a step trains on.

    Attributes
    ----------
    own : int
        Number of rows, the first ones, that are the trainer's own; those of plug-ins follow.
    """

    batch: Batch
    own: int


class StepDataset(Dataset[Step]):
    """The steps of a run, by number: each the same in any order and in any process.

    Parameters
    ----------
    plugins : sequence of RowSource
        Prepared.
    rank, world : int
        Of several processes that share a step's rows, this one gets every ``world``-th.
    bands : mapping of str to (float, float), optional
        Lowest and highest frequency of each class's calls, in Hz: where a call may be shifted to.
        Those of the rows by default.
    """

    def __init__(
        self,
        rows: OwnRows,
        plugins: Sequence[RowSource],
        config: TrainConfig,
        rank: int = 0,
        world: int = 1,
        bands: Mapping[str, tuple[float, float]] | None = None,
    ) -> None:
        self._rows = rows
        self._plugins = plugins
        self._config = config
        self._rank, self._world = rank, world
        self._augment: Callable[[Row, np.random.Generator], Row] | None = None
        if config.augment.changes_sound:
            # takes a second to import
            from training.data.augment import Augmenter

            bands = bands or rows.bands()
            self._augment = Augmenter(config.augment, config.sample_rate, bands)

    def __len__(self) -> int:
        return self._config.total_steps

    def __getitem__(self, step: int) -> Step:
        step += self._config.first_draw
        drawn = self._rows.draw(step)
        of_kind = {k: [i for i, d in enumerate(drawn) if d.kind is k] for k in RowKind}
        # to a rejection of a single class a call would add that class: no zero would ever be mixed
        one = len(self._rows.classes) == 1
        partners = [of_kind[draw.kind if one else RowKind.TP] for draw in drawn]
        examples = self._mixed([partial(self._rows.row, draw) for draw in drawn], partners, step, 0)
        own, first = len(examples), len(drawn)
        for plugin in self._plugins:
            rows = plugin.rows(step)
            whole = [partial(_same, row) for row in rows]
            examples += self._mixed(whole, [range(len(rows))] * len(rows), step, first)
            first += len(rows)
        return Step(stack(examples), own)

    def _mixed(
        self,
        rows: Sequence[Callable[[], Row]],
        partners: Sequence[Sequence[int]],
        step: int,
        first: int,
    ) -> list[Example]:
        """Make this rank's share of some rows: changed, and mixed with what is added.

        Parameters
        ----------
        rows : sequence of callable
            Each gives a row; those that this rank does not need are never made.
        partners : sequence of sequence of int
            For each row, those that mixup may add to it.
        first : int
            The first one's number in the step; its draws are seeded by it.
        """
        config = self._config

        @cache
        def example(index: int) -> Example:
            row = rows[index]()
            if self._augment:
                rng = np.random.default_rng([config.seed, step, Stream.AUGMENT, first + index])
                row = self._augment(row, rng)
            return make_example(row, self._rows.classes, config.pseudo_weight)

        found = []
        for index in range(self._rank, len(rows), self._world):
            result = example(index)
            for plugin in self._plugins:
                result = plugin.transform(result, step, first + index)
            rng = np.random.default_rng([config.seed, step, Stream.MIXUP, first + index])
            others = [i for i in partners[index] if i != index]
            if rng.random() < config.augment.mixup and others:
                other = example(others[rng.integers(len(others))])
                result = mix(result, other, rng.uniform(*config.augment.mixup_snr_db))
            found.append(result)
        return found


def _same(row: Row) -> Row:
    return row


def step_loader(dataset: StepDataset, first: int, workers: int) -> Iterator[Step]:
    """Yield the steps from the ``first`` to the last, in order, prepared in some processes.

    The number of processes changes no bit of them.
    """
    loader = DataLoader(
        dataset,
        batch_size=None,
        sampler=range(first, len(dataset)),
        num_workers=workers,
        worker_init_fn=_leave_interrupts_to_the_trainer,
    )
    return iter(loader)


def _leave_interrupts_to_the_trainer(worker: int) -> None:
    # Ctrl-C reaches every process of the terminal, and what 'timeout' sends every one of the group;
    # the trainer saves, then ends its workers
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    if sys.platform == "linux":
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
        threading.Thread(target=_end_by_the_trainer, daemon=True).start()


def _end_by_the_trainer() -> None:
    """Wait for the SIGTERM that comes from the trainer itself: it ends its workers by one."""
    if sys.platform == "linux":
        while signal.sigwaitinfo([signal.SIGTERM]).si_pid != os.getppid():
            pass
        os._exit(0)
