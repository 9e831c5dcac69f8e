"""Where files are that other files name: as a whole path, and as seen from who names them.

What was moved together, a selection with its pool or a pool with its recordings, is then found.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path


def seen_from(path: Path, folder: Path) -> str:
    """Return a path relative to a folder, with forward slashes; neither need exist."""
    return Path(os.path.relpath(path.resolve(), folder.resolve())).as_posix()


def candidates(whole: str, relative: str | None, folder: Path) -> list[Path]:
    """Return where a path named by a file in a folder may be, the whole path first.

    Parameters
    ----------
    whole : str
        Where it was when the file was written.
    relative : str, optional
        Where it was as seen from the file's folder: None where an earlier version wrote the file.
    folder : Path
        Where the file is now.
    """
    found = [Path(whole)]
    if relative:
        found.append(Path(os.path.normpath(folder.resolve() / relative)))
    return list(dict.fromkeys(found))


def first_folder(paths: Iterable[Path]) -> Path:
    """Return the first that is a folder; the first of all where none is."""
    listed = list(paths)
    return next((path for path in listed if _is_folder(path)), listed[0])


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except OSError:  # a name that no file system takes
        return False
