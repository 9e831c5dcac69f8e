"""Recipes as FLAC files and a table, for people and other tools."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from negmine.audio.write import write_flac
from negmine.errors import OutputError, PoolError, did_you_mean, shorten
from negmine.notices import warn
from negmine.pool import Pool
from negmine.pool.settings import RowChoice
from negmine.recipes.render import render_with_gain
from negmine.storage.csv_tables import write_csv
from negmine.storage.file_names import is_file_name
from negmine.storage.files import writing

TABLE = "clips.csv"


def choose_rows(pool: Pool, choice: RowChoice) -> list[int]:
    """Choose rows of a pool: those named, else those of a kind and class; some at random.

    Raises
    ------
    PoolError
        If an id, kind or class is not there, or nothing is left.
    """
    kind, label, sample = choice.kind, choice.label, choice.sample
    if choice.ids:
        rows = np.array(sorted({pool.recipes.row_of(name) for name in choice.ids}))
    else:
        rows = np.arange(len(pool))
    if kind is not None:
        known = pool.recipes.count_kinds()
        if kind not in known:
            hint = did_you_mean(kind, known)
            raise PoolError(
                f"{pool.path}: no rows of kind '{kind}'{hint}; kinds: {', '.join(known)}"
            )
        rows = rows[pool.recipes.kinds[rows] == kind]
    if label is not None:
        if label not in pool.classes:
            raise PoolError(f"{pool.path}: no class '{label}'{did_you_mean(label, pool.classes)}")
        rows = rows[pool.confidence(label)[rows] > 0]
    if not len(rows):
        raise PoolError(f"{pool.path}: no row meets all conditions")
    if sample is not None and sample < len(rows):
        rows = np.sort(np.random.default_rng(choice.seed).choice(rows, sample, replace=False))
    return [int(row) for row in rows]


def render_rows(
    pool: Pool,
    rows: Sequence[int],
    out: Path,
    *,
    sample_rate: int | None = None,
    on_clip: Callable[[], object] = lambda: None,
) -> pd.DataFrame:
    """Write rows of a pool as FLAC, and ``clips.csv``, which says what each is.

    Files are named by row, kind and id, so that they sort as the pool does. Clips of an earlier run
    that are not among the rows stay, and are warned of: the table does not name them.

    Parameters
    ----------
    pool : Pool
    rows : sequence of int
    out : Path
        A folder.
    sample_rate : int, optional
        Hz; the pool's own by default.
    on_clip : callable
        Called after each clip.

    Returns
    -------
    DataFrame
        file, id, kind, present, absent (``class certificate confidence`` each), sources (``file at
        seconds`` each), gain_db: what a mix was turned down by so that it does not clip.

    Raises
    ------
    AudioError
        If a source is missing or was changed.
    OutputError
        If a file cannot be written, or others' files are in the folder.
    PoolError
        If the pool's names of kinds would lead to other folders.
    """
    rate = sample_rate or pool.sample_rate
    width = len(str(max(len(pool) - 1, 0)))
    if out.exists() and not out.is_dir():
        raise OutputError(f"{out}: is a file; choose a folder for --out")
    described = []
    for row in rows:
        recipe = pool[row]
        if not is_file_name(recipe.kind):
            raise PoolError(f"{pool.path}: kind {recipe.kind[:60]!r} cannot name a file: damaged")
        file = f"{row:0{width}d}-{recipe.kind}-{recipe.id}.flac"
        rendered = render_with_gain(recipe, rate)
        with writing(out / file) as temporary:
            write_flac(temporary, rendered.samples, rate)
        absent = sorted(recipe.labels.absent.items())
        described.append(
            {
                "file": file,
                "id": recipe.id,
                "kind": recipe.kind,
                "present": "; ".join(sorted(recipe.labels.present)),
                "absent": "; ".join(
                    f"{name} {a.certificate.value} {a.confidence:.4g}" for name, a in absent
                ),
                "sources": "; ".join(
                    f"{layer.source.name} at {layer.start_s:g}"
                    for layer in recipe.layers
                    if layer.source is not None
                ),
                "gain_db": rendered.gain_db,
            }
        )
        on_clip()
    table = pd.DataFrame(described)
    write_csv(out / TABLE, table, float_format="%.4g")
    others = sorted({path.name for path in out.glob("*.flac")} - {one["file"] for one in described})
    if others:
        warn(
            f"{out}: holds {len(others)} clips that {TABLE} does not name, of an earlier run "
            f"({shorten(others, 3)})"
        )
    return table
