"""Mining: score the pool, choose what fools the model, and say why the rest was not chosen."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from negmine.cache import CachedReader
from negmine.embed import Scores, score_recipes
from negmine.index import EmbeddingIndex
from negmine.pool import Pool, check_classes
from negmine.report import MineReport
from negmine.scorer import Scorer
from negmine.select import TopScores, matched_random, without_duplicates
from negmine.selection import Chosen, Selection

# The shortlist that near-duplicates are taken out of is this many times the number wanted.
_SHORTLIST = 8


@dataclass(frozen=True)
class MineSettings:
    """How negatives are chosen.

    Attributes
    ----------
    per_class : int
    min_distance : float
        Two sounds nearer than this (1 - cosine similarity of their embeddings) are duplicates.
    batch_size : int
    seed : int
        Of the random control.
    """

    per_class: int = 50
    min_distance: float = 0.005
    batch_size: int = 32
    seed: int = 0


@dataclass(frozen=True)
class Mined:
    """A selection, its random control, and the report."""

    selection: Selection
    control: Selection
    report: MineReport


def mine(
    scorer: Scorer,
    pool: Pool,
    scores_folder: Path,
    settings: MineSettings | None = None,
    *,
    reader: CachedReader | None = None,
    on_rows: Callable[[int], object] = lambda rows: None,
) -> Mined:
    """Choose the hardest certified negatives of each class.

    Parameters
    ----------
    scorer : Scorer
    pool : Pool
    scores_folder : Path
        Where scores are kept; a second run with the same model and pool reads them.
    settings : MineSettings, optional
    reader : CachedReader, optional
        Where sound is read from; from its files by default.
    on_rows : callable
        Called with a number of rows as they are scored.

    Raises
    ------
    ModelError
        If the model returns NaN.
    PoolError
        If model and pool have different classes.
    """
    s = settings or MineSettings()
    check_classes(scorer.classes, pool.classes, f"pool {pool.path} does not fit the model")
    scores, calls = (
        score_recipes(
            scorer,
            table,
            scores_folder,
            batch_size=s.batch_size,
            reader=reader,
            on_rows=on_rows,
        )
        for table in (pool.recipes, pool.calls)
    )
    held_out = pool.recipes.draws_on(scorer.held_out)
    certified = {
        name: np.flatnonzero((pool.confidence(name) > 0) & ~held_out) for name in pool.classes
    }
    picked = _pick(scorer.classes, scores, certified, s)
    report = MineReport(len(pool), scores.scored, int(held_out.sum()))
    rng = np.random.default_rng(s.seed)
    chosen: list[Chosen] = []
    control: list[Chosen] = []
    kinds = pool.recipes.kinds
    for column, (name, best) in enumerate(picked.items()):
        confirmed = _Confirmed(pool, calls, name, column)
        chosen += confirmed.describe(best.rows, best.logits, scores.embeddings(best.rows))
        drawn = matched_random(certified[name], kinds[certified[name]], kinds[best.rows], rng)
        control += confirmed.describe(
            drawn, scores.logits(drawn)[:, column], scores.embeddings(drawn)
        )
        report.classes[name] = {
            "certified": len(certified[name]),
            "below": len(certified[name]) - best.walked,
            "duplicates": best.walked - len(best.rows),
            "chosen": len(best.rows),
            "highest": float(best.logits[0]) if len(best.rows) else math.nan,
            "lowest": float(best.logits[-1]) if len(best.rows) else math.nan,
            "calls": confirmed.median_score,
        }

    def selection(found: list[Chosen]) -> Selection:
        return Selection(tuple(found), pool.path, pool.digest, scorer.fingerprint)

    return Mined(selection(chosen), selection(control), report)


@dataclass(frozen=True)
class _Picked:
    """Rows picked for a class, the highest-scoring first, and how many were looked at."""

    rows: np.ndarray
    logits: np.ndarray
    walked: int


def _pick(
    classes: Sequence[str],
    scores: Scores,
    certified: Mapping[str, np.ndarray],
    settings: MineSettings,
) -> dict[str, _Picked]:
    """The top rows of each class without near-duplicates.

    Near-duplicates are looked for in a shortlist; where so many fall out that too few rows are
    left, all shortlists are made anew, longer.
    """
    length = settings.per_class * _SHORTLIST
    while True:
        best = _shortlists(classes, scores, certified, length)
        picked = {}
        for column, name in enumerate(classes):
            rows, logits = best.best(column)
            embeddings = scores.embeddings(rows)
            near = EmbeddingIndex(embeddings).within(embeddings, settings.min_distance)
            kept = without_duplicates(near, settings.per_class)
            full = len(kept) == settings.per_class
            walked = int(kept[-1]) + 1 if full else len(rows)
            picked[name] = _Picked(rows[kept], logits[kept], walked)
        if all(
            len(p.rows) == settings.per_class or p.walked == len(certified[name])
            for name, p in picked.items()
        ):
            return picked
        length *= 4


def _shortlists(
    classes: Sequence[str], scores: Scores, certified: Mapping[str, np.ndarray], length: int
) -> TopScores:
    best = TopScores(len(classes), length)
    for shard in scores:
        for column, name in enumerate(classes):
            first, last = np.searchsorted(certified[name], [shard.start, shard.end])
            rows = certified[name][first:last]
            best.offer(column, rows, shard.logits[rows - shard.start, column])
    return best


class _Confirmed:
    """The confirmed calls of one class, and what they say of a negative."""

    def __init__(self, pool: Pool, calls: Scores, name: str, column: int) -> None:
        rows = np.flatnonzero(pool.calls.present(name))
        self._pool, self._name = pool, name
        self._ids = pool.calls.ids[rows]
        self._index = EmbeddingIndex(calls.embeddings(rows))
        logits = calls.logits(rows)[:, column]
        self.median_score = float(np.median(logits)) if len(rows) else math.nan

    def describe(
        self, rows: np.ndarray, logits: np.ndarray, embeddings: np.ndarray
    ) -> list[Chosen]:
        """Rows of the pool as chosen negatives, ranked as they come."""
        nearest, distance = self._index.nearest(embeddings)
        out = []
        for rank, row in enumerate(rows.tolist()):
            recipe = self._pool.recipes[row]
            absence = recipe.labels.absent[self._name]
            out.append(
                Chosen(
                    recipe=str(self._pool.recipes.ids[row]),
                    label=self._name,
                    score=float(logits[rank]),
                    rank=rank + 1,
                    kind=recipe.kind,
                    certificate=absence.certificate.value,
                    confidence=absence.confidence,
                    nearest_call=str(self._ids[nearest[rank]]) if nearest[rank] >= 0 else "",
                    distance=float(distance[rank]),
                )
            )
        return out
