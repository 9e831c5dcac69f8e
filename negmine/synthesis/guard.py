"""Which clips the search must not build on: those that may well hold the class after all.

What scores highest for a class is, more often than other rows, a call that its certificate missed.
A search that takes such a clip as a parent makes more of it with every move. So a clip is refused
for a class where its doubt (`negmine.mining.doubt`) is above a limit. What is made of it is refused
for that class, too, however little of the call the model still finds in it: the sound is there.

The certificate that doubt begins from is the clip's own, taken at its word whatever its kind. That
of a mix is the product of its parts' (`negmine.recipes.labels`), so no product is believed more
than what it is made of.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from negmine.mining.doubt import DoubtModel
from negmine.mining.fitting import fit_doubt
from negmine.mining.known import KnownCalls, know_calls
from negmine.mining.nearest import call_similarity
from negmine.models.scorer import Scorer
from negmine.pool import Pool
from negmine.scores.embed import Scores


class Guard:
    """Refuses clips that are too likely to hold a class.

    Parameters
    ----------
    max_doubt : float
        The limit: a clip with a higher probability is refused.
    doubt : DoubtModel, optional
        Without it nothing is refused: the certificate alone decides.
    known : sequence of KnownCalls
        Each class's calls, by column, that doubt compares with.
    """

    def __init__(
        self, max_doubt: float, doubt: DoubtModel | None = None, known: Sequence[KnownCalls] = ()
    ) -> None:
        self._max_doubt, self._doubt, self._known = max_doubt, doubt, known
        self._refused: dict[str, set[int]] = {}

    @property
    def auc(self) -> float | None:
        """The doubt's, see there; None without one."""
        return self._doubt.auc if self._doubt else None

    @property
    def refused(self) -> frozenset[tuple[str, int]]:
        """What was refused: ids of clips, and the columns of the classes that it was for."""
        return frozenset((key, column) for key, of in self._refused.items() for column in of)

    def refuses(
        self,
        column: int,
        recipes: Sequence[str],
        confidence: np.ndarray,
        logits: np.ndarray,
        embeddings: np.ndarray,
        parents: Sequence[Sequence[str]] | None = None,
    ) -> np.ndarray:
        """Return which of some clips must not be negatives of a class.

        Parameters
        ----------
        column : int
            Of the class.
        recipes : sequence of str, n of them
            Ids.
        confidence : float array, shape (n,)
            Of their certificates for the class.
        logits : float32 array, shape (n,)
            For the class.
        embeddings : float32 array, shape (n, D)
            L2-normalised.
        parents : sequence of sequences of str, optional
            Ids of what each was made of: what was refused before passes it on.

        Returns
        -------
        bool array, shape (n,)
        """
        if self._doubt is None:
            return np.zeros(len(logits), dtype=bool)
        known = self._known[column]
        near = call_similarity(embeddings, known.embeddings)
        features = known.features(logits, near)
        doubtful = self._doubt.probability(features, confidence) > self._max_doubt
        for i, of_one in enumerate(parents or ()):
            doubtful[i] |= any(column in self._refused.get(parent, ()) for parent in of_one)
        for i in np.flatnonzero(doubtful).tolist():
            self._refused.setdefault(recipes[i], set()).add(column)
        return doubtful


def fit_guard(
    scorer: Scorer,
    pool: Pool,
    max_doubt: float,
    scores: Scores | None,
    calls: Scores | None,
    rng: np.random.Generator,
) -> Guard:
    """Fit the guard's doubt as mining does, on scores of rows and of confirmed calls.

    Without them, or with too few calls or rejections, it refuses nothing.
    """
    if scores is None or calls is None:
        return Guard(max_doubt)
    known = know_calls(pool, scorer.classes, calls)
    doubt, _ = fit_doubt(pool, known, scores, scorer.held_out, rng)
    return Guard(max_doubt, doubt, known) if doubt.fitted else Guard(max_doubt)
