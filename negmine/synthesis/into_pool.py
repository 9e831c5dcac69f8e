"""What synthesis found, added to the pool with its ancestry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from negmine.annotations import Annotations
from negmine.annotations.class_bands import class_bands
from negmine.building.general import BandSettings
from negmine.building.settings import FpSettings, TransplantSettings
from negmine.building.sources.banded import Bands
from negmine.errors import AnnotationError
from negmine.models.scorer import Scorer
from negmine.pool import Pool, check_classes
from negmine.pool.append import append_recipes
from negmine.recipes.reader import Reader
from negmine.recipes.recipe import Recipe
from negmine.scores.embed import Keeper
from negmine.settings import Model, settings_from
from negmine.storage.files import write_table
from negmine.storage.parquet import read_table
from negmine.synthesis.found import Synthesised
from negmine.synthesis.moves import MoveRules
from negmine.synthesis.searches import describe_search, note_search
from negmine.synthesis.settings import SynthesisSettings
from negmine.synthesis.synthesise import Known, OnScored, synthesise

# In the pool's folder.
ANCESTRY = "ancestry.parquet"

_COLUMNS = {
    "recipe": pa.string(),
    "parents": pa.list_(pa.string()),
    "move": pa.string(),
    "class": pa.string(),
    "score": pa.float32(),
    "model": pa.string(),
}


@dataclass(frozen=True)
class AddedRecipes:
    """A search, and how many of its recipes are new in the pool."""

    search: Synthesised
    added: int


def synthesise_into(
    scorer: Scorer,
    pool: Pool,
    settings: SynthesisSettings,
    rules: MoveRules | None = None,
    *,
    known: Known | None = None,
    reader: Reader | None = None,
    on_scored: OnScored = lambda recipes, embeddings, logits: None,
) -> AddedRecipes:
    """Search as `negmine.synthesis.synthesise` does, and append what it keeps to the pool.

    Where scores are known, what the search scores is kept in the same store before the pool knows
    it: mining then scores no product a second time. It must be of sound from this reader.

    After Ctrl-C what was found by then is appended; ``search.stopped`` says so. The ancestry is
    written before the recipes are: no recipe is in the pool without it.

    Raises
    ------
    ModelError, PoolError
        See there; or if the pool was added to meanwhile.
    OutputError
        If the pool's folder cannot be written.
    """
    rules = rules or MoveRules()
    described = describe_search(pool.path, scorer.fingerprint, settings, rules)
    keeper = Keeper(known[0].store) if known else None

    def scored(recipes: Sequence[Recipe], embeddings: np.ndarray, logits: np.ndarray) -> None:
        if keeper:
            keeper(recipes, embeddings, logits)
        on_scored(recipes, embeddings, logits)

    try:
        search = synthesise(
            scorer,
            pool,
            settings,
            rules,
            known=known,
            reader=reader,
            on_scored=scored,
        )
    finally:
        if keeper:
            keeper.flush()
    added = _add(search, scorer, pool, settings) if search.kept else 0
    if not search.stopped:
        note_search(pool.path, described, added)
    return AddedRecipes(search, added)


def _add(search: Synthesised, scorer: Scorer, pool: Pool, settings: SynthesisSettings) -> int:
    write_ancestry(pool.path, search, scorer.fingerprint)
    record = {
        "synthesis": {
            "model": scorer.fingerprint,
            "pool": pool.digest,
            "budget": settings.budget,
            "forwards": search.forwards,
            "seed": settings.seed,
            "max_doubt": settings.max_doubt,
            "refused": len(search.refused),
        }
    }
    return append_recipes(pool.path, _ordered(search), record)


def _ordered(search: Synthesised) -> list[Any]:
    # rows of one kind together: a pool stores them in blocks
    return [p.recipe for p in sorted(search.kept, key=lambda p: p.recipe.kind)]


def write_ancestry(pool: Path, search: Synthesised, model: str) -> None:
    """Add the lineage of what a search kept to the pool's table; keep what is there.

    A row a product: its id, its parents' ids, the move, the class it was made for, its score for
    that class, the model's fingerprint. Parents are recipes of the pool, its confirmed calls, or
    further rows: those that were not good enough to enter the pool themselves are here, too.

    Raises
    ------
    PoolError
        If the table that is there is damaged.
    OutputError
        If it cannot be written.
    """
    path = pool / ANCESTRY
    rows = read_ancestry(pool)
    known = {row["recipe"] for row in rows}
    rows += [
        {
            "recipe": product.recipe.id,
            "parents": list(product.parents),
            "move": product.move,
            "class": product.label,
            "score": product.score,
            "model": model,
        }
        for product in search.lineage
        if product.recipe.id not in known
    ]
    write_table(path, pa.Table.from_pylist(rows, schema=pa.schema(list(_COLUMNS.items()))))


def read_ancestry(pool: Path) -> list[dict[str, Any]]:
    """Read the rows of a pool's ancestry table, see `write_ancestry`; none without a table."""
    if not (pool / ANCESTRY).exists():
        return []
    table, _ = read_table(pool / ANCESTRY, _COLUMNS)
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def rules_for(pool: Pool, annotations: Annotations | None) -> MoveRules:
    """Make the rules of moves in a pool: the settings it was built with, and boxes if given.

    Raises
    ------
    PoolError
        If the annotations name other classes than the pool.
    AnnotationError
        If they do not tell the band of a class.
    """
    if annotations is None:
        return MoveRules()
    check_classes(annotations.classes, pool.classes, str(pool.path))

    bands = _section(pool, "bands", BandSettings())
    nyquist_hz = pool.sample_rate / 2
    try:
        edges = class_bands(
            annotations,
            bands.margin,
            Path(bands.table) if bands.table else None,
            nyquist_hz,
        )
    except AnnotationError as error:
        raise AnnotationError(f"{error} (the pool's own settings name the bands)") from error
    widest_hz = bands.widest * nyquist_hz
    names = tuple(n for n, (low, high) in edges.items() if high - low <= widest_hz)
    return MoveRules(
        boxes=annotations.by_recording,
        beyond_per_s=_section(pool, "fp", FpSettings()).beyond_per_s,
        bands=Bands(edges, names) if names else None,
        transplant_confidence=_section(pool, "transplant", TransplantSettings()).confidence,
    )


def _section(pool: Pool, name: str, defaults: Model) -> Model:
    """Return a section of the settings that a pool was built with; some pools lack it."""
    found = pool.settings.get(name)
    if not isinstance(found, Mapping):
        return defaults
    return settings_from(defaults, found, f"{pool.path}: settings [{name}]")
