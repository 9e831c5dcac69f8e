"""``mix``: sums of certified clips, absent only where all of them are."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from negmine.blocks import BLOCK_ROWS, RecipeBlock, Tables, mixed_block, offsets
from negmine.build_context import BuildContext
from negmine.recipe import OPS
from negmine.sources.settings import MixSettings

# Draws per mix before a class with too few partners is given up.
_TRIES = 20


def rows(context: BuildContext, settings: MixSettings) -> Iterator[RecipeBlock]:
    """Mixes of what is certified so far; none of their components is silent."""
    if not settings.count:
        return
    parts = context.certified
    parts = parts.take(np.flatnonzero(context.audible(parts)))
    found = 0
    for block in mixes(
        parts,
        context.tables,
        context.classes,
        settings,
        context.settings.clip_s,
        context.rng("mix"),
    ):
        # what starts late may be cut down to silence
        heard = context.audible(block)
        found += int(heard.sum())
        yield block.take(np.flatnonzero(heard))
    context.left_out["mixes without a partner"] += settings.count - found


def mixes(
    parts: RecipeBlock,
    tables: Tables,
    classes: Sequence[str],
    settings: MixSettings,
    clip_s: float,
    rng: np.random.Generator,
) -> Iterator[RecipeBlock]:
    """Mixes of clips of different sources that certify a class in common.

    A class is drawn first, evenly, then clips certified for it, so that classes with few certified
    clips get as many mixes as others.

    Parameters
    ----------
    parts : RecipeBlock
        What may be mixed; none of it silent.
    tables : Tables
    classes : sequence of str
    settings : MixSettings
        How many; fewer come where there are not enough distinct parts.
    clip_s : float
    rng : numpy.random.Generator
    """
    certified = _Certified.of(parts, tables, classes)
    if not len(certified.classes):
        return
    sound = _sounds(parts, tables)
    least, most = settings.parts
    for first in range(0, settings.count, BLOCK_ROWS):
        n = min(BLOCK_ROWS, settings.count - first)
        wanted = rng.integers(least, most, n, endpoint=True)
        picked = np.full((n, most), -1, dtype=np.int64)
        trying = np.arange(n)
        for _ in range(_TRIES):
            column = rng.choice(certified.classes, len(trying))
            drawn = certified.draw(column, rng.random((len(trying), most)))
            drawn[np.arange(most) >= wanted[trying, None]] = -1
            picked[trying] = drawn
            trying = trying[~_distinct(np.where(drawn < 0, -1, sound[drawn]))]
            if not len(trying):
                break
        kept = np.ones(n, dtype=bool)
        kept[trying] = False
        ratios = np.round(rng.uniform(*settings.snr_db, (n, most)), 3)
        late_s = np.floor(rng.uniform(0, settings.offset * clip_s, (n, most)) * 1000) / 1000
        late_s[:, 0] = 0.0
        mixed = mixed_block(parts, picked[kept], ratios[kept])
        yield _late(mixed, parts, tables, picked[kept], late_s[kept])


def _sounds(parts: RecipeBlock, tables: Tables) -> np.ndarray:
    """For each row, a number for the bytes of its first source: copies share one."""
    first = parts.source[parts.layer_offsets[:-1]]
    numbers: dict[bytes, int] = {}
    of_source = [numbers.setdefault(s.key, len(numbers)) for s in tables.sources.items]
    return np.array(of_source, dtype=np.int64)[first]


def _distinct(values: np.ndarray) -> np.ndarray:
    """Rows without a value twice, -1 apart: bool, shape (n,)."""
    ordered = np.sort(values, axis=1)
    return ~((np.diff(ordered, axis=1) == 0) & (ordered[:, 1:] >= 0)).any(axis=1)


def _late(
    mixed: RecipeBlock, parts: RecipeBlock, tables: Tables, picked: np.ndarray, late_s: np.ndarray
) -> RecipeBlock:
    """Mixes whose later parts start late, where a part is one plain clip without a call in it.

    A call may lose what makes it one when its clip is cut off, so clips that hold one stay whole.
    """
    calling = np.array([bool(labels.present) for labels in tables.labels.items])
    labelled = np.logical_or.reduceat(calling[parts.label], offsets(parts.label_counts)[:-1])
    first = parts.layer_offsets[:-1]
    plain = (parts.layer_counts == 1) & (parts.offset_s[first] == 0)
    movable = plain & np.isnan(parts.length_s[first]) & ~labelled
    used = picked >= 0
    # one entry a part, then one a layer: movable parts have a single layer
    shift = np.where(movable[picked[used]], late_s[used], 0.0)
    per_layer = np.repeat(shift, parts.layer_counts[picked[used]])
    return replace(mixed, offset_s=mixed.offset_s + per_layer * (mixed.op == OPS["add"]))


@dataclass(frozen=True)
class _Certified:
    """The rows that are certified free of each class, to draw from.

    Rows stand sorted by label set, so a class is a few runs of rows; none is listed twice.
    """

    rows: np.ndarray
    """Rows of the parts, sorted by what they are certified for: int64, shape (n,)."""
    run_ends: np.ndarray
    """Running count of rows over the runs of all classes: int64, shape (runs,)."""
    run_last: np.ndarray
    """Where each run ends in ``rows``: int64, shape (runs,)."""
    first: np.ndarray
    """The running count at which each class starts, and the total: int64, shape (C + 1,)."""
    classes: np.ndarray
    """Classes with two rows or more."""

    @classmethod
    def of(cls, parts: RecipeBlock, tables: Tables, classes: Sequence[str]) -> _Certified:
        sets = _row_sets(parts)
        rows = np.argsort(sets.numbers, kind="stable")
        ends = np.cumsum(np.bincount(sets.numbers, minlength=len(sets.distinct)))
        index = {name: column for column, name in enumerate(classes)}
        absent = [_columns(tables, labels, index) for labels in sets.distinct]
        runs = np.repeat(np.arange(len(absent)), [len(columns) for columns in absent])
        column = np.concatenate([*absent, np.zeros(0, dtype=np.int64)])
        order = np.argsort(column, kind="stable")
        runs, column = runs[order], column[order]
        lengths = np.diff(ends, prepend=0)[runs]
        per_class = np.bincount(column, weights=lengths, minlength=len(classes)).astype(np.int64)
        return cls(
            rows=rows,
            run_ends=np.cumsum(lengths),
            run_last=ends[runs],
            first=offsets(per_class),
            classes=np.flatnonzero(per_class > 1),
        )

    def draw(self, column: np.ndarray, uniform: np.ndarray) -> np.ndarray:
        """Rows certified for some classes: int64, shape (n, p).

        Parameters
        ----------
        column : int array, shape (n,)
        uniform : float64 array, shape (n, p)
            In [0, 1).
        """
        first = self.first[column][:, None]
        count = self.first[column + 1][:, None] - first
        at = first + (uniform * count).astype(np.int64)
        run = np.searchsorted(self.run_ends, at, side="right")
        return np.asarray(self.rows[self.run_last[run] - (self.run_ends[run] - at)])


@dataclass(frozen=True)
class _Sets:
    """The distinct combinations of label sets of rows, and which each row has."""

    numbers: np.ndarray
    distinct: list[tuple[int, ...]]


def _row_sets(parts: RecipeBlock) -> _Sets:
    known: dict[tuple[int, ...], int] = {}
    label, bounds = parts.label.tolist(), parts.label_offsets.tolist()
    numbers = [
        known.setdefault(tuple(label[bounds[row] : bounds[row + 1]]), len(known))
        for row in range(len(parts))
    ]
    return _Sets(np.array(numbers, dtype=np.int64), list(known))


def _columns(tables: Tables, sets: tuple[int, ...], index: dict[str, int]) -> np.ndarray:
    """The classes that the mix of some label sets certifies absent, by number, sorted."""
    absent = set.intersection(*(set(tables.labels[number].absent) for number in sets))
    return np.array(sorted(index[name] for name in absent if name in index), dtype=np.int64)
