"""The columns of a pool's rows on disk: Arrow files, read by mapping them into memory.

Nothing is decoded or copied when a pool is opened, so that it opens in milliseconds and the
processes that read it share its pages. Four tables, each row of one naming the first of its rows in
the next::

    rows.arrow      id, kind, first_use          one a recipe
    uses.arrow      clip, snr, offset            one a component of a recipe
    clips.arrow     source, start, label set...  distinct components, however often they are used
    changes.arrow   op, source, band...          what is done to a clip: insert, erase, band

A mix of four of a thousand clips costs four short rows of ``uses``. Whole numbers of millionths
(``_us``: microseconds, ``_udb``: millionths of a decibel) hold what recipes hold, exactly.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from negmine.errors import DamageError, PoolError
from negmine.recipes.layer import OPS
from negmine.recipes.recipe import ID_BYTES
from negmine.storage.files import map_arrow, write_arrow

# Column, and its type on disk.
ROWS = {"id": pa.binary(ID_BYTES), "kind": pa.uint8(), "first_use": pa.int64()}
USES = {"clip": pa.int32(), "snr_udb": pa.int32(), "offset_us": pa.int32()}
CLIPS = {
    "source": pa.int32(),
    "start_us": pa.int64(),
    "length_us": pa.int64(),  # 0: to the end of the clip
    "seed": pa.int64(),  # -1: none
    "label": pa.int32(),  # -1: the row's labels are on its other clips
    "first_change": pa.int32(),
}
CHANGES = {
    "op": pa.uint8(),
    "source": pa.int32(),  # -1: none
    "start_us": pa.int64(),
    "offset_us": pa.int64(),
    "length_us": pa.int64(),  # 0: the whole clip
    "low_hz": pa.float64(),  # NaN: none
    "high_hz": pa.float64(),
    "seed": pa.int64(),
}
TABLES: Mapping[str, Mapping[str, pa.DataType]] = {
    "rows": ROWS,
    "uses": USES,
    "clips": CLIPS,
    "changes": CHANGES,
}

Columns = dict[str, dict[str, np.ndarray]]


def write_columns(folder: Path, columns: Columns) -> None:
    """Write the four tables of a part."""
    for name, schema in TABLES.items():
        arrays = {column: _array(columns[name][column], kind) for column, kind in schema.items()}
        write_arrow(folder / f"{name}.arrow", pa.table(arrays))


def _array(values: np.ndarray, kind: pa.DataType) -> pa.Array:
    if pa.types.is_fixed_size_binary(kind):
        buffer = pa.py_buffer(np.ascontiguousarray(values))
        return pa.FixedSizeBinaryArray.from_buffers(kind, len(values), [None, buffer])
    return pa.array(np.ascontiguousarray(values, dtype=kind.to_pandas_dtype()), type=kind)


def read_columns(folder: Path, sources: int, label_sets: int, kinds: int) -> Columns:
    """Map the four tables of a part into memory.

    Parameters
    ----------
    folder : Path
    sources, label_sets, kinds : int
        How many there are to name.

    Raises
    ------
    PoolError
        If a file is missing or damaged, or names what is not there.
    """
    columns = {name: _mapped(folder / f"{name}.arrow", kind) for name, kind in TABLES.items()}
    rows, uses, clips, changes = (columns[name] for name in TABLES)
    limits = (
        ("rows", rows["kind"], 0, kinds),
        ("uses", uses["clip"], 0, len(clips["source"])),
        ("clips", clips["source"], 0, sources),
        ("clips", clips["label"], -1, label_sets),
        ("changes", changes["source"], -1, sources),
        ("changes", changes["op"], 1, len(OPS)),
    )
    for name, values, least, end in limits:
        if len(values) and (values.min() < least or values.max() >= end):
            raise PoolError(f"{folder}/{name}.arrow: names what is not there: damaged")
    for name, first, end, wrong in (
        # every row has a use, and not every clip a change; what has no row has neither
        ("rows", rows["first_use"], len(uses["clip"]), np.less_equal),
        ("clips", clips["first_change"], len(changes["op"]) + 1, np.less),
    ):
        outside = len(first) > 0 and (first[0] != 0 or first[-1] >= end)
        if outside or wrong(first[1:], first[:-1]).any():
            raise PoolError(f"{folder}/{name}.arrow: rows out of order: damaged")
    return columns


def _mapped(path: Path, schema: Mapping[str, pa.DataType]) -> dict[str, np.ndarray]:
    table = map_arrow(path, "build the pool again")
    found = {}
    for name, kind in schema.items():
        if name not in table.column_names:
            names = ", ".join(table.column_names)
            raise PoolError(f"{path}: no column '{name}'; found {names}; was negmine the writer?")
        column = table.column(name)
        if column.type != kind or column.null_count:
            raise PoolError(f"{path}: column '{name}' is {column.type}, not {kind}")
        try:
            found[name] = column_values(column, kind)
        except ValueError as error:
            raise DamageError(f"{path}: column '{name}': {error}: damaged") from error
    return found


def column_values(column: pa.ChunkedArray, kind: pa.DataType) -> np.ndarray:
    """Return the values of a column without nulls; not copied if it is one chunk.

    Not by Arrow's to_numpy(): that loads pandas, which takes half a second.
    """
    if not len(column):
        return empty_column(kind)
    chunk = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
    dtype = column_type(kind)
    first = chunk.offset * dtype.itemsize
    return np.frombuffer(chunk.buffers()[1], dtype=dtype, count=len(chunk), offset=first)


def column_type(kind: pa.DataType) -> np.dtype[Any]:
    """Return the numpy type of a column."""
    fixed = pa.types.is_fixed_size_binary(kind)
    return np.dtype(f"V{kind.byte_width}" if fixed else kind.to_pandas_dtype())


def empty_column(kind: pa.DataType) -> np.ndarray:
    """Return a column without entries."""
    return np.zeros(0, dtype=column_type(kind))
