"""Parquet tables of a known schema, read in bounded memory."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from negmine.errors import DamageError, InputError, PoolError
from negmine.storage.digests import SEAL, check_seal
from negmine.storage.text_files import read_bytes

# So many rows are little memory, however well they compress.
_FEW_ROWS = 100_000
# What columns may take before they are unpacked: a multiple of the file, and a little a row.
_MOST_RATIO = 100
_ROW_BYTES = 256
# Characters of one column of text, unpacked.
_MOST_TEXT = 1 << 30


def read_table(
    path: Path, columns: Mapping[str, pa.DataType], *, most_rows: int = 0
) -> tuple[pa.Table, dict[str, str]]:
    """Read a Parquet table that must have these columns.

    Parameters
    ----------
    columns : mapping of str to DataType
        Columns of text may be asked for as dictionaries, however they were written.
    most_rows : int
        Rows that there can be, if they are more than one a byte of the file: rows that hold an id
        or a score do not compress further.

    Returns
    -------
    table : pyarrow.Table
    metadata : dict of str

    Raises
    ------
    PoolError
        If the file is missing, is not Parquet, lacks a column or has it of another type, or would
        fill more memory than negmine could have written.
    DamageError
        If it is not what was written.
    """
    try:
        content = read_bytes(path)
        check_seal(content, path, "remove it, and run again what made it")
        # not read_table(): that loads pandas, which takes a second
        coded = [name for name, kind in columns.items() if pa.types.is_dictionary(kind)]
        with pq.ParquetFile(pa.BufferReader(content), read_dictionary=coded) as file:
            _check_columns(path, file.schema_arrow, columns)
            _check_size(path, file.metadata, len(content), most_rows)
            repeating = _repeating(file.metadata, columns)
        with pq.ParquetFile(pa.BufferReader(content), read_dictionary=[*coded, *repeating]) as file:
            table = file.read(list(columns))
        for name in repeating:
            table = _decoded(path, table, name, columns[name])
        metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
        metadata.pop(SEAL, None)
    except PoolError:
        raise
    except InputError as error:
        raise PoolError(str(error)) from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DamageError(f"{path}: not readable as Parquet: {error}") from error
    return table.select(list(columns)), metadata


def _check_columns(path: Path, schema: pa.Schema, columns: Mapping[str, pa.DataType]) -> None:
    for name, kind in columns.items():
        if name not in schema.names:
            found = ", ".join(schema.names)
            raise PoolError(f"{path}: no column '{name}'; found {found}; was negmine the writer?")
        if schema.field(name).type != kind:
            found = schema.field(name).type
            raise PoolError(f"{path}: column '{name}' is {found}, not {kind}")


def _check_size(path: Path, about: Any, size: int, most_rows: int) -> None:
    """Look, before anything is unpacked, at how much there is to come."""
    most = max(size, _FEW_ROWS, most_rows)
    if about.num_rows > most:
        raise PoolError(
            f"{path}: claims {about.num_rows} rows in {size} bytes, and at most {most} are "
            "possible; damaged, or not written by negmine"
        )
    encoded = sum(about.row_group(i).total_byte_size for i in range(about.num_row_groups))
    if encoded > _MOST_RATIO * size + _ROW_BYTES * about.num_rows:
        raise PoolError(
            f"{path}: {size} bytes that unpack to {encoded / 1e6:.0f} MB; damaged, or not written "
            "by negmine"
        )


def _repeating(about: Any, columns: Mapping[str, pa.DataType]) -> list[str]:
    """Return columns of text that could be a few long texts, repeated until memory is full.

    Checked by whole row groups: what a damaged file says of one column can end the process.
    """
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    if not any(group.num_rows * group.total_byte_size > _MOST_TEXT for group in groups):
        return []
    return [
        name
        for name, kind in columns.items()
        if pa.types.is_string(kind) or pa.types.is_binary(kind)
    ]


def _decoded(path: Path, table: pa.Table, name: str, kind: pa.DataType) -> pa.Table:
    """Replace numbers by the dictionary's entries in a table."""
    column = table.column(name)
    length = sum(
        pc.sum(pc.take(pc.binary_length(chunk.dictionary), chunk.indices)).as_py() or 0
        for chunk in column.chunks
    )
    if length > _MOST_TEXT:
        raise PoolError(
            f"{path}: column '{name}' unpacks to {length / 1e6:.0f} MB of text; damaged, or not "
            "written by negmine"
        )
    return table.set_column(table.column_names.index(name), name, column.cast(kind))
