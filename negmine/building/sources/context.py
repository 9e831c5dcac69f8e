"""What a source of negatives is given when a pool is built, and how one is written.

A source is a module ``negmine/sources/NAME.py`` named in `negmine.building.sources.ORDER`, with one
function::

    def rows(context: BuildContext, settings: NameSettings) -> Iterator[Recipe | RecipeBlock]

``NAME`` is its section of pool.toml, the field of `PoolSettings`, and as a rule the kind of its
recipes. Sources run in order, each once. What one yields is in ``context.certified`` when the
next one runs, so that mixing, erasing and transplanting draw on what is certified by then.

Few rows may be yielded as recipes. Where there may be hundreds of thousands, yield blocks: number
sources and label sets once, in ``context.tables``, then make arrays::

    number = context.tables.sources.number(source)
    label = context.tables.labels.number(labels)
    yield plain_block("external", np.full(n, number), starts_s, np.full(n, label))

`negmine.pool.blocks.mixed_block` adds rows together; `RecipeBlock.take` picks some. Draw from
``context.rng(NAME)`` alone: a source then draws the same whatever the others do. Count what is left
out in ``context.left_out``, by file where it is of one. Rows that draw on held-out recordings are
dropped by the builder, but a source that chooses partners does better to choose among those that
are not: ``context.certified`` holds none.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from negmine.annotations import Annotations
from negmine.annotations.rates import own_rate
from negmine.annotations.recordings import Recordings
from negmine.building.settings import PoolSettings
from negmine.building.sources.left_out import LeftOut
from negmine.models.scorer import Scorer
from negmine.pool.blocks import RecipeBlock, Tables, empty_block, join_blocks
from negmine.pool.levels import Levels, silent_layers
from negmine.pool.ragged import offsets
from negmine.recipes.labels import PartialLabels


@dataclass(frozen=True)
class DeclaredFolder:
    """A folder of other sound, and what the user declares it free of.

    Attributes
    ----------
    opened : Recordings
    absent : mapping of str to tuple of str
        By recording: the classes it cannot contain. Recordings declared alike share one tuple;
        those that are not declared are not there.
    """

    opened: Recordings
    absent: Mapping[str, tuple[str, ...]]


def no_progress(what: str, total: int, unit: str = "file") -> Callable[..., object]:
    """Show nothing."""
    return lambda *counted: None


@dataclass
class BuildContext:
    """What sources draw on.

    Attributes
    ----------
    annotations : Annotations
        Confirmed calls and rejected detections.
    recordings : Recordings
        The annotated ones, decoded once.
    external : tuple of DeclaredFolder
    settings : PoolSettings
        ``clip_s``, ``sample_rate``, and every source's section.
    tables : Tables
        Numbers of sources and label sets, for blocks.
    held_out : frozenset of str
        Fingerprints of the files that must not enter the pool in any form.
    left_out : LeftOut
        Clips left out, by reason, and of which files.
    blocks : list of RecipeBlock
        What the sources so far have yielded.
    calls : list of RecipeBlock
        The confirmed calls: what erasing and transplanting change, never negatives as they are.
    unlabelled : Recordings or None
    scorers : tuple of Scorer
        The models of ``agreed``, where they are open already.
    progress : callable
        Given a title and a number of steps, returns what to call after each.
    """

    annotations: Annotations
    recordings: Recordings
    external: tuple[DeclaredFolder, ...] = ()
    settings: PoolSettings = field(default_factory=PoolSettings)
    tables: Tables = field(default_factory=Tables)
    held_out: frozenset[str] = frozenset()
    left_out: LeftOut = field(default_factory=LeftOut)
    blocks: list[RecipeBlock] = field(default_factory=list)
    calls: list[RecipeBlock] = field(default_factory=list)
    unlabelled: Recordings | None = None
    scorers: tuple[Scorer, ...] = ()
    progress: Callable[..., Callable[..., object]] = no_progress

    def __post_init__(self) -> None:
        self._files: list[int] = []

    @property
    def classes(self) -> tuple[str, ...]:
        return self.annotations.classes

    @property
    def sample_rate(self) -> int:
        """Hz: the recordings' own, where the settings name none."""
        return self.settings.sample_rate or own_rate(self.recordings.infos.values())

    def rng(self, name: str) -> np.random.Generator:
        """Make the generator of one source: its draws depend on the seed and its name alone."""
        return np.random.default_rng([self.settings.seed, *name.encode()])

    @property
    def certified(self) -> RecipeBlock:
        """All rows that the sources so far have yielded, as one block."""
        return join_blocks([empty_block("certified"), *self.blocks], "certified")

    @cached_property
    def levels(self) -> Levels:
        """Levels of all sound files that were opened."""
        opened = [self.recordings, *(folder.opened for folder in self.external)]
        opened += [self.unlabelled] if self.unlabelled else []
        return Levels(info for one in opened for info in one.infos.values())

    def audible(self, block: RecipeBlock) -> np.ndarray:
        """Return rows without a silent component: bool, (n,). A ratio to silence is undefined."""
        silent = self.silent_layers(block)
        rows = np.repeat(np.arange(len(block)), block.layer_counts)
        return np.asarray(np.bincount(rows[silent], minlength=len(block)) == 0)

    def silent_layers(self, block: RecipeBlock) -> np.ndarray:
        """Return layers that add silence: bool, shape (m,)."""
        known = self._files
        for source in self.tables.sources.items[len(known) :]:
            known.append(self.levels.file_of(source))
        return silent_layers(block, self.levels, np.array([*known, -1]), self.settings.clip_s)

    def held_out_rows(self, block: RecipeBlock) -> np.ndarray:
        """Return rows that draw on a source that is held out: bool, shape (n,)."""
        sources = self.tables.sources.items
        held = np.array([*(one.fingerprint in self.held_out for one in sources), False], dtype=bool)
        rows = np.repeat(np.arange(len(block)), block.layer_counts)
        return np.bincount(rows[held[block.source]], minlength=len(block)) > 0

    def absent(self, block: RecipeBlock, name: str) -> np.ndarray:
        """Return confidence that each row lacks a class, 0 if not certified: float64, (n,)."""
        per_set = np.array([confidence_of(labels, name) for labels in self.tables.labels.items])
        return np.multiply.reduceat(per_set[block.label], offsets(block.label_counts)[:-1])


def confidence_of(labels: PartialLabels, name: str) -> float:
    """Return confidence that labels certify a class absent; 0 where they do not."""
    absence = labels.absent.get(name)
    return 0.0 if absence is None else absence.confidence
