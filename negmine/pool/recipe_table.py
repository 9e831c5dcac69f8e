"""The recipes of a pool, and what may be asked of all of them at once."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import numpy as np

from negmine.arrays import (
    AnyRows,
    BitCells,
    BoolRows,
    IdRows,
    IntEntries,
    IntRows,
    TextRows,
    WeightRows,
)
from negmine.errors import PoolError
from negmine.pool.label_sets import LabelSets
from negmine.recipes.certificates import MIN_CONFIDENCE, mixed_certificate, mixed_confidence
from negmine.recipes.columns import ID_BYTES
from negmine.recipes.recipe import Recipes

_ID = np.dtype([("leading", ">u8"), ("rest", f"V{ID_BYTES - 8}")])


@dataclass(frozen=True, eq=False, kw_only=True)
class RecipeTable(Recipes):
    """Recipes of a pool.

    Attributes
    ----------
    path : Path
        The pool.
    label_sets : LabelSets
        The dictionary of label sets, as columns.
    """

    path: Path
    label_sets: LabelSets

    @cached_property
    def kinds(self) -> TextRows:
        """The kind of each recipe: array of str, shape (N,)."""
        return np.array([*self.kind_names, ""])[self.kind]

    @property
    def kind_names(self) -> list[str]:
        """The kinds that there may be, sorted, as ``kind`` numbers them."""
        return list(self.dictionaries.kinds)

    def of_kind(self, kind: str) -> BoolRows:
        """Return whether each recipe is of a kind: bool, shape (N,)."""
        return np.isin(self.kind, [n for n, name in enumerate(self.kind_names) if name == kind])

    def count_kinds(self) -> dict[str, int]:
        """Count recipes of each kind, by name."""
        counts = np.bincount(self.kind, minlength=len(self.kind_names)).tolist()
        return {kind: n for kind, n in zip(self.kind_names, counts, strict=True) if n}

    def _label_sets_of(self, rows: IntRows | None) -> tuple[IntEntries, IntRows]:
        """Return the label sets of all rows or of some, row after row, and where each row's are."""
        lists = self.labels if rows is None else self.labels.take(rows)
        return lists.values["label"], lists.starts[:-1]

    def confidence(self, name: str, rows: IntRows | None = None) -> WeightRows:
        """Return confidence that each recipe lacks a class, 0 where not certified.

        Of all recipes, or of some rows in their order: float32, shape (N,) or (len(rows),).
        """
        label, starts = self._label_sets_of(rows)
        return mixed_confidence(self.label_sets.confidence(name)[label], starts).astype(np.float32)

    def certificates(self, name: str, rows: IntRows | None = None) -> IntRows:
        """Return what certifies that each recipe lacks a class: int array, as `confidence`.

        Places in `negmine.recipes.certificates.CERTIFICATES`; -1 where nothing does.
        """
        label, starts = self._label_sets_of(rows)
        found = mixed_certificate(self.label_sets.certificates(name)[label], starts)
        return np.where(self.confidence(name, rows) > 0, found, -1)

    def certified(self, names: Sequence[str]) -> BitCells:
        """Return which recipes lack which classes (`confidence` above 0), for all at once.

        uint8, shape (ceil(C / 8), N); class c is bit c % 8 of row c // 8.
        """
        per_set = self.label_sets.certified(names)
        label, _ = self._label_sets_of(None)
        bits = np.empty((len(per_set), len(self)), dtype=np.uint8)
        for byte, of_set in enumerate(per_set):
            bits[byte] = self.labels.reduce(np.bitwise_and, of_set[label])
        # where mixing may leave too little of a claim, it is looked at claim by claim
        lowest = self.labels.reduce(np.multiply, self.label_sets.lowest()[label])
        if len(rows := np.flatnonzero(lowest < MIN_CONFIDENCE)):
            for column, name in enumerate(names):
                lost = rows[self.confidence(name, rows) == 0]
                bits[column // 8, lost] &= np.uint8(255 - (1 << column % 8))
        return bits

    def present(self, name: str) -> BoolRows:
        """Return which recipes hold a class for certain: bool array, shape (N,)."""
        label, _ = self._label_sets_of(None)
        return self.labels.reduce(np.logical_or, self.label_sets.has_present(name)[label])

    def draws_on(self, names: frozenset[str]) -> BoolRows:
        """Return which recipes have a layer from one of these recordings or groups: bool, (N,)."""
        if not names:
            return np.zeros(len(self), dtype=bool)
        named = [source.is_of(names) for source in self.dictionaries.sources]
        return self.any_source(np.array([*named, False]))

    def groups(self, rows: IntRows) -> list[set[str]]:
        """Return the groups of all layers of some rows, in their order: as `Recipe.groups`."""
        names, of_source = self._groups
        layers = self[rows].layers
        of_layer, bounds = of_source[layers.values["source"]].tolist(), layers.starts.tolist()
        none = len(names) - 1
        return [
            {names[code] for code in set(of_layer[first:last]) - {none}}
            for first, last in pairwise(bounds)
        ]

    def first_groups(self, rows: IntRows) -> list[str]:
        """Return the first by name of each row's `groups`, empty where it has none."""
        names, of_source = self._groups
        layers = self[rows].layers
        first = layers.reduce(np.minimum, of_source[layers.values["source"]])
        return [names[code] for code in first.tolist()]

    @cached_property
    def _groups(self) -> tuple[list[str], IntEntries]:
        """All groups by name, the empty one last, and which of them each source, or none, has."""
        of_source = [source.group for source in self.dictionaries.sources] + [""]
        names = [*sorted(set(of_source) - {""}), ""]
        places = {name: place for place, name in enumerate(names)}
        return names, np.array([places[group] for group in of_source], dtype=np.int64)

    @cached_property
    def _order(self) -> IntRows:
        return np.argsort(_leading(self.ids.raw), kind="stable")

    def row_of(self, recipe_id: str) -> int:
        """Return the row of a recipe.

        Raises
        ------
        PoolError
            If no recipe has this id.
        """
        try:
            wanted = np.frombuffer(bytes.fromhex(recipe_id), dtype=self.ids.raw.dtype)
        except ValueError:
            wanted = self.ids.raw[:0]
        if len(wanted) == 1:
            # the first 8 bytes tell all but the rarest apart
            leading = _leading(self.ids.raw)
            key = _leading(wanted)[0]
            at = int(np.searchsorted(leading, key, sorter=self._order))
            while at < len(self) and leading[self._order[at]] == key:
                row = int(self._order[at])
                if self.ids.raw[row].tobytes() == wanted[0].tobytes():
                    return row
                at += 1
        raise PoolError(f"{self.path}: no recipe '{recipe_id}' in this pool")


def _leading(raw: IdRows) -> AnyRows:
    """Return the first 8 bytes of each id as a number."""
    return np.frombuffer(raw.tobytes(), dtype=_ID)["leading"]
