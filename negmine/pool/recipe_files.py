"""The recipes of a pool's part on disk: Arrow files, read by mapping them into memory.

Nothing is decoded or copied when a pool of one part is opened, so that it opens in milliseconds and
the processes that read it share its pages. Each list and each dictionary of the schema is a file,
each row of one naming the first of its entries in the next::

    rows.arrow      id, kind, first_use          one a recipe
    uses.arrow      clip, snr, offset            one a component of a recipe
    clips.arrow     source, start, label set...  distinct components, however often they are used
    changes.arrow   op, source, band...          what is done to a clip: insert, erase, band
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa

from negmine.arrays import AnyEntries, AnyRows, IntStarts
from negmine.errors import DamageError, PoolError
from negmine.recipes.columns import CHANGE, CLIP, RECIPE, USE, Columns, Lists, dtype_of, flat
from negmine.recipes.dictionaries import ClipDictionary, missing
from negmine.recipes.recipe import Recipes
from negmine.storage.files import map_arrow, write_arrow

TABLES: Mapping[str, Mapping[str, pa.DataType]] = {
    "rows": flat(RECIPE),
    "uses": flat(USE),
    "clips": flat(CLIP),
    "changes": flat(CHANGE),
}


def write_recipes(folder: Path, recipes: Recipes) -> None:
    """Write the four tables of a part."""
    clips = recipes.dictionaries.clips
    rows = {"id": recipes.ids.raw, "kind": recipes.kind, "first_use": recipes.uses.starts[:-1]}
    tables = {
        "rows": rows,
        "uses": recipes.uses.values,
        "clips": {**clips.columns, "first_change": clips.changes.starts[:-1]},
        "changes": clips.changes.values,
    }
    for name, kinds in TABLES.items():
        columns = {column: _array(tables[name][column], kind) for column, kind in kinds.items()}
        write_arrow(folder / f"{name}.arrow", pa.table(columns))


def _array(values: AnyEntries, kind: pa.DataType) -> pa.Array:
    buffer = pa.py_buffer(np.ascontiguousarray(values, dtype=dtype_of(kind)))
    return pa.Array.from_buffers(kind, len(values), [None, buffer])


def read_recipes(
    folder: Path, sources: int, label_sets: int, kinds: Sequence[str]
) -> tuple[Columns, Lists, ClipDictionary]:
    """Map the four tables of a part into memory.

    Parameters
    ----------
    folder : Path
    sources, label_sets : int
        How many there are to name.
    kinds : sequence of str

    Returns
    -------
    rows : mapping of str to array
        Id and kind of each.
    uses : Lists
    clips : ClipDictionary

    Raises
    ------
    PoolError
        If a file is missing or damaged, or names what is not there.
    """
    columns = {name: _mapped(folder / f"{name}.arrow", kind) for name, kind in TABLES.items()}
    rows, uses, clips, changes = (columns[name] for name in TABLES)
    for name, first, end, wrong in (
        # every row has a use, and not every clip a change; what has no row has neither
        ("rows", rows["first_use"], len(uses["clip"]), np.less_equal),
        ("clips", clips["first_change"], len(changes["op"]) + 1, np.less),
    ):
        outside = len(first) > 0 and (first[0] != 0 or first[-1] >= end)
        if outside or wrong(first[1:], first[:-1]).any():
            raise PoolError(f"{folder}/{name}.arrow: rows out of order: damaged")
    changed = Lists(_starts(clips.pop("first_change"), len(changes["op"])), changes)
    found = ClipDictionary(clips, changed)
    for name, _ in missing(rows, uses, found, len(kinds), sources, label_sets):
        raise PoolError(f"{folder}/{name}.arrow: names what is not there: damaged")
    return rows, Lists(_starts(rows["first_use"], len(uses["clip"])), uses), found


def _starts(first: AnyRows, end: int) -> IntStarts:
    return np.append(first, end).astype(np.int64, copy=False) if len(first) else np.zeros(1, "i8")


def _mapped(path: Path, kinds: Mapping[str, pa.DataType]) -> dict[str, AnyEntries]:
    table = map_arrow(path, "build the pool again")
    found = {}
    for name, kind in kinds.items():
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


def column_values(column: pa.ChunkedArray, kind: pa.DataType) -> AnyEntries:
    """Return the values of a column without nulls; not copied if it is one chunk.

    Not by Arrow's to_numpy(): that loads pandas, which takes half a second.
    """
    dtype = dtype_of(kind)
    if not len(column):
        return np.zeros(0, dtype=dtype)
    chunk = column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)
    first = chunk.offset * dtype.itemsize
    return np.frombuffer(chunk.buffers()[1], dtype=dtype, count=len(chunk), offset=first)
