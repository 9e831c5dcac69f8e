"""Recipes: sound described, not stored.

A recipe is frozen, hashable and serialisable, and renders to the same samples in any process and
any order: it has no state and draws no random number; whatever was drawn is in its fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from typing import TYPE_CHECKING, Self, cast, overload

import numpy as np

from negmine.arrays import FloatSamples, RowChoice
from negmine.recipes.columns import CHANGE, CLIP, USE, Lists, join_lists, offsets, take, typed
from negmine.recipes.dictionaries import Dictionaries
from negmine.recipes.labels import PartialLabels
from negmine.recipes.layer import ADD, OPS, Layer
from negmine.recipes.recipe_columns import Number, RecipeColumns, made_layers, millionths
from negmine.recipes.source import Source

if TYPE_CHECKING:
    from negmine.recipes.reader import Reader

# Rows of a block: where recipes come one by one, and where many are gone through.
BLOCK_ROWS = 65_536

# Rows that are made into objects at once.
_AT_ONCE = 1024


@dataclass(frozen=True)
class Recipe:
    """A clip: its layers, its length, and what is known of it.

    Attributes
    ----------
    kind : str
        The source of negatives it came from; `tp` are the confirmed calls kept for comparison.
    layers : tuple of Layer
        Each ``add`` starts a component, which the layers after it change; the components are
        summed.
    duration_s : float
    sample_rate : int
        Hz, unless rendering asks for another.
    labels : PartialLabels

    Raises
    ------
    ValueError
        If the layers make no sound: no ``add`` first, a ratio on the first component or none on
        another, a span that reaches beyond the clip.
    """

    kind: str
    layers: tuple[Layer, ...]
    duration_s: float
    sample_rate: int
    labels: PartialLabels

    def __post_init__(self) -> None:
        if not self.layers or self.layers[0].snr_db is not None:
            raise ValueError("a recipe needs layers, and the first has no snr_db")
        if self.layers[0].op != "add":
            raise ValueError(f"a recipe starts with 'add', not with '{self.layers[0].op}'")
        if any(la.snr_db is None for la in self.layers[1:] if la.op == "add"):
            raise ValueError("every 'add' after the first needs an snr_db")
        for la in self.layers:
            la.check_within(self.duration_s)

    @cached_property
    def id(self) -> str:
        """Hash of what is heard: sources by their bytes, spans, levels, bands; not the labels."""
        return Recipes.of([self]).ids[0]

    @property
    def components(self) -> list[tuple[Layer, ...]]:
        """The layers, component by component: each an ``add`` and what changes it."""
        parts: list[list[Layer]] = []
        for layer in self.layers:
            if layer.op == "add":
                parts.append([])
            parts[-1].append(layer)
        return [tuple(part) for part in parts]

    @property
    def sources(self) -> tuple[Source, ...]:
        """The sources of all layers that have one."""
        return tuple(la.source for la in self.layers if la.source is not None)

    @property
    def groups(self) -> frozenset[str]:
        """Groups of all layers."""
        return frozenset(source.group for source in self.sources if source.group)

    def draws_on(self, names: frozenset[str]) -> bool:
        """Return whether any layer is from one of these recordings or groups, thus held out."""
        return any(source.is_of(names) for source in self.sources)

    def mix(self, other: Recipe, snr_db: float) -> Recipe:
        """Mix in another recipe at a signal-to-noise ratio; labels follow the algebra.

        The layers of both are joined, so that a mix of mixes is flat; what changes a component
        stays with it. ``snr_db`` is the ratio of this recipe's first component over the other's
        first.

        Raises
        ------
        ValueError
            If the two differ in length or sample rate.
        """
        mine, theirs = (self.duration_s, self.sample_rate), (other.duration_s, other.sample_rate)
        if mine != theirs:
            raise ValueError(f"cannot mix clips of {mine} and {theirs} (seconds, Hz)")
        return Recipes.of([self, other]).mixed(np.array([[0, 1]]), np.array([[0.0, snr_db]]))[0]

    def render(self, sample_rate: int | None = None, reader: Reader | None = None) -> FloatSamples:
        """Render the clip's samples: see `negmine.recipes.render.render`."""
        from negmine.recipes.render import render

        return render(self, sample_rate, reader)


