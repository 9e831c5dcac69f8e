"""Rows as sound files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from negmine.audio.write import write_flac
from negmine.exports.rows import ClipRow
from negmine.progress import Progress
from negmine.recipes.render import render

_MOST_THREADS = 8


def write_clips(
    folder: Path, rows: Sequence[ClipRow], sample_rate: int, progress: Progress
) -> None:
    """Render rows to ``NAME.flac`` in a folder, each sound once.

    Parameters
    ----------
    folder : Path
        In one that is not there under its name yet: a clip that fails leaves nothing behind.
    rows : sequence of ClipRow
    sample_rate : int
        Hz.

    Raises
    ------
    AudioError
        If a recording is missing, unreadable or was changed.
    OutputError
        If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {row.name: row for row in rows}
    advance = progress("rendering", len(wanted), "clip")

    def write(name: str) -> None:
        samples = render(wanted[name].recipe, sample_rate)
        write_flac(folder / f"{name}.flac", samples, sample_rate)

    threads = min(max(os.cpu_count() or 2, 2), _MOST_THREADS)
    with ThreadPoolExecutor(threads) as pool:
        try:
            for _ in pool.map(write, wanted):
                advance()
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise
