"""Recipes in the tables of a pool, made when asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cached_property, reduce
from pathlib import Path
from typing import Any

import numpy as np

from negmine.errors import PoolError
from negmine.pool.blocks import BLOCK_ROWS, RecipeBlock
from negmine.pool.columns import Columns
from negmine.pool.label_sets import LabelSets
from negmine.pool.part_columns import PartColumns
from negmine.pool.ragged import offsets
from negmine.pool.source_table import SourceTable
from negmine.recipes.labels import CERTIFICATES, MIN_CONFIDENCE, Certificate, PartialLabels
from negmine.recipes.recipe import ID_BYTES, Recipe

# Mixes of label sets that are kept made: they may hold 10,000 classes each.
_MIXES_KEPT = 4096

_MIXED = CERTIFICATES.index(Certificate.MIXED)

_ID = np.dtype([("leading", ">u8"), ("rest", f"V{ID_BYTES - 8}")])


class Ids(Sequence[str]):
    """Ids of recipes in hexadecimal, made when asked for.

    Attributes
    ----------
    raw : array of 12-byte records, shape (N,)
    """

    def __init__(self, raw: np.ndarray) -> None:
        self.raw = raw

    def __len__(self) -> int:
        return len(self.raw)

    def __getitem__(self, index: Any) -> Any:
        found = self.raw[index]
        if isinstance(found, np.ndarray):
            return np.array([one.tobytes().hex() for one in found], dtype=f"U{2 * ID_BYTES}")
        return found.tobytes().hex()

    def __iter__(self) -> Iterator[str]:
        text = self.raw.tobytes().hex()
        width = 2 * ID_BYTES
        return (text[at : at + width] for at in range(0, len(text), width))


def ids_of(recipes: Iterable[Recipe]) -> Ids:
    """Return the ids of some recipes."""
    raw = b"".join(bytes.fromhex(recipe.id) for recipe in recipes)
    return Ids(np.frombuffer(raw, dtype=f"V{ID_BYTES}"))


class RecipeTable(Sequence[Recipe]):
    """Recipes of a pool; those of its parts, one after another.

    Attributes
    ----------
    ids : Ids
    """

    def __init__(
        self,
        path: Path,
        parts: Sequence[tuple[Columns, Sequence[str]]],
        sources: SourceTable,
        label_sets: LabelSets,
        clip_s: float,
        sample_rate: int,
    ) -> None:
        self._path = path
        self._parts = [PartColumns(columns, kinds) for columns, kinds in parts]
        self._first = offsets(np.array([len(part) for part in self._parts]))
        self._sources = sources
        self._label_sets = label_sets
        self._clip_s = clip_s
        self._sample_rate = sample_rate
        self._mixed: dict[tuple[int, ...], PartialLabels] = {}
        self.ids = Ids(_joined([part.ids for part in self._parts]))

    def __len__(self) -> int:
        return int(self._first[-1])

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.at(np.arange(*index.indices(len(self))))
        row = range(len(self))[int(index)]
        number = int(np.searchsorted(self._first, row, side="right")) - 1
        return next(self._recipes(number, np.array([row - self._first[number]])))

    def at(self, rows: np.ndarray) -> list[Recipe]:
        """Return some recipes at once, faster than one by one.

        Parameters
        ----------
        rows : int array, shape (n,)
            In any order, each from 0 on.

        Raises
        ------
        IndexError
            If there is no such row.
        """
        if len(rows) and not 0 <= rows.min() <= rows.max() < len(self):
            raise IndexError(f"rows {rows.min()} to {rows.max()} of a pool of {len(self)}")
        parts = np.searchsorted(self._first, rows, side="right") - 1
        found: dict[int, Recipe] = {}
        for number in np.unique(parts).tolist():
            here = np.flatnonzero(parts == number)
            made = self._recipes(number, rows[here] - self._first[number])
            found.update(zip(here.tolist(), made, strict=True))
        return [found[place] for place in range(len(rows))]

    def _recipes(self, number: int, rows: np.ndarray) -> Iterator[Recipe]:
        """Yield some rows of one part."""
        for kind, layers, label_sets in self._parts[number].rows(rows, self._sources):
            labels = self._labels(label_sets)
            yield Recipe(kind, layers, self._clip_s, self._sample_rate, labels)

    def _labels(self, numbers: tuple[int, ...]) -> PartialLabels:
        """Return the mix of some label sets."""
        if len(numbers) == 1:
            made: PartialLabels = self._label_sets[numbers[0]]
            return made
        if numbers not in self._mixed:
            if len(self._mixed) >= _MIXES_KEPT:
                self._mixed.clear()
            sets = (self._label_sets[number] for number in numbers)
            self._mixed[numbers] = reduce(PartialLabels.mix, sets)
        return self._mixed[numbers]

    @cached_property
    def kinds(self) -> np.ndarray:
        """The kind of each recipe: array of str, shape (N,)."""
        return np.asarray(np.array([*self.kind_names, ""])[self.kind_codes])

    @cached_property
    def kind_names(self) -> list[str]:
        """The kinds that there may be, sorted."""
        return sorted({kind for part in self._parts for kind in part.kinds})

    @cached_property
    def kind_codes(self) -> np.ndarray:
        """The kind of each recipe, by its place in `kind_names`: uint8, shape (N,)."""
        names = self.kind_names
        places = [np.array([*map(names.index, part.kinds)], np.uint8) for part in self._parts]
        codes = (part.kind_codes for part in self._parts)
        return _joined([of[code] for of, code in zip(places, codes, strict=True)])

    def of_kind(self, kind: str) -> np.ndarray:
        """Return whether each recipe is of a kind: bool, shape (N,)."""
        names = self.kind_names
        if kind not in names:
            return np.zeros(len(self), dtype=bool)
        return np.asarray(self.kind_codes == names.index(kind))

    def count_kinds(self) -> dict[str, int]:
        """Count recipes of each kind, by name."""
        counts: dict[str, int] = {}
        for part in self._parts:
            found = np.bincount(part.kind_codes, minlength=len(part.kinds))
            for kind, count in zip(part.kinds, found.tolist(), strict=True):
                counts[kind] = counts.get(kind, 0) + count
        return {kind: counts[kind] for kind in sorted(counts) if counts[kind]}

    def confidence(self, name: str, rows: np.ndarray | None = None) -> np.ndarray:
        """Return confidence that each recipe lacks a class, 0 where not certified.

        Of all recipes, or of some rows in their order: float32, shape (N,) or (len(rows),).
        """
        # a clip without a label set of its own leaves the product alone
        per_set = np.append(self._label_sets.confidence(name), 1.0)
        out = self._by_part(lambda part, own: part.product(per_set, own), rows)
        return np.asarray(out, dtype=np.float32)

    def certified(self, names: Sequence[str]) -> np.ndarray:
        """Return which recipes lack which classes (`confidence` above 0), for all at once.

        uint8, shape (ceil(C / 8), N); class c is bit c % 8 of row c // 8.
        """
        per_set = self._label_sets.certified(names)
        # a clip without a label set of its own takes nothing away
        per_set = np.pad(per_set, ((0, 0), (0, 1)), constant_values=255)
        bits = _joined([part.all_bits(per_set) for part in self._parts], axis=1)
        lowest = np.append(self._label_sets.lowest(), 1.0)
        # where mixing may leave too little of a claim, it is looked at claim by claim
        weak = [part.product(lowest) < MIN_CONFIDENCE for part in self._parts]
        if len(rows := np.flatnonzero(_joined(weak))):
            for column, name in enumerate(names):
                lost = rows[self.confidence(name, rows) == 0]
                bits[column // 8, lost] &= np.uint8(255 - (1 << column % 8))
        return bits

    def certificates(self, name: str, rows: np.ndarray | None = None) -> np.ndarray:
        """Return what certifies that each recipe lacks a class: int array, as `confidence`.

        Places in `CERTIFICATES`; -1 where nothing does.
        """
        per_set = self._label_sets.certificates(name)
        out = self._by_part(lambda part, own: part.of_single(per_set, _MIXED, own), rows)
        return np.where(self.confidence(name, rows) > 0, out, -1)

    def _by_part(
        self, ask: Callable[[PartColumns, np.ndarray | None], np.ndarray], rows: np.ndarray | None
    ) -> np.ndarray:
        """Join what parts say of all their rows, or of some, in the order of the table's rows."""
        if rows is None:
            return _joined([ask(part, None) for part in self._parts])
        numbers = np.searchsorted(self._first, rows, side="right") - 1
        order = np.argsort(numbers, kind="stable")
        said = [
            ask(part, rows[numbers == number] - self._first[number])
            for number, part in enumerate(self._parts)
        ]
        out = _joined(said)
        out[order] = out.copy()
        return out

    def present(self, name: str) -> np.ndarray:
        """Return which recipes hold a class for certain: bool array, shape (N,)."""
        per_set = np.append(self._label_sets.has_present(name), False)
        return _joined([part.any_label(per_set) for part in self._parts])

    def draws_on(self, names: frozenset[str]) -> np.ndarray:
        """Return which recipes have a layer from one of these recordings or groups: bool, (N,)."""
        if not names:
            return np.zeros(len(self), dtype=bool)
        named = [source.is_of(names) for source in self._sources]
        per_source = np.array([*named, False], dtype=bool)
        return _joined([part.uses_any(per_source) for part in self._parts])

    def groups(self, rows: np.ndarray) -> list[set[str]]:
        """Return the groups of all layers of some rows, in their order: as `Recipe.groups`."""
        out: list[set[str]] = [set() for _ in rows]
        numbers = np.searchsorted(self._first, rows, side="right") - 1
        for number, part in enumerate(self._parts):
            here = np.flatnonzero(numbers == number)
            sources, places = part.source_numbers(rows[here] - self._first[number])
            for source, place in zip(sources.tolist(), here[places].tolist(), strict=True):
                if group := self._groups[source]:
                    out[place].add(group)
        return out

    def first_groups(self, rows: np.ndarray) -> list[str]:
        """Return the first by name of each row's `groups`, empty where it has none."""
        names, of_source = self._sorted_groups
        first = np.full(len(rows), len(names) - 1)
        numbers = np.searchsorted(self._first, rows, side="right") - 1
        for number, part in enumerate(self._parts):
            here = np.flatnonzero(numbers == number)
            sources, places = part.source_numbers(rows[here] - self._first[number])
            np.minimum.at(first, here[places], of_source[sources])
        return [names[code] for code in first.tolist()]

    @cached_property
    def _groups(self) -> list[str]:
        return self._sources.groups

    @cached_property
    def _sorted_groups(self) -> tuple[list[str], np.ndarray]:
        """All groups by name, the empty one last, and which of them each source has."""
        names = [*sorted(set(self._groups) - {""}), ""]
        places = {name: place for place, name in enumerate(names)}
        return names, np.array([places[group] for group in self._groups], dtype=np.int64)

    def blocks(self) -> Iterator[RecipeBlock]:
        """Yield all recipes as columns, a block a run of one kind; numbers are the pool's."""
        for part in self._parts:
            turns = np.flatnonzero(np.diff(part.kind_codes)) + 1
            for rows in np.split(np.arange(len(part)), turns):
                for first in range(0, len(rows), BLOCK_ROWS):
                    yield part.block(rows[first : first + BLOCK_ROWS])

    @cached_property
    def _order(self) -> np.ndarray:
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
        raise PoolError(f"{self._path}: no recipe '{recipe_id}' in this pool")


def _leading(raw: np.ndarray) -> np.ndarray:
    """Return the first 8 bytes of each id as a number."""
    return np.frombuffer(raw.tobytes(), dtype=_ID)["leading"]


def _joined(parts: list[np.ndarray], axis: int = 0) -> np.ndarray:
    return parts[0] if len(parts) == 1 else np.concatenate(parts, axis)