@dataclass(frozen=True, eq=False)
class Recipes(RecipeColumns, Sequence[Recipe]):
    """Recipes as columns, and a sequence of them: a row becomes an object when it is asked for."""

    @classmethod
    def of(cls, recipes: Iterable[Recipe], dictionaries: Dictionaries | None = None) -> Self:
        """Put recipes into columns; number what they name in the dictionaries."""
        recipes = list(recipes)
        if dictionaries is None:
            dictionaries = Dictionaries(recipes[0].duration_s, recipes[0].sample_rate)
        d = dictionaries
        layers = [layer for recipe in recipes for layer in recipe.layers]
        op = np.array([OPS[layer.op] for layer in layers], dtype=np.uint8)
        fields = {
            "op": op,
            "source": [-1 if la.source is None else d.sources.number(la.source) for la in layers],
            "start_us": millionths([la.start_s for la in layers]),
            "offset_us": millionths([la.offset_s for la in layers]),
            "length_us": millionths([la.length_s or 0.0 for la in layers]),
            "low_hz": [np.nan if la.low_hz is None else la.low_hz for la in layers],
            "high_hz": [np.nan if la.high_hz is None else la.high_hz for la in layers],
            "seed": np.array([-1 if la.seed is None else la.seed for la in layers], dtype="i8"),
            "snr_udb": millionths([la.snr_db or 0.0 for la in layers]),
        }
        columns = {name: np.asarray(values) for name, values in fields.items()}
        adds, changes = np.flatnonzero(op == ADD), np.flatnonzero(op != ADD)
        counts = [sum(la.op == "add" for la in recipe.layers) for recipe in recipes]
        starts = offsets(np.array(counts, dtype=np.int64))
        # a recipe's labels are on its first clip
        label = np.full(len(adds), -1)
        label[starts[:-1]] = [d.labels.number(recipe.labels) for recipe in recipes]
        own, changed = take(columns, adds), take(columns, changes)
        clip = d.clips.append(
            typed(CLIP, len(adds), **own, label=label),
            Lists(
                offsets(np.diff(adds, append=len(op)) - 1), typed(CHANGE, len(changes), **changed)
            ),
        )
        kind = np.array([d.kinds.number(recipe.kind) for recipe in recipes], dtype=np.uint8)
        return cls(d, kind, Lists(starts, typed(USE, len(adds), **own, clip=clip)))

    @overload
    def __getitem__(self, index: Number) -> Recipe: ...
    @overload
    def __getitem__(self, index: RowChoice) -> Self: ...
    def __getitem__(self, index: Number | RowChoice) -> Recipe | Self:
        """Return a recipe, or a table of those that a slice, a mask or numbers choose."""
        if not isinstance(index, slice | np.ndarray):
            return next(self[np.array([range(len(self))[index]])]._made())
        return self.take(index)

    def __iter__(self) -> Iterator[Recipe]:
        for first in range(0, len(self), _AT_ONCE):
            yield from self[first : first + _AT_ONCE]._made()

    def _made(self) -> Iterator[Recipe]:
        """Make all rows at once."""
        d, layers = self.dictionaries, self.layers
        made = made_layers(layers.values, d.sources)
        labels = iter(self.labels.values["label"].tolist())
        counts = (layers.counts.tolist(), self.labels.counts.tolist())
        for kind, count, sets in zip(self.kind.tolist(), *counts, strict=True):
            own = tuple(islice(made, count))
            known = d.mixed(tuple(islice(labels, sets)))
            yield Recipe(d.kinds[kind], own, d.clip_s, d.sample_rate, known)

    def blocks(self) -> Iterator[Self]:
        """Yield all rows as tables of up to `BLOCK_ROWS`."""
        for first in range(0, len(self), BLOCK_ROWS):
            yield self[first : first + BLOCK_ROWS]


def join_recipes(parts: Sequence[Recipes]) -> Recipes:
    """Return the rows of several tables of the same dictionaries, one after another."""
    if len(parts) == 1:
        return parts[0]
    kinds = np.concatenate([part.kind for part in parts])
    ids = [part.known_ids for part in parts if part.known_ids is not None]
    return Recipes(
        parts[0].dictionaries,
        kinds,
        join_lists([part.uses for part in parts]),
        np.concatenate(ids) if len(ids) == len(parts) else None,
    )


def blocks_of(rows: Iterable[Recipe | Recipes], dictionaries: Dictionaries) -> Iterator[Recipes]:
    """Yield rows that come as tables or one by one, as tables of up to `BLOCK_ROWS`, in order."""
    waiting, count = list[Recipes](), 0
    for piece in _pieces(rows, dictionaries):
        # small ones, one a file say, go on as one
        other = bool(waiting) and piece.dictionaries is not waiting[0].dictionaries
        if waiting and (other or count + len(piece) > BLOCK_ROWS):
            yield join_recipes(waiting)
            waiting, count = [], 0
        waiting.append(piece)
        count += len(piece)
    if waiting:
        yield join_recipes(waiting)


def _pieces(rows: Iterable[Recipe | Recipes], dictionaries: Dictionaries) -> Iterator[Recipes]:
    """Yield tables of one row or more, at most `BLOCK_ROWS`."""
    for together, some in groupby(rows, lambda row: isinstance(row, Recipes)):
        if not together:
            while batch := list(islice(some, BLOCK_ROWS)):
                yield Recipes.of(cast("list[Recipe]", batch), dictionaries)
            continue
        for table in cast("Iterator[Recipes]", some):
            yield from table.blocks()
