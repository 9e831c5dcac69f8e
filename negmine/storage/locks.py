"""One process at a time where files are written, and a line that names the one at work.

The lock is the operating system's: it ends with its process, however that ends. The holder
is written in a file beside the lock file, for the message to others. Both are removed when the
holder is done, so what is there without a holder is of a run that was killed.
"""

from __future__ import annotations

import json
import os
import shlex
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from negmine.errors import OutputError
from negmine.notices import warn
from negmine.storage.files import check_target, write_json
from negmine.storage.litter import sweep

LOCK, HOLDER = ".lock", ".lock.json"

# Processes that a killed run started, such as those that prepare steps, end some seconds after it.
_CHILDREN_S = 30.0
# Between a lock and the file that names its holder.
_UNNAMED_S = 2.0
# Of a killed run's unfinished files; another command's file of this moment is younger.
_LEFT_S = 1.0

# What this process holds, by thread: a command may enter again what it holds already.
_held: dict[tuple[Path, int], int] = {}


@contextmanager
def only_here(folder: Path, *, wait: bool = False) -> Iterator[None]:
    """Keep other processes out of a folder that files are written to.

    Parameters
    ----------
    folder : Path
        Made where it is missing, and removed where it is empty at the end.
    wait : bool
        Wait until another process is done, saying so, instead of raising.

    Raises
    ------
    OutputError
        If another process is at work there, naming it; or the folder cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise OutputError(f"{folder}: is a file; choose a folder")
    inside, new = folder.resolve(), not folder.exists()
    try:
        with _locked(folder, inside / LOCK, inside / HOLDER, wait) as killed:
            if killed:
                sweep(inside, _LEFT_S)
            yield
    finally:
        if new:
            with suppress(OSError):
                inside.rmdir()


@contextmanager
def only_writer(path: Path, *, wait: bool = False) -> Iterator[None]:
    """Keep other processes from writing a file, or a folder that is replaced as a whole.

    As `only_here`, but for the lock file: that is beside the path, ``.NAME.lock``.
    """
    path = path.resolve()  # of a link, the folder that it points to
    lock, holder = (path.with_name(f".{path.name}{end}") for end in (LOCK, HOLDER))
    with _locked(path, lock, holder, wait) as killed:
        if killed:
            inside = [one for one in path.iterdir() if one.is_dir()] if path.is_dir() else []
            for folder in (path.parent, path, *inside):
                sweep(folder, _LEFT_S)
        yield


@contextmanager
def _locked(target: Path, lock: Path, holder: Path, wait: bool) -> Iterator[bool]:
    """Hold a lock; gives whether the last holder was killed."""
    mine = lock, threading.get_ident()
    if mine in _held:
        _held[mine] += 1
        try:
            yield False
        finally:
            _held[mine] -= 1
        return
    try:
        lock.parent.mkdir(parents=True, exist_ok=True)
        system = _acquired(target, lock, holder, wait)
    except OSError as error:
        raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from error
    _held[mine] = 1
    try:
        killed = holder.exists()
        write_json(holder, _this_process())
        yield killed
    finally:
        del _held[mine]
        for path in (holder, lock):
            with suppress(OSError):
                path.unlink()
        system.release()


def _acquired(target: Path, lock: Path, holder: Path, wait: bool) -> Any:
    """Lock the file that has this name: the last holder may remove its own at any time."""
    import filelock

    while True:
        check_target(lock)
        with lock.open("ab") as file:  # the library retries for long what is not permitted
            opened = os.fstat(file.fileno()).st_ino
            system = filelock.FileLock(lock, timeout=0)
            _acquire(system, target, holder, wait)
            with suppress(FileNotFoundError):
                if lock.stat().st_ino == opened:
                    return system
            system.release()


def _acquire(system: Any, target: Path, holder: Path, wait: bool) -> None:
    import filelock

    with suppress(filelock.Timeout):
        system.acquire()
        return
    found = _read(holder)
    if not found:
        # it has the lock, and is about to say so, or to let it go
        with suppress(filelock.Timeout):
            system.acquire(timeout=_UNNAMED_S)
            return
        found = _read(holder)
    if _is_dead(found):
        with suppress(filelock.Timeout):
            system.acquire(timeout=_CHILDREN_S)
            return
    if not wait:
        raise OutputError(
            f"{target}: another run is at work there: {_holder(found)}; wait until it is done, or "
            "choose another place"
        )
    warn(f"{target}: another run is at work there: {_holder(found)}; waiting until it is done")
    system.acquire(timeout=-1)


def _this_process() -> dict[str, Any]:
    return {
        "pid": os.getpid(),
        "host": socket.gethostname(),
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "since": time.strftime("%Y-%m-%d %H:%M:%S %z"),
    }


def _read(holder: Path) -> dict[str, Any]:
    try:
        found = json.loads(holder.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _holder(found: dict[str, Any]) -> str:
    if not found:
        return "an unknown process"
    command = str(found.get("command"))
    shown = command if len(command) <= 200 else command[:200] + "..."
    return (
        f"process {found.get('pid')} on {found.get('host')} since {found.get('since')}, '{shown}'"
    )


def _is_dead(found: dict[str, Any]) -> bool:
    """Return whether a holder ended without a word: only its children can still have the lock."""
    pid = found.get("pid")
    if not isinstance(pid, int) or pid < 1 or found.get("host") != socket.gethostname():
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    except OSError:
        return False
    return False
