"""Acoustic fingerprints on disk, in a pool's folder: what is unchanged is not decoded again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path

import numpy as np
import pyarrow as pa

from negmine.building.dedup.acoustic import VERSION, AcousticPrint
from negmine.errors import DamageError, PoolError
from negmine.notices import warn
from negmine.storage.files import write_table
from negmine.storage.parquet import read_table

FILE = "acoustic.parquet"

_ARRAYS = [field.name for field in fields(AcousticPrint)]
_KINDS = {"bits": "<u4", "known": "<u4", "keys": "<i4", "frames": "<i4"}
_COLUMNS = {"fingerprint": pa.string(), **dict.fromkeys(_ARRAYS, pa.binary())}


def read_prints(folder: Path) -> dict[str, AcousticPrint]:
    """Read acoustic fingerprints by those of files' bytes; none where they cannot be used.

    They hold nothing that cannot be made again: those of another version or of a damaged file are.
    """
    try:
        table, metadata = read_table(folder / FILE, _COLUMNS)
    except DamageError as error:
        warn(f"{error}: sound is fingerprinted again")
        return {}
    except PoolError:
        return {}
    if metadata.get("version") != str(VERSION):
        return {}
    found = {}
    for row in table.to_pylist():
        arrays = {name: np.frombuffer(row[name], dtype=_KINDS[name]) for name in _ARRAYS}
        found[row["fingerprint"]] = AcousticPrint(**arrays)
    return found


def write_prints(folder: Path, prints: Mapping[str, AcousticPrint]) -> None:
    """Write them, if others are there.

    Raises
    ------
    OutputError
        If the folder cannot be written.
    """
    if read_prints(folder).keys() == prints.keys():
        return
    columns: dict[str, list[object]] = {"fingerprint": list(prints)}
    for name in _ARRAYS:
        columns[name] = [
            getattr(one, name).astype(_KINDS[name]).tobytes() for one in prints.values()
        ]
    table = pa.table(columns, schema=pa.schema(list(_COLUMNS.items())))
    write_table(folder / FILE, table, {"version": str(VERSION)})
