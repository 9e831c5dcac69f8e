"""What recipes as columns name by number: sources, label sets, kinds and clips, each there once."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

import numpy as np

from negmine.arrays import BoolEntries, BoolRows, BoolSets, IntEntries, KeySets
from negmine.recipes.columns import (
    CHANGE,
    CLIP,
    Columns,
    Lists,
    empty,
    join,
    join_lists,
    take,
)
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import OPS
from negmine.recipes.source import Source

Item = TypeVar("Item", bound=Hashable)

# Mixes of label sets that are kept made: they may hold 10,000 classes each.
_MIXES_KEPT = 4096


class Numbered(Generic[Item]):
    """Distinct things, numbered in the order in which they came.

    Parameters
    ----------
    items : sequence
        The first of them; made into objects as late as it makes its own.
    """

    def __init__(self, items: Sequence[Item] = ()) -> None:
        self._first, self._given = items, len(items)
        self._more: list[Item] = []
        self._numbers: dict[Item, int] | None = None

    def number(self, item: Item) -> int:
        """Return the number of a thing; the next free one where it is new."""
        if self._numbers is None:
            self._numbers = {one: number for number, one in enumerate(self._first)}
        found = self._numbers.setdefault(item, len(self))
        if found == len(self):
            self._more.append(item)
        return found

    def __getitem__(self, number: int) -> Item:
        given = self._given
        return self._first[number] if number < given else self._more[number - given]

    def __len__(self) -> int:
        return self._given + len(self._more)

    def __iter__(self) -> Iterator[Item]:
        yield from self._first
        yield from self._more


class ClipDictionary:
    """Clips by number: a column of each field, and their lists of changes.

    A pool holds each once; while one is built, one that is made twice is there twice.

    Parameters
    ----------
    columns : columns of n clips
        Those of `negmine.recipes.columns.CLIP` but for the changes.
    changes : Lists
        Of n lists.
    """

    def __init__(self, columns: Columns | None = None, changes: Lists | None = None) -> None:
        none = Lists(np.zeros(1, dtype=np.int64), empty(CHANGE))
        self._columns = [empty(CLIP) if columns is None else columns]
        self._changes = [none if changes is None else changes]
        self._count = len(self._changes[0])

    @property
    def columns(self) -> Columns:
        self._columns = [join(self._columns)]
        return self._columns[0]

    @property
    def changes(self) -> Lists:
        self._changes = [join_lists(self._changes)]
        return self._changes[0]

    def __len__(self) -> int:
        return self._count

    def append(self, columns: Columns, changes: Lists) -> IntEntries:
        """Add clips, which may be there already; return their numbers."""
        first, self._count = self._count, self._count + len(changes)
        self._columns.append(columns)
        self._changes.append(changes)
        return np.arange(first, self._count)

    def take(self, numbers: IntEntries) -> tuple[Columns, Lists]:
        """Return some clips, in the order given, and their changes."""
        return take(self.columns, numbers), self.changes.take(numbers)

    def any_change(self, marked: BoolEntries) -> BoolRows:
        """Return clips with a marked change: bool, shape (n,) for one mark a change."""
        return np.bincount(self.changes.rows[marked], minlength=len(self)) > 0


def join_clips(parts: Sequence[ClipDictionary]) -> ClipDictionary:
    """Return the clips of several, one after another."""
    columns, changes = [part.columns for part in parts], [part.changes for part in parts]
    return ClipDictionary(join(columns), join_lists(changes))


def missing(
    rows: Columns, uses: Columns, clips: ClipDictionary, kinds: int, sources: int, labels: int
) -> Iterator[tuple[str, str]]:
    """Yield the tables and columns with a number of what is not there: of so many each.

    An op is numbered, too; an ``add`` is no change.
    """
    own, changes = clips.columns, clips.changes.values
    for table, name, values, least, end in (
        ("rows", "kind", rows["kind"], 0, kinds),
        ("uses", "clip", uses["clip"], 0, len(clips)),
        ("clips", "source", own["source"], 0, sources),
        ("clips", "label", own["label"], -1, labels),
        ("changes", "source", changes["source"], -1, sources),
        ("changes", "op", changes["op"], 1, len(OPS)),
    ):
        if len(values) and (values.min() < least or values.max() >= end):
            yield table, name


@dataclass(frozen=True)
class Dictionaries:
    """What the numbers in a table of recipes name, and what all of its recipes share.

    Numbering a label set hashes all its cells: do it once for each set, not once for each row.

    Attributes
    ----------
    clip_s : float
        Length of every recipe.
    sample_rate : int
        Hz.
    """

    clip_s: float
    sample_rate: int
    sources: Numbered[Source] = field(default_factory=Numbered)
    labels: Numbered[PartialLabels] = field(default_factory=Numbered)
    kinds: Numbered[str] = field(default_factory=Numbered)
    clips: ClipDictionary = field(default_factory=ClipDictionary)

    _mixed: dict[tuple[int, ...], PartialLabels] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def mixed(self, numbers: tuple[int, ...]) -> PartialLabels:
        """Return the mix of some label sets."""
        if len(numbers) == 1:
            return self.labels[numbers[0]]
        if numbers not in self._mixed:
            if len(self._mixed) >= _MIXES_KEPT:
                self._mixed.clear()
            self._mixed[numbers] = PartialLabels.mixed([self.labels[n] for n in numbers])
        return self._mixed[numbers]

    @property
    def keys(self) -> KeySets:
        """16 bytes that tell each source in ids, and zeros for none, the last."""
        return np.array([*(source.key for source in self.sources), bytes(16)], dtype="V16")

    @property
    def synthetic(self) -> BoolSets:
        """Which sources are generated; the last is for none."""
        return np.array([*(source.is_synthetic for source in self.sources), False])
