"""Parquet tables of other tools, as sheets: a row at a time, cells as text."""

from __future__ import annotations

from collections.abc import Generator
from functools import partial
from pathlib import Path

from negmine.errors import AnnotationError
from negmine.formats.entry import Notes
from negmine.formats.format import Head
from negmine.formats.sheet import Sheet, open_sheet
from negmine.storage.names import clean_name
from negmine.storage.text_files import open_regular

_MAGIC = b"PAR1"
_MOST_BYTES = 2 << 30
_ROWS_AT_A_TIME = 10_000


def columns_in_parquet(head: Head) -> tuple[str, ...]:
    """Return the columns of a Parquet table; none of another file, or of a damaged one."""
    if not head.magic.startswith(_MAGIC):
        return ()
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return tuple(pq.read_schema(head.path).names)
    except (pa.ArrowException, OSError):
        return ()


def open_any_sheet(path: Path, notes: Notes) -> Sheet:
    """Open a table of text, or of Parquet.

    Raises
    ------
    InputError
        If it is neither; also while rows are read.
    """
    with open_regular(path, _MOST_BYTES) as file:
        if file.read(4) != _MAGIC:
            return open_sheet(path, notes)
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        columns = tuple(pq.read_schema(path).names)
    except (pa.ArrowException, OSError) as error:
        raise AnnotationError(f"{path}: not readable as Parquet: {error}") from error
    return Sheet(path, columns, ",", partial(_rows, path), notes)


def _rows(path: Path) -> Generator[tuple[int, list[str]], None, None]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    number = 0
    try:
        with pq.ParquetFile(path) as file:
            for batch in file.iter_batches(_ROWS_AT_A_TIME):
                for cells in zip(*(column.to_pylist() for column in batch.columns), strict=True):
                    number += 1
                    yield number, [_text(cell) for cell in cells]
    except (pa.ArrowException, OSError) as error:
        raise AnnotationError(
            f"{path}: not readable as Parquet after row {number}: {error}"
        ) from error


def _text(cell: object) -> str:
    """Return a cell as a table of text has it; missing values are empty."""
    if cell is None or cell != cell:
        return ""
    return clean_name(str(cell))
