"""Scoring the recipes that a store does not know yet, and keeping what was scored elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np

from negmine.audio.silence import SILENT_LOGIT, is_silent
from negmine.errors import ModelError
from negmine.models.scorer import Headed, Scorer
from negmine.pool import Pool
from negmine.recipes.cache import CachedReader
from negmine.recipes.columns import ID_BYTES
from negmine.recipes.recipe import Recipe, Recipes
from negmine.recipes.render import RENDERING, render_batches
from negmine.scores.settings import BATCH_SIZE
from negmine.scores.store import ScoreStore
from negmine.storage.locks import only_here

# Rows scored between two writes: what a run that is killed loses at most.
SHARD_ROWS = 2048


class Scores:
    """Scores of a table of recipes, in whatever shards they are.

    Parameters
    ----------
    ids : uint8 array, shape (N, 12)
        Of the table's rows; all in the store.
    scored : int
        How many of them were scored in this run.
    position : int64 array, shape (N,), optional
        Their places in the store, if known.
    """

    def __init__(
        self,
        store: ScoreStore,
        ids: np.ndarray,
        scored: int = 0,
        position: np.ndarray | None = None,
    ) -> None:
        self.store = store
        self.scored = scored
        self._position = store.positions(ids) if position is None else position
        if (self._position < 0).any():
            raise ModelError(f"{int((self._position < 0).sum())} rows have no score")
        # which row is at a position; sorting is only for what is in several rows
        row_at = np.full(len(store), -1)
        row_at[self._position] = np.arange(len(self._position))
        self._by_position = row_at[row_at >= 0]
        if len(self._by_position) < len(self._position):
            self._by_position = np.argsort(self._position, kind="stable")

    def __len__(self) -> int:
        return len(self._position)

    def __iter__(self) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """Yield blocks that together hold every row once: numbers (n,), and logits (n, C)."""
        sorted_positions = self._position[self._by_position]
        for shard in self.store:
            first, last = np.searchsorted(sorted_positions, [shard.start, shard.end])
            if first == last:
                continue
            rows = self._by_position[first:last]
            inside = sorted_positions[first:last] - shard.start
            if last - first == len(shard.ids) and (np.diff(inside) == 1).all():
                yield rows, shard.logits
            else:
                yield rows, shard.logits[inside]

    def logits(self, rows: np.ndarray) -> np.ndarray:
        """Read logits of some rows, in their order: float32, shape (len(rows), C)."""
        return self.store.logits(self._position[rows])

    def embeddings(self, rows: np.ndarray) -> np.ndarray:
        """Read embeddings of some rows, in order: float32, shape (len(rows), D), L2-normalised."""
        return self.store.embeddings(self._position[rows])


def open_store(scorer: Scorer, folder: Path, reader: CachedReader | None = None) -> ScoreStore:
    """Open a model's scores in a folder of stores, of sound that a reader reads."""
    # from the cache, sound is rounded to 16 bits: scores are near the same, not the same
    heard = f"-cache{scorer.sample_rate}" if reader else ""
    return ScoreStore(folder, f"{scorer.fingerprint}.r{RENDERING}{heard}")


def score_recipes(
    scorer: Scorer,
    recipes: Recipes,
    folder: Path | ScoreStore,
    *,
    batch_size: int = BATCH_SIZE,
    reader: CachedReader | None = None,
    on_rows: Callable[[int], object] = lambda rows: None,
) -> Scores:
    """Score the recipes that the model has not scored before.

    Parameters
    ----------
    folder : Path or ScoreStore
        Of the stores; or the model's own, opened by `open_store`: its checksums are then read once
        for several tables.
    reader : CachedReader, optional
        Where sound is read from; from its files by default.
    on_rows : callable
        Called with a number of rows as they are done, for a progress bar.

    Raises
    ------
    ModelError
        If the model returns NaN.
    """
    store = folder if isinstance(folder, ScoreStore) else open_store(scorer, folder, reader)
    ids = recipes.ids.raw.view(np.uint8).reshape(-1, ID_BYTES)
    position = store.positions(ids)
    if (position >= 0).all():
        on_rows(len(recipes))
        return Scores(store, ids, 0, position)
    given: Scores | None = None
    if isinstance(scorer, Headed) and recipes[0].duration_s == scorer.clip_s:
        network = open_store(scorer.network, store.folder.parent, reader)
        given = score_recipes(
            scorer.network, recipes, network, batch_size=batch_size, reader=reader, on_rows=on_rows
        )
    with only_here(store.folder, wait=True):
        # what another run has scored meanwhile is read
        store.refresh()
        if given is not None and isinstance(scorer, Headed):
            scored = _read_missing(scorer, given, ids, store)
        else:
            scored = _score_missing(scorer, recipes, ids, store, batch_size, reader, on_rows)
    return Scores(store, ids, scored)


