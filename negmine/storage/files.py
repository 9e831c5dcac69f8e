"""Writing files whole or not at all."""

from __future__ import annotations

import errno
import json
import math
import os
import secrets
import shutil
import stat
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any, cast

import pyarrow as pa
import pyarrow.parquet as pq

from negmine.errors import DamageError, OutputError, PoolError
from negmine.storage.digests import SEAL, UNSEALED, check_seal, seal
from negmine.storage.litter import sweep_once


@contextmanager
def writing(path: Path, *, durable: bool = False) -> Iterator[Path]:
    """Make an empty file beside ``path``; rename it to it if the block succeeds, else remove.

    Its name, ``.NAME.XXXXXXXX.tmp``, cannot be foreseen, and it is made by this call: nothing that
    exists there, a link least of all, is written through.

    Parameters
    ----------
    path : Path
        A new name, or a regular file's, which is replaced.
    durable : bool
        Bring the content to the disk before the rename: it then survives a loss of power.

    Raises
    ------
    OutputError
        If there is something else than a regular file, the folder is not writable or the disk is
        full.
    """
    check_target(path)
    temporary = None
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_once(path.parent)
        temporary = _new_beside(path, _make_file)
        yield temporary
        if durable:
            _to_disk(temporary)
        check_target(path)
        temporary.replace(path)
        if durable:
            _to_disk(path.parent)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    finally:
        if temporary is not None:
            _remove(temporary)


def check_target(path: Path) -> None:
    """Check that a path is free, or a regular file's that may be replaced.

    Raises
    ------
    OutputError
        If it is a link, a folder, a device, a pipe or a socket.
    """
    try:
        mode = path.lstat().st_mode
    except OSError:  # nothing there, or no access: what creates the file says so
        return
    if not stat.S_ISREG(mode):
        raise OutputError(f"{path}: is {_kind(mode)}, not a regular file; choose another name")


def open_in_place(path: Path, mode: str) -> IO[bytes]:
    """Open a binary file that grows in place, through no link and of no device.

    Parameters
    ----------
    mode : str
        ``ab`` makes it where it is missing; ``r+b`` does not.

    Raises
    ------
    OutputError
        If it is not a regular file.
    OSError
        If it cannot be opened.
    """
    check_target(path)

    def opener(name: str, flags: int) -> int:
        return os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK, 0o666)

    return cast(IO[bytes], open(path, mode, opener=opener))


def check_writable(path: Path) -> None:
    """See, before hours of work, that a file can be written here.

    Raises
    ------
    OutputError
        If it cannot.
    """
    check_target(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        # a file without a name, so that nothing stays behind whatever happens here
        tempfile.TemporaryFile(dir=path.parent).close()
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error


@contextmanager
def writing_folder(path: Path, *, replace: bool = False) -> Iterator[Path]:
    """Make a folder beside ``path``; rename it to it if the block succeeds, else remove it.

    With ``replace``, a folder that is there is replaced at the last moment. Where ``path`` is a
    link to a folder, the folder it points to is the one that is written.

    Raises
    ------
    OutputError
        If something else than a folder is there, or it cannot be written.
    """
    path = _folder_target(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        sweep_once(path.parent)
        temporary = _new_beside(path, Path.mkdir)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written: {error.strerror or error}") from error
    try:
        yield temporary
        _folder_target(path)
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


def _folder_target(path: Path) -> Path:
    """Return the folder that a path means, which need not exist."""
    if path.is_symlink() and path.is_dir():
        return path.resolve()
    try:
        mode = path.lstat().st_mode
    except OSError:
        return path
    if not stat.S_ISDIR(mode):
        raise OutputError(f"{path}: is {_kind(mode)}, not a folder; choose another name")
    return path


def _kind(mode: int) -> str:
    kinds = {
        stat.S_IFREG: "a file",
        stat.S_IFDIR: "a folder",
        stat.S_IFLNK: "a link",
        stat.S_IFIFO: "a pipe",
        stat.S_IFSOCK: "a socket",
    }
    return kinds.get(stat.S_IFMT(mode), "a device")


def _new_beside(path: Path, make: Callable[[Path], object]) -> Path:
    """Make a file or folder ``.NAME.XXXXXXXX.tmp`` under an unpredictable name."""
    for _ in range(100):
        # token_hex(4): eight characters
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
        with suppress(FileExistsError):
            make(temporary)
            return temporary
    raise FileExistsError(errno.EEXIST, "no free temporary name")


def _make_file(path: Path) -> None:
    # without O_TRUNC and through no link; the mode is what the umask leaves
    os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o666))


def _to_disk(path: Path) -> None:
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        # not there, or below what is no folder
        with suppress(OSError):
            path.unlink()


def finite(value: Any) -> Any:
    """Replace NaN and infinity, which JSON lacks, by None."""
    if isinstance(value, Mapping):
        return {key: finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a mapping as indented JSON, sealed; NaN and infinity become null."""
    content = {**finite(value), SEAL: UNSEALED}
    text = json.dumps(content, indent=2, ensure_ascii=False) + "\n"
    with writing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")
        seal(temporary)


def write_table(path: Path, table: pa.Table, metadata: Mapping[str, str] | None = None) -> None:
    """Write a Parquet table, zstd-compressed and sealed, with text metadata."""
    table = table.replace_schema_metadata({**(metadata or {}), SEAL: UNSEALED})
    with writing(path) as temporary:
        pq.write_table(table, temporary, compression="zstd")
        seal(temporary)


def write_arrow(path: Path, table: pa.Table) -> None:
    """Write an uncompressed Arrow file, each column in one piece, to be mapped into memory."""
    table = table.replace_schema_metadata({SEAL: UNSEALED})
    with writing(path) as temporary:
        with (
            pa.OSFile(str(temporary), "wb") as file,
            pa.ipc.new_file(file, table.schema) as writer,
        ):
            writer.write_table(table.combine_chunks())
        seal(temporary)


def map_arrow(path: Path, remedy: str) -> pa.Table:
    """Map an Arrow file into memory, after a check of its seal.

    Raises
    ------
    DamageError
        If it is not such a file, or not what was written.
    PoolError
        If there is none.
    """
    if path.exists() and not path.is_file():
        # a pipe would be waited for
        raise PoolError(f"{path}: is {_kind(path.stat().st_mode)}, not a regular file")
    try:
        with pa.memory_map(str(path)) as file:
            check_seal(memoryview(file.read_buffer()), path, remedy)
            file.seek(0)
            with pa.ipc.open_file(file) as reader:
                table = reader.read_all()
        # without a seal: lengths that do not fit the buffers, names that are no text
        table.validate()
        _ = table.column_names
        return table
    except FileNotFoundError as error:
        raise PoolError(f"{path}: no such file") from error
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DamageError(f"{path}: not readable as Arrow: {error}; {remedy}") from error
