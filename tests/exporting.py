"""What the tests of exports share: a selection made by hand, and its export."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from conftest import Data, make_pool

from negmine.annotations import Annotation
from negmine.exports import own_cells
from negmine.exports.export import ExportReport, export
from negmine.exports.settings import ExportSettings
from negmine.exports.sources import rows_of_selection
from negmine.mining.selection import Chosen, Selection
from negmine.pool import Pool, open_pool
from negmine.recipes.recipe import Recipe


def make_selection(data: Data, root: Path) -> Path:
    """Mine, as it were, all rows of one class and every third of the other."""
    pool_path = make_pool(data, root / "pool", noise={"count": 4}, erase={"count": 4})
    pool = open_pool(pool_path)
    rows = []
    for column, label in enumerate(pool.classes):
        found = [recipe for recipe in pool if label in recipe.labels.absent]
        for rank, recipe in enumerate(found[:: 1 + 2 * column], start=1):
            a = recipe.labels.absent[label]
            about = (recipe.kind, a.certificate.value, a.confidence, "", math.nan, 0.01)
            rows.append(Chosen(recipe.id, label, 3.0 - rank / 8, rank, *about))
    path = root / "hard.parquet"
    Selection(tuple(rows), pool_path, pool.digest, "model").write(path)
    return path


def exported(selection: Path, to: str, out: Path, **options: Any) -> ExportReport:
    """Export a selection as a command does."""
    settings = ExportSettings(**options)
    own = own_cells(to, settings.cells)
    rows = rows_of_selection(selection, calls=settings.calls, own=own)
    return export(rows, to, out, settings)


def recipes_by_id(pool: Pool) -> dict[str, Recipe]:
    return {recipe.id: recipe for recipe in (*pool, *pool.calls)}


def samples_16_bit(recipe: Recipe) -> np.ndarray:
    """What a clip's file holds: its samples in steps of 16 bits."""
    return np.round(recipe.render() * 2**15) / 2**15


def essence(box: Annotation) -> tuple[object, ...]:
    """What a box says, without the kind of call, which not all formats hold."""
    edges = (box.span.start_s, box.span.end_s, box.f_min_hz, box.f_max_hz)
    return (box.recording, box.label, box.present, *edges)
