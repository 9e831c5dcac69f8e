"""The label sets of a pool as columns: a label set becomes an object when it is asked for."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from negmine.arrays import BitCells, BoolSets, FloatEntries, FloatSets, IntEntries, IntSets
from negmine.errors import PoolError
from negmine.pool.recipe_files import column_values
from negmine.recipes.certificates import CERTIFICATES, Absence, is_confidence
from negmine.recipes.columns import LABELS, offsets
from negmine.recipes.labels import PartialLabels
from negmine.storage.files import write_table
from negmine.storage.names import clean_name
from negmine.storage.parquet import read_table

# A row a cell: the number of its label set, and the cell.
_CELLS = {"set": pa.int32(), **{field.name: field.type for field in LABELS.value_type}}

# The certificate of a class that is present.
_PRESENT = "present"


def write_label_sets(path: Path, label_sets: Sequence[PartialLabels], first: int) -> None:
    """Write label sets as a Parquet table, a row a cell; they are numbered from ``first`` on."""
    cells: list[tuple[int, str, str, float]] = []
    for number, labels in enumerate(label_sets, start=first):
        cells += [(number, name, _PRESENT, 1.0) for name in sorted(labels.present)]
        cells += [
            (number, name, absence.certificate.value, absence.confidence)
            for name, absence in sorted(labels.absent.items())
        ]
    columns = list(zip(*cells, strict=True)) or [()] * len(_CELLS)
    values = dict(zip(_CELLS, columns, strict=True))
    write_table(path, pa.table(values, schema=pa.schema(list(_CELLS.items()))))


class LabelSets(Sequence[PartialLabels]):
    """The distinct label sets of a pool, by number.

    Parameters
    ----------
    paths : sequence of Path
        The tables of the parts.
    counts : sequence of int
        Label sets of each part.
    classes : int
        Of the pool, which a label set may name all of.

    Raises
    ------
    PoolError
        If a table is missing or damaged.
    """

    def __init__(self, paths: Sequence[Path], counts: Sequence[int], classes: int) -> None:
        names: dict[str, int] = {}
        parts, first = [], 0
        for path, count in zip(paths, counts, strict=True):
            parts.append(_read(path, first, count, names, count * classes))
            first += count
        self._names = list(names)
        self._numbers = names
        empty = np.zeros(0, dtype=np.int64)
        sets, self._classes, self._certificates, self._confidences = (
            np.concatenate([empty, *(part[i] for part in parts)]) for i in range(4)
        )
        self._bounds = offsets(np.bincount(sets, minlength=first))
        self._sets = sets
        self._by_class = np.argsort(self._classes, kind="stable")
        self._check_once()
        self._class_bounds = offsets(np.bincount(self._classes, minlength=len(names)))
        self._made: dict[int, PartialLabels] = {}

    def _check_once(self) -> None:
        """Check that no label set says two things of a class."""
        # by class, and for each class by set
        classes, sets = self._classes[self._by_class], self._sets[self._by_class]
        if ((classes[1:] == classes[:-1]) & (sets[1:] == sets[:-1])).any():
            raise PoolError("labels.parquet: damaged: a label set with a class twice")

    def __len__(self) -> int:
        return len(self._bounds) - 1

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        number = range(len(self))[int(index)]
        if number not in self._made:
            self._made[number] = self._make(number)
        return self._made[number]

    def _make(self, number: int) -> PartialLabels:
        present, absent = set(), {}
        shared: dict[tuple[int, float], Absence] = {}
        own = slice(*self._bounds[number : number + 2].tolist())
        # as Python's own values at once: there may be 10,000 classes
        columns = (self._classes, self._certificates, self._confidences)
        for column, kind, confidence in zip(*(c[own].tolist() for c in columns), strict=True):
            name = self._names[column]
            if kind < 0:
                present.add(name)
                continue
            if (key := (kind, confidence)) not in shared:
                shared[key] = Absence(CERTIFICATES[kind], confidence)
            absent[name] = shared[key]
        return PartialLabels(frozenset(present), absent)

    def confidence(self, name: str) -> FloatSets:
        """Return confidence that each set lacks a class: float64, (sets,), 0 if not certified."""
        out = np.zeros(len(self))
        cells = self._cells(name, present=False)
        out[self._sets[cells]] = self._confidences[cells]
        return out

    def certified(self, names: Sequence[str]) -> BitCells:
        """Return which sets lack which classes: uint8, shape (ceil(C / 8), sets).

        Class c is bit c % 8 of row c // 8.
        """
        out = np.zeros(((len(names) + 7) // 8, len(self)), dtype=np.uint8)
        for column, name in enumerate(names):
            cells = self._cells(name, present=False)
            out[column // 8, self._sets[cells]] |= np.uint8(1 << column % 8)
        return out

    def lowest(self) -> FloatSets:
        """Return the least confidence of each set, 1 where it has none: float64, shape (sets,)."""
        out = np.ones(len(self))
        np.minimum.at(out, self._sets, self._confidences)
        return out

    def certificates(self, name: str) -> IntSets:
        """Return what certifies a class in each set, by place in `CERTIFICATES`; -1: nothing."""
        out = np.full(len(self), -1)
        cells = self._cells(name, present=False)
        out[self._sets[cells]] = self._certificates[cells]
        return out

    def has_present(self, name: str) -> BoolSets:
        """Return whether each set has a class present: bool, shape (sets,)."""
        out = np.zeros(len(self), dtype=bool)
        out[self._sets[self._cells(name, present=True)]] = True
        return out

    def _cells(self, name: str, *, present: bool) -> IntEntries:
        """Return the cells in which a class is present, or absent: int64."""
        if name not in self._numbers:
            return np.zeros(0, dtype=np.int64)
        number = self._numbers[name]
        cells = self._by_class[slice(*self._class_bounds[number : number + 2].tolist())]
        return np.asarray(cells[(self._certificates[cells] < 0) == present])


# Few distinct texts, read as numbers.
_CODED = pa.dictionary(pa.int32(), pa.string())
_COLUMNS = _CELLS | {"class": _CODED, "certificate": _CODED}


def _read(
    path: Path, first: int, count: int, names: dict[str, int], most_rows: int
) -> tuple[IntEntries, IntEntries, IntEntries, FloatEntries]:
    """Read set, class, certificate (-1: present), confidence of each cell; ``names`` grows."""
    table, _ = read_table(path, _COLUMNS, most_rows=most_rows)
    if any(table.column(name).null_count for name in _CELLS):
        raise PoolError(f"{path}: damaged: an empty cell")
    sets, confidences = (
        column_values(table.column(name), _CELLS[name]) for name in ("set", "confidence")
    )
    classes, class_of = _coded(table.column("class"))
    kinds, kind_of = _coded(table.column("certificate"))
    if len(sets) and not (first <= sets.min() and sets.max() < first + count):
        raise PoolError(f"{path}: damaged: a label set that is not there")
    if (sets[1:] < sets[:-1]).any():
        raise PoolError(f"{path}: damaged: label sets out of order")
    known = {_PRESENT: -1} | {c.value: i for i, c in enumerate(CERTIFICATES)}
    if unknown := [kind for kind in kinds if kind not in known]:
        raise PoolError(f"{path}: damaged: '{unknown[0]}' is not a certificate")
    if not is_confidence(confidences).all():
        raise PoolError(f"{path}: damaged: a confidence outside (0, 1]")
    numbers = np.array(
        [names.setdefault(clean_name(name), len(names)) for name in classes], dtype=np.int64
    )
    codes = np.array([known[kind] for kind in kinds], dtype=np.int64)
    return sets.astype(np.int64), numbers[class_of], codes[kind_of], confidences


def _coded(column: pa.ChunkedArray) -> tuple[list[str], IntEntries]:
    """Return the distinct texts of a column, and which of them each entry is."""
    chunks = column.unify_dictionaries().chunks
    if not chunks:
        return [], np.zeros(0, dtype=np.int64)
    indices = pa.chunked_array([chunk.indices for chunk in chunks])
    return chunks[0].dictionary.to_pylist(), column_values(indices, indices.type)
