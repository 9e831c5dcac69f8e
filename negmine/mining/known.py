"""What mining knows of a class before it chooses: its confirmed calls, and a sample of scores."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from negmine.mining.doubt import clip_features
from negmine.mining.rules.rule import ClassScores
from negmine.pool import Pool
from negmine.recipes.recipe import Recipes
from negmine.scores.embed import Scores
from negmine.scores.scan import Eligible

# Rows of the pool whose scores represent all: quantiles are then known to half a thousandth. With
# thousands of classes fewer are taken, so that their scores stay within 200 MB.
_SAMPLE = 200_000
_SAMPLE_CELLS = 50_000_000


@dataclass(frozen=True)
class KnownCalls:
    """One class's confirmed calls.

    Attributes
    ----------
    column : int
        Of its logits.
    rows : int64 array, shape (P,)
        Its confirmed calls among the pool's, each sound once.
    calls : array of str, shape (P,)
        Their ids.
    logits : float32 array, shape (P,)
        Theirs, of the class.
    embeddings : float32 array, shape (P, D)
        L2-normalised.
    """

    name: str
    column: int
    rows: np.ndarray
    calls: np.ndarray
    logits: np.ndarray
    embeddings: np.ndarray

    def features(self, logits: np.ndarray, similarity: np.ndarray) -> np.ndarray:
        """Return doubt's features, (N, 2), of logits and similarity to the nearest call."""
        return clip_features(logits, self.logits, similarity)


@dataclass(frozen=True)
class KnownClass(KnownCalls):
    """One class: its confirmed calls, and how its certified rows score beside them.

    Attributes
    ----------
    reference : float array, shape (R,)
        Logits of its certified rows, or of a random sample of them.
    """

    reference: np.ndarray

    @property
    def scores(self) -> ClassScores:
        return ClassScores(self.logits, self.reference)


def know_calls(pool: Pool, classes: Sequence[str], calls: Scores) -> list[KnownCalls]:
    """Gather each class's confirmed calls, scored by the models."""
    rows_of = [pool.calls_of(name) for name in classes]
    # read at once, and kept once: each class has a view of its own
    every = calls.embeddings(np.concatenate(rows_of))
    embeddings = np.split(every, np.cumsum([len(rows) for rows in rows_of])[:-1])
    return [
        KnownCalls(
            name,
            column,
            rows,
            np.array(list(pool.calls.ids[rows]), dtype=str),
            calls.logits(rows)[:, column],
            embeddings[column],
        )
        for column, (name, rows) in enumerate(zip(classes, rows_of, strict=True))
    ]


def know_classes(
    pool: Pool,
    classes: Sequence[str],
    scores: Scores,
    calls: Scores,
    eligible: Eligible,
    rng: np.random.Generator,
) -> list[KnownClass]:
    """Gather each class's calls and a sample of its certified rows' scores."""
    sample = np.arange(len(pool))
    most = min(_SAMPLE, _SAMPLE_CELLS // len(classes))
    if len(pool) > most:
        sample = np.sort(rng.choice(len(pool), most, replace=False))
    by_class = np.ascontiguousarray(scores.logits(sample).T)
    return [
        KnownClass(
            **vars(one), reference=by_class[one.column][eligible.of_class(one.column)[sample]]
        )
        for one in know_calls(pool, classes, calls)
    ]


def same_sound(calls: Recipes, own: np.ndarray) -> np.ndarray:
    """Return which of a class's calls are the same sound as some of them: bool (len(own), P).

    A call itself; and one that shares half a clip with it, as two boxes do that were drawn round
    one call by two people.
    """
    source = calls.dictionaries.keys[calls.of_first("source")]
    start_s = calls.of_first("start_us") / 1e6
    near = np.abs(start_s[own, None] - start_s) <= calls.dictionaries.clip_s / 2
    return np.asarray(near & (source[own, None] == source))
