"""What writers that were killed left behind, removed by the next.

Writers give their unfinished files and folders names of one pattern, ``.NAME.XXXXXXXX.tmp``, and a
folder that is being replaced ``.NAME.XXXXXXXX.old`` for a moment (`negmine.storage.files`). Nothing
else is touched here.
"""

from __future__ import annotations

import os
import re
import shutil
import stat
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from negmine.notices import warn

_PATTERN = re.compile(r"\.(?P<name>.+)\.[0-9a-f]{8}\.(?P<kind>tmp|old)")

# A file not written to for this long has no writer: writers write all the time.
OLD_S = 3600.0
# More than this is worth a line.
_LARGE_BYTES = 1_000_000

_swept: set[Path] = set()


def sweep(folder: Path, least_s: float = OLD_S) -> None:
    """Remove the unfinished files and folders that are directly in a folder.

    A folder that a run was replacing when it was killed is put back where it was.

    Parameters
    ----------
    folder : Path
        Nothing happens where there is none.
    least_s : float
        Seconds since anything in it was written: younger ones stay.
    """
    found = []
    # what cannot be read or removed stays: it does no harm
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if match := _PATTERN.fullmatch(entry.name):
                found.append((folder / entry.name, match))
    count = size = 0
    for path, match in sorted(found, key=lambda one: one[0].name):
        with suppress(OSError):
            states = list(_states(path))
            if time.time() - max(state.st_mtime for state in states) < least_s:
                continue
            target = folder / match["name"]
            if match["kind"] == "old" and not os.path.lexists(target):
                path.rename(target)
                warn(f"{target}: put back: a run was killed while it replaced the folder")
                continue
            if stat.S_ISDIR(states[0].st_mode):
                shutil.rmtree(path)
            else:
                path.unlink()
            count += 1
            size += sum(state.st_size for state in states)
    if size >= _LARGE_BYTES:
        warn(f"{folder}: removed {count} unfinished files of killed runs, {size / 1e6:.0f} MB")


def sweep_once(folder: Path) -> None:
    """Sweep a folder, if this process has not yet."""
    if folder not in _swept:
        _swept.add(folder)
        sweep(folder)


def _states(path: Path) -> Iterator[os.stat_result]:
    yield path.lstat()
    for inside, folders, files in os.walk(path):
        for name in (*folders, *files):
            yield Path(inside, name).lstat()
