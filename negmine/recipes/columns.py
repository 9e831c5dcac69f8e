"""The schema of recipes, in memory and on disk, for one as for a million.

Recipes are nested Arrow columns: a recipe is a list of *uses*, one a component, each of a clip; a
clip is a span of a source, with a list of *changes*. Clips, label sets, sources and kinds are
dictionaries: each distinct one is there once, however many recipes use it, so a mix of four of a
thousand clips costs four short entries, with 24 classes as with 10,000::

    RECIPE  id, kind, uses: [USE]
    USE     clip, snr, offset
    CLIP    source, start, length, seed, label, changes: [CHANGE]
    CHANGE  op, source, start, offset, length, band, seed

A recipe's labels are the mix of its clips' label sets (`negmine.recipes.labels.PartialLabels`).
Whole numbers of millionths (``_us``: microseconds, ``_udb``: millionths of a decibel) hold what
recipes hold, exactly, and are what ids hash. There are no nulls: where there may be nothing, a
comment says which value means it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import pyarrow as pa

from negmine.arrays import AnyEntries, AnyRows, IntEntries, IntRows, IntStarts, RowChoice

ID_BYTES = 12

SOURCE = pa.struct(
    {
        "root": pa.string(),
        "name": pa.string(),
        "fingerprint": pa.string(),
        "duration_s": pa.float64(),
        "group": pa.string(),
    }
)
# A label set: its classes that are present or certified absent.
LABELS = pa.list_(
    pa.struct({"class": pa.string(), "certificate": pa.string(), "confidence": pa.float64()})
)
CHANGE = pa.struct(
    {
        "op": pa.uint8(),
        "source": pa.dictionary(pa.int32(), SOURCE),  # -1: none
        "start_us": pa.int64(),
        "offset_us": pa.int64(),
        "length_us": pa.int64(),  # 0: the whole clip
        "low_hz": pa.float64(),  # NaN: none
        "high_hz": pa.float64(),
        "seed": pa.int64(),  # -1: none
    }
)
CLIP = pa.struct(
    {
        "source": pa.dictionary(pa.int32(), SOURCE),
        "start_us": pa.int64(),
        "length_us": pa.int64(),  # 0: to the end of the recipe
        "seed": pa.int64(),  # -1: none
        "label": pa.dictionary(pa.int32(), LABELS),  # -1: the labels are on the row's other clips
        "changes": pa.list_(CHANGE),
    }
)
USE = pa.struct(
    {
        "clip": pa.dictionary(pa.int32(), CLIP),
        "snr_udb": pa.int32(),  # of a recipe's first component: 0, and not read
        "offset_us": pa.int32(),
    }
)
RECIPE = pa.struct(
    {
        "id": pa.binary(ID_BYTES),
        "kind": pa.dictionary(pa.uint8(), pa.string()),
        "uses": pa.large_list(USE),
    }
)


@cache
def flat(nested: pa.StructType) -> dict[str, pa.DataType]:
    """Return the columns that hold a struct: of a list, its first entry; of a dictionary, numbers.

    The entries of a list are a table of their own.
    """
    columns = {}
    for field in nested:
        name, kind = field.name, field.type
        if pa.types.is_large_list(kind) or pa.types.is_list(kind):
            name = f"first_{name.removesuffix('s')}"
            kind = pa.int64() if pa.types.is_large_list(kind) else pa.int32()
        columns[name] = kind.index_type if pa.types.is_dictionary(kind) else kind
    return columns


@cache
def dtype_of(kind: pa.DataType) -> np.dtype[Any]:
    """Return the numpy type of a column."""
    fixed = pa.types.is_fixed_size_binary(kind)
    return np.dtype(f"V{kind.byte_width}" if fixed else kind.to_pandas_dtype())


# Columns of one length, by name.
Columns = Mapping[str, AnyEntries]


# What a column holds where there is nothing.
NOTHING = {
    "source": -1,
    "start_us": 0,
    "offset_us": 0,
    "length_us": 0,
    "snr_udb": 0,
    "low_hz": np.nan,
    "high_hz": np.nan,
    "seed": -1,
    "label": -1,
}


def typed(nested: pa.StructType, n: int, **columns: Any) -> dict[str, AnyEntries]:
    """Return n entries of a struct's columns but for its lists; what is not given is nothing.

    Raises
    ------
    ValueError
        If a value does not fit its column.
    """
    found = {}
    for name, nothing in empty(nested).items():
        values = np.broadcast_to(columns[name] if name in columns else NOTHING[name], n)
        if n and nothing.dtype == np.int32 and values.dtype.itemsize > 4:
            limits = np.iinfo(np.int32)
            if not limits.min <= values.min() <= values.max() <= limits.max:
                raise ValueError(f"{name} is beyond what recipes hold, {limits.max / 1e6:g}")
        found[name] = values.astype(nothing.dtype, copy=False)
    return found


def empty(nested: pa.StructType) -> dict[str, AnyEntries]:
    """Return the columns of a struct without entries, but for its lists."""
    kinds = flat(nested).items()
    return {n: np.zeros(0, dtype_of(kind)) for n, kind in kinds if not n.startswith("first_")}


def take(columns: Columns, at: IntEntries) -> dict[str, AnyEntries]:
    """Return some entries of columns, in the order given."""
    return {name: values[at] for name, values in columns.items()}


def join(parts: Sequence[Columns]) -> Columns:
    """Return columns one after another."""
    if len(parts) == 1:
        return parts[0]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def length(columns: Columns) -> int:
    """Return how many entries columns have."""
    return len(next(iter(columns.values())))


def offsets(counts: IntRows) -> IntStarts:
    """Return where each run starts, and the end: int64, shape (n + 1,)."""
    out = np.zeros(len(counts) + 1, dtype=np.int64)
    np.cumsum(counts, out=out[1:])
    return out


def run_indices(starts: IntRows, counts: IntRows) -> IntEntries:
    """Return the indices of some runs, one after another: int64, shape (counts.sum(),)."""
    shift = np.repeat(starts - offsets(counts)[:-1], counts)
    return shift + np.arange(len(shift))


def chosen_rows(index: RowChoice, total: int) -> IntRows:
    """Return the rows that a slice, a mask or numbers choose of some: int64, in the order given.

    Raises
    ------
    IndexError
        If there is no such row; numbers are from 0 on: -1 is no row.
    """
    if isinstance(index, slice):
        return np.arange(*index.indices(total))
    rows = np.asarray(index)
    if rows.dtype == np.bool_:
        if rows.shape != (total,):
            raise IndexError(f"a mask of shape {rows.shape} for {total} rows")
        return np.flatnonzero(rows)
    if rows.size and not 0 <= rows.min() <= rows.max() < total:
        raise IndexError(f"rows {rows.min()} to {rows.max()} of {total}")
    return rows.astype(np.int64, copy=False)


@dataclass(frozen=True, eq=False)
class Lists:
    """A list of entries a row, as Arrow lays lists of structs out.

    Attributes
    ----------
    starts : int64 array, shape (n + 1,)
        Where each row's entries start, and the end.
    values : columns, of m entries
    """

    starts: IntStarts
    values: Columns

    def __len__(self) -> int:
        return len(self.starts) - 1

    @property
    def counts(self) -> IntRows:
        """How many entries each row has: int64, shape (n,)."""
        return np.diff(self.starts)

    @property
    def rows(self) -> IntEntries:
        """The row of each entry: int64, shape (m,)."""
        return np.repeat(np.arange(len(self)), self.counts)

    def take(self, rows: IntRows) -> Lists:
        """Return the lists of some rows, in the order given: int array, shape (any,)."""
        first = self.starts[rows]
        counts = self.starts[rows + 1] - first
        return Lists(offsets(counts), take(self.values, run_indices(first, counts)))

    def reduce(self, ufunc: np.ufunc, entries: AnyEntries) -> AnyRows:
        """Reduce a value an entry to one a row: shapes (m,) and (n,). No list may be empty."""
        if not len(self):
            return entries[:0]
        return np.asarray(ufunc.reduceat(entries, self.starts[:-1]))


def join_lists(parts: Sequence[Lists]) -> Lists:
    """Return the lists of several, one after another."""
    if len(parts) == 1:
        return parts[0]
    counts = np.concatenate([part.counts for part in parts])
    return Lists(offsets(counts), join([part.values for part in parts]))
