"""Rows as sound files."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from negmine.audio.write import write_flac
from negmine.exports.rows import ClipRow
from negmine.progress import Progress
from negmine.recipes.render import render

_MOST_THREADS = 8


def write_clips(
    folders: Mapping[Path, Sequence[ClipRow]], sample_rate: int, progress: Progress
) -> None:
    """Render rows to ``NAME.flac`` in folders, each sound once in a folder, under one bar.

    Parameters
    ----------
    folders : mapping of Path to sequence of ClipRow
        In one that is not there under its name yet: a clip that fails leaves nothing behind.
    sample_rate : int
        Hz.

    Raises
    ------
    AudioError
        If a recording is missing, unreadable or was changed.
    OutputError
        If a file cannot be written.
    """
    for folder in folders:
        folder.mkdir(parents=True, exist_ok=True)
    wanted = {folder / f"{row.name}.flac": row for folder, rows in folders.items() for row in rows}
    advance = progress("rendering", len(wanted), "clip")

    def write(path: Path) -> None:
        write_flac(path, render(wanted[path].recipe, sample_rate), sample_rate)

    threads = min(max(os.cpu_count() or 2, 2), _MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        try:
            for _ in pool.map(write, wanted):
                advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