def _missing(ids: np.ndarray, store: ScoreStore) -> np.ndarray:
    """Return the rows that a store lacks, each recipe once: int64."""
    missing = np.flatnonzero(store.positions(ids) < 0)
    # one recipe may be in two rows: the confirmed calls of two boxes with the same clip
    first = np.unique(ids[missing], axis=0, return_index=True)[1]
    return missing[np.sort(first)]


def _read_missing(scorer: Headed, given: Scores, ids: np.ndarray, store: ScoreStore) -> int:
    """Score what a store lacks by what a fixed network gave of it; returns how many rows."""
    missing = _missing(ids, store)
    for start in range(0, len(missing), SHARD_ROWS):
        rows = missing[start : start + SHARD_ROWS]
        outputs = given.logits(rows)
        # as the network's own scores, those of silence were lowered
        silent = (outputs <= SILENT_LOGIT).all(axis=1, keepdims=True)
        logits = np.where(silent, np.float32(SILENT_LOGIT), scorer.head(outputs))
        store.append(ids[rows], given.embeddings(rows), logits)
    return len(missing)


def _score_missing(
    scorer: Scorer,
    recipes: Recipes,
    ids: np.ndarray,
    store: ScoreStore,
    batch_size: int,
    reader: CachedReader | None,
    on_rows: Callable[[int], object],
) -> int:
    """Score what a store lacks, shard by shard; returns how many rows that were."""
    missing = _missing(ids, store)
    on_rows(len(recipes) - len(missing))
    for start in range(0, len(missing), SHARD_ROWS):
        rows = missing[start : start + SHARD_ROWS]
        embeddings, logits = [], []
        for waveforms in render_batches(
            recipes[rows], scorer.sample_rate, batch_size, reader=reader
        ):
            embedded, scores = scorer.score(waveforms)
            if not (np.isfinite(embedded).all() and np.isfinite(scores).all()):
                raise ModelError("the model returned NaN or infinite values; was training stable?")
            silent = np.array([is_silent(one) for one in waveforms])
            scores = np.where(silent[:, np.newaxis], np.minimum(scores, SILENT_LOGIT), scores)
            embeddings.append(embedded)
            logits.append(scores)
            on_rows(len(waveforms))
        store.append(ids[rows], np.concatenate(embeddings), np.concatenate(logits))
    return len(missing)


def score_pool(
    scorer: Scorer,
    pool: Pool,
    folder: Path,
    *,
    batch_size: int = BATCH_SIZE,
    reader: CachedReader | None = None,
    on_rows: Callable[[int], object] = lambda rows: None,
) -> tuple[Scores, Scores]:
    """Score a pool's rows and its confirmed calls; see `score_recipes`."""
    store = open_store(scorer, folder, reader)
    rows, calls = (
        score_recipes(scorer, table, store, batch_size=batch_size, reader=reader, on_rows=on_rows)
        for table in (pool.recipes, pool.calls)
    )
    return rows, calls


class Keeper:
    """Keeps scores that are made elsewhere, a shard at a time, so that they are not made again.

    Parameters
    ----------
    store : ScoreStore
        Of the model that scores.
    """

    def __init__(self, store: ScoreStore) -> None:
        self._store = store
        self._waiting: list[tuple[bytes, np.ndarray, np.ndarray]] = []

    def __call__(
        self, recipes: Sequence[Recipe], embeddings: np.ndarray, logits: np.ndarray
    ) -> None:
        """Take in recipes and their scores, in order: float32, shapes (n, D) and (n, C)."""
        ids = (bytes.fromhex(recipe.id) for recipe in recipes)
        self._waiting += zip(ids, embeddings, logits, strict=True)
        if len(self._waiting) >= SHARD_ROWS:
            self.flush()

    def flush(self) -> None:
        """Write what is waiting, as far as the store does not know it."""
        rows = list({row[0]: row for row in self._waiting}.values())
        if rows:
            raw = b"".join(row[0] for row in rows)
            ids = np.frombuffer(raw, dtype=np.uint8).reshape(-1, ID_BYTES)
            new = np.flatnonzero(self._store.positions(ids) < 0)
            if len(new):
                embeddings, logits = (np.stack([rows[i][at] for i in new]) for at in (1, 2))
                self._store.append(ids[new], embeddings, logits)
        self._waiting = []
