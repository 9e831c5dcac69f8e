"""What a source of negatives is given when a pool is built, and how one is written.

A source is a module ``negmine/building/sources/NAME.py`` with one function::

    def rows(context: BuildContext, settings: NameSettings) -> Iterator[Recipe | Recipes]

``NAME`` is its section of pool.toml and the kind of its recipes. ``NameSettings`` is a
`negmine.building.general.SourceSettings` in `negmine.building.settings`, which the command line
reads without what ``rows`` imports. It says, too, which of its settings an audit corrects, and
whether other sources may draw on its rows. The source is registered by one line: the field ``NAME``
of `negmine.building.settings.PoolSettings`, after the sources that it draws on. The order of the
build, flags, ``--help``, pool.toml, what an audit corrects and the tests of all sources follow from
it.

Tell of it in ``docs/pool.md`` and in the drawing of ``docs/design.md``, and run ``make docs``.

A source is off by default: it returns where its settings ask for nothing. Sources run in order,
each once. What one yields is in ``context.certified`` when the next one runs, so that mixing,
erasing and transplanting draw on what is certified by then.

A recipe can say what `negmine.recipes.layer.OPS` names: add and insert spans, erase and exchange
bands. Sound changed in another way (reversed, filtered) needs a new kind of layer first.

Few rows may be yielded as recipes. Where there may be hundreds of thousands, yield tables: number
sources and label sets once, in ``context.dictionaries``, then make arrays::

    d = context.dictionaries
    number, label = d.sources.number(source), d.labels.number(labels)
    yield Recipes.plain(d, "external", np.full(n, number), starts_s, np.full(n, label))

`Recipes.mixed` adds rows together, `Recipes.changed` changes rows of one component; both take the
kind, which is that of the source. What changes
``context.certified`` mostly takes its ``plain_rows``: whole spans, unchanged. A row claims absent
only what is certified of all that is heard in it. A class that was present, and may be heard no
more, becomes unknown: make a label set without it.

Draw from ``context.rng(NAME)`` alone: a source then draws the same whatever the others do. Count
what is left out in ``context.left_out``, by file where it is of one. Rows that draw on held-out
recordings are dropped by the builder, but a source that chooses partners does better to choose
among those that are not: ``context.certified`` holds none. The builder drops clips of one silent
span, too. Silent components of a mix, and spans of which a change leaves only silence, are for the
source to leave out (``context.audible``, ``context.levels``).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from negmine.annotations import Annotations
from negmine.annotations.rates import own_rate
from negmine.annotations.recordings import Recordings
from negmine.arrays import BoolEntries, BoolRows
from negmine.audio.levels import Levels
from negmine.building.settings import PoolSettings
from negmine.building.sources.annotated import annotated_clips
from negmine.building.sources.left_out import LeftOut
from negmine.models.scorer import Scorer
from negmine.pool.audible import silent_uses
from negmine.recipes.dictionaries import Dictionaries
from negmine.recipes.recipe import Recipe, Recipes, join_recipes


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
    held_out : frozenset of str
        Fingerprints of the files that must not enter the pool in any form.
    left_out : LeftOut
        Clips left out, by reason, and of which files.
    blocks : list of Recipes
        What the sources so far have yielded.
    calls : list of Recipes
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
    held_out: frozenset[str] = frozenset()
    left_out: LeftOut = field(default_factory=LeftOut)
    blocks: list[Recipes] = field(default_factory=list)
    calls: list[Recipes] = field(default_factory=list)
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

    def confirmed_clips(self, placements: int = 1) -> Iterator[Recipe]:
        """Yield so many clips of each confirmed call, labelled as the settings of ``fp`` say."""
        return annotated_clips(
            self.annotations,
            self.recordings,
            present=True,
            clip_s=self.settings.clip_s,
            sample_rate=self.sample_rate,
            beyond_per_s=self.settings.fp.beyond_per_s,
            placements=placements,
        )

    def rng(self, name: str) -> np.random.Generator:
        """Make the generator of one source: its draws depend on the seed and its name alone."""
        return np.random.default_rng([self.settings.seed, *name.encode()])

    @cached_property
    def dictionaries(self) -> Dictionaries:
        """What the rows of all sources name by number."""
        return Dictionaries(self.settings.clip_s, self.sample_rate)

    @property
    def certified(self) -> Recipes:
        """All rows that the sources so far have yielded, as one table."""
        return join_recipes([Recipes.empty(self.dictionaries), *self.blocks])

    @cached_property
    def levels(self) -> Levels:
        """Levels of all sound files that were opened."""
        opened = [self.recordings, *(folder.opened for folder in self.external)]
        opened += [self.unlabelled] if self.unlabelled else []
        return Levels(info for one in opened for info in one.infos.values())

    def audible(self, recipes: Recipes) -> BoolRows:
        """Return rows without a silent component: bool, (n,). A ratio to silence is undefined."""
        return ~recipes.uses.reduce(np.logical_or, self.silent_uses(recipes))

    def silent_uses(self, recipes: Recipes) -> BoolEntries:
        """Return components that are silent: bool, shape (u,)."""
        known, sources = self._files, self.dictionaries.sources
        known += [self.levels.file_of(sources[n].path) for n in range(len(known), len(sources))]
        return silent_uses(recipes, self.levels, np.array(known, dtype=np.int64))

    def held_out_rows(self, recipes: Recipes) -> BoolRows:
        """Return rows that draw on a source that is held out: bool, shape (n,)."""
        sources = self.dictionaries.sources
        return recipes.any_source(
            np.array([*(one.fingerprint in self.held_out for one in sources), False], dtype=bool)
        )
