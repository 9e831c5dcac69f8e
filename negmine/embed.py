"""Rendering, embedding and scoring recipes into shards on disk.

A shard holds the embeddings and logits of a fixed run of rows. It is written whole or not at all
and skipped where it stands, so a run that was stopped goes on where it was. Memory holds one batch
and one shard, however large the pool.
"""

from __future__ import annotations

import hashlib
import io
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from negmine.cache import CachedReader
from negmine.errors import ModelError, PoolError
from negmine.pool import RecipeTable
from negmine.render import render_batches
from negmine.scorer import Scorer
from negmine.tables import writing

SHARD_ROWS = 2048


@dataclass(frozen=True)
class Shard:
    """Scores of a run of rows.

    Attributes
    ----------
    start : int
        The first row.
    embeddings : float16 array, shape (n, D)
        L2-normalised to within float16's rounding, memory-mapped.
    logits : float32 array, shape (n, C)
        Memory-mapped.
    """

    start: int
    embeddings: np.ndarray
    logits: np.ndarray

    @property
    def end(self) -> int:
        return self.start + len(self.logits)


@dataclass(frozen=True)
class Scores:
    """Scores of a table of recipes, shard by shard."""

    folder: Path
    rows: int
    scored: int

    def __iter__(self) -> Iterator[Shard]:
        for start in range(0, self.rows, SHARD_ROWS):
            yield _open(self.folder, start)

    def embeddings(self, rows: np.ndarray) -> np.ndarray:
        """Embeddings of some rows, in their order: float32, shape (len(rows), D), L2-normalised."""
        # again: float16 leaves lengths off by up to a thousandth, as much as near sounds differ
        return _normalised(self._gather(rows, "embeddings"))

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """Logits of some rows, in their order: float32, shape (len(rows), C)."""
        return self._gather(rows, "logits")

    def _gather(self, rows: np.ndarray, name: str) -> np.ndarray:
        width = getattr(_open(self.folder, 0), name).shape[1]
        out = np.zeros((len(rows), width), dtype=np.float32)
        shards = rows // SHARD_ROWS
        for number in np.unique(shards):
            inside = shards == number
            shard = _open(self.folder, int(number) * SHARD_ROWS)
            out[inside] = getattr(shard, name)[rows[inside] - shard.start]
        return out


def score_recipes(
    scorer: Scorer,
    recipes: RecipeTable,
    folder: Path,
    *,
    batch_size: int = 32,
    reader: CachedReader | None = None,
    on_rows: Callable[[int], object] = lambda rows: None,
) -> Scores:
    """Score every recipe, skipping shards that stand in ``folder`` already.

    Parameters
    ----------
    scorer : Scorer
    recipes : RecipeTable
    folder : Path
        Shards are kept in it under the fingerprint of the scorer and of the rows.
    batch_size : int
    reader : CachedReader, optional
        Where sound is read from; from its files by default.
    on_rows : callable
        Called with a number of rows as they are done, for a progress bar.

    Raises
    ------
    ModelError
        If the model returns NaN.
    """
    rows_text = f"{SHARD_ROWS} {' '.join(recipes.ids)}"
    if reader is not None:
        # rounded to 16 bits: scores are near the same, not the same
        rows_text += f" cache {reader.sample_rate}"
    digest = hashlib.blake2b(rows_text.encode(), digest_size=8).hexdigest()
    here = folder / f"{scorer.fingerprint[:16]}-{digest}"
    scored = 0
    for start in range(0, len(recipes), SHARD_ROWS):
        rows = range(start, min(start + SHARD_ROWS, len(recipes)))
        if _path(here, start, "logits").exists():
            on_rows(len(rows))
            continue
        embeddings, logits = [], []
        shard = (recipes[row] for row in rows)
        for waveforms in render_batches(shard, scorer.sample_rate, batch_size, reader=reader):
            embedded, scores = scorer.score(waveforms)
            if not (np.isfinite(embedded).all() and np.isfinite(scores).all()):
                raise ModelError("the model returned NaN or infinite values; was training stable?")
            embeddings.append(_normalised(embedded).astype(np.float16))
            logits.append(scores.astype(np.float32))
            on_rows(len(waveforms))
        # logits last: they mark the shard as whole
        for name, parts in (("embeddings", embeddings), ("logits", logits)):
            buffer = io.BytesIO()
            np.save(buffer, np.concatenate(parts))
            with writing(_path(here, start, name)) as temporary:
                temporary.write_bytes(buffer.getbuffer())
        scored += len(rows)
    return Scores(here, len(recipes), scored)


def _path(folder: Path, start: int, name: str) -> Path:
    return folder / f"{start:09d}.{name}.npy"


def _open(folder: Path, start: int) -> Shard:
    arrays = []
    for name in ("embeddings", "logits"):
        path = _path(folder, start, name)
        try:
            arrays.append(np.load(path, mmap_mode="r", allow_pickle=False))
        except (OSError, ValueError) as error:
            raise PoolError(f"{path}: damaged shard of scores; remove it and run again") from error
    return Shard(start, *arrays)


def _normalised(embeddings: np.ndarray) -> np.ndarray:
    norms = np.linalg.norm(embeddings, axis=1, keepdims=True)
    return np.asarray(embeddings / np.maximum(norms, 1e-12))
