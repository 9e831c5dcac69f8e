"""Writing files whole or not at all, and reading Parquet tables of a known schema."""

from __future__ import annotations

import json
import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from negmine.console import finite
from negmine.errors import OutputError, PoolError


@contextmanager
def writing(path: Path) -> Iterator[Path]:
    """A temporary name beside ``path``; renamed to it when the block ends well, else removed.

    Raises
    ------
    OutputError
        If the folder is not writable or the disk is full.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield temporary
        temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        _remove(temporary)


def check_writable(path: Path) -> None:
    """See, before hours of work, that a file can be written here.

    Raises
    ------
    OutputError
        If it cannot.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # a file without a name, so that nothing stays behind whatever happens here
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def writing_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """A temporary folder beside ``path``; renamed to it when the block ends well, else removed.

    With ``replace``, a folder that stands there gives way at the last moment.
    """
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        temporary.chmod(0o755)
        yield temporary
        if replace and path.exists():
            old = temporary.with_suffix(".old")
            path.rename(old)
            try:
                temporary.rename(path)
            except BaseException:
                old.rename(path)
                raise
            shutil.rmtree(old)
        else:
            temporary.rename(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        _remove(temporary)


@contextmanager
def alone_in(folder: Path, what: str) -> Iterator[None]:
    """Keep other processes out of a folder; the system lets them in again however this one ends.

    Parameters
    ----------
    folder : Path
        Made where it is missing. It gets a file ``.lock``, which stays.
    what : str
        Who works in it, for the error.

    Raises
    ------
    OutputError
        If another process is in there, or the folder cannot be written.
    """
    import fcntl

    path = folder / ".lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        file = path.open("ab")
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise OutputError(
                f"{folder}: another {what} is at work there; wait until it is done"
            ) from error
        yield


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        # not there, or below what is no folder
        with suppress(OSError):
            path.unlink()


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON; NaN and infinity become null."""
    text = json.dumps(finite(value), indent=2, ensure_ascii=False) + "\n"
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


def write_table(path: Path, table: pa.Table, metadata: Mapping[str, str] | None = None) -> None:
    """Write a Parquet table, zstd-compressed, with text metadata."""
    if metadata:
        table = table.replace_schema_metadata(dict(metadata))
    with writing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")


def write_arrow(path: Path, table: pa.Table) -> None:
    """Write an uncompressed Arrow file, each column in one piece, to be mapped into memory."""
    with (
        writing(path) as temporary,
        pa.OSFile(str(temporary), "wb") as file,
        pa.ipc.new_file(file, table.schema) as writer,
    ):
        writer.write_table(table.combine_chunks())


def read_table(path: Path, columns: Mapping[str, pa.DataType]) -> tuple[pa.Table, dict[str, str]]:
    """Read a Parquet table that must have these columns.

    Parameters
    ----------
    path : Path
    columns : mapping of str to DataType
        Columns of text may be asked for as dictionaries, however they were written.

    Returns
    -------
    table : pyarrow.Table
    metadata : dict of str

    Raises
    ------
    PoolError
        If the file is missing, is not Parquet, or lacks a column or has it of another type.
    """
    try:
        # not read_table(): that loads pandas, which takes a second
        coded = [name for name, kind in columns.items() if pa.types.is_dictionary(kind)]
        with pq.ParquetFile(path, read_dictionary=coded) as file:
            table = file.read()
    except FileNotFoundError as error:
        raise PoolError(f"{path}: no such file") from error
    except (pa.ArrowException, OSError) as error:
        raise PoolError(f"{path}: not readable as Parquet: {error}") from error
    for name, kind in columns.items():
        if name not in table.column_names:
            found = ", ".join(table.column_names)
            raise PoolError(f"{path}: no column '{name}'; found {found}; was negmine the writer?")
        if table.schema.field(name).type != kind:
            found = table.schema.field(name).type
            raise PoolError(f"{path}: column '{name}' is {found}, not {kind}")
    metadata = {k.decode(): v.decode() for k, v in (table.schema.metadata or {}).items()}
    return table.select(list(columns)), metadata
